#include "sinks/postgres/offsets.hpp"

#include <spdlog/fmt/fmt.h>

#include <array>

#include "base/check.hpp"
#include "sinks/postgres/catalog.hpp"
#include "sinks/postgres/sqlstate.hpp"

namespace sluice::postgres {
namespace {

// A number of our own for advisory locks: "sluice" in ASCII.
constexpr std::int64_t definition_lock = 0x736c75696365;

// READ COMMITTED: a compare-and-set that waited for another owner then sees what that one wrote.
// Row security would hide rows from updates and deletes; without it they are refused (42501). The
// timeouts bound what a frozen or forgotten session can hold. The check of the client's
// connection (since PostgreSQL 14) frees the rows of one that was killed amid a long statement.
bool checks_client(const Connection& connection) { return connection.server_version() >= 140000; }
std::size_t begin_statements(const Connection& connection) {
    return checks_client(connection) ? 6 : 5;
}
std::string begin_transaction(const Connection& connection, std::chrono::milliseconds lock_wait) {
    return fmt::format(
        "BEGIN ISOLATION LEVEL READ COMMITTED; "
        "SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '{}ms'; "
        "SET LOCAL idle_in_transaction_session_timeout = '30s'; SET LOCAL row_security = off; {}",
        lock_wait.count(),
        checks_client(connection) ? "SET LOCAL client_connection_check_interval = '500ms'; " : "");
}
constexpr std::chrono::seconds usual_lock_wait{10};
constexpr std::chrono::seconds holder_lock_wait{1};
constexpr std::string_view op = "postgres.offsets";
constexpr std::int64_t schema_version = 1;  // Of the tables' columns and their meaning.

Outcome<Rows> last(Outcome<std::vector<Rows>> results) {
    if (!results) {
        return tl::unexpected(std::move(results).error());
    }
    check(!results->empty(), "a script has a result");
    return std::move(results->back());
}

template <class T>
Outcome<void> done(Outcome<T> results) {
    if (!results) {
        return tl::unexpected(std::move(results).error());
    }
    return {};
}

// An error inside a script leaves its transaction open.
template <class T>
Outcome<T> or_roll_back(Connection& connection, Outcome<T> result, Deadline deadline) {
    if (!result && !result.error().lost && !connection.idle_transaction()) {
        if (auto rolled_back = connection.script("ROLLBACK", deadline); !rolled_back) {
            result.error().lost = true;
        }
    }
    return result;
}

// In a transaction of its own; what the last statement of `sql` gave.
Outcome<Rows> transact(Connection& connection, std::chrono::milliseconds lock_wait,
                       const std::string& sql, Deadline deadline) {
    auto results = or_roll_back(
        connection,
        connection.script(
            fmt::format("{}{}; COMMIT", begin_transaction(connection, lock_wait), sql), deadline,
            op),
        deadline);
    if (!results) {
        return tl::unexpected(std::move(results).error());
    }
    check(results->size() >= 2, "a transaction has a statement and its COMMIT");
    return std::move((*results)[results->size() - 2]);
}

std::vector<Position> to_positions(const Rows& rows) {
    std::vector<Position> positions;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        positions.push_back({.partition = {rows.text(r, 0), PartitionId{static_cast<std::int32_t>(
                                                                rows.integer(r, 1))}},
                             .topic_id = parse_uuid(rows.text(r, 2)).value_or(Uuid{}),
                             .next = Offset{rows.integer(r, 3)},
                             .clock = {},
                             .start = rows.text(r, 4)});
    }
    return positions;
}

}  // namespace

OffsetsTable::OffsetsTable(const std::string& schema, std::string pipeline)
    : schema_name_(schema),
      schema_(quote_identifier(schema)),
      table_(schema_ + ".offsets"),
      identity_(schema_ + ".identity"),
      pipeline_(std::move(pipeline)) {}

std::string OffsetsTable::definition() const {
    // Rows are updated with every batch: room in the page keeps those updates off the index.
    return fmt::format(
        "CREATE SCHEMA IF NOT EXISTS {0}; "
        "CREATE TABLE IF NOT EXISTS {1} (pipeline text NOT NULL, topic text NOT NULL, "
        "partition integer NOT NULL, topic_id uuid NOT NULL, next_offset bigint NOT NULL, "
        "leader_epoch integer, start text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now(), "
        "PRIMARY KEY (pipeline, topic, partition)) WITH (fillfactor = 50); "
        "CREATE TABLE IF NOT EXISTS {2} (one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row), "
        "id uuid NOT NULL, schema_version integer NOT NULL);",
        schema_, table_, identity_);
}

std::string OffsetsTable::identity_row() const {
    return fmt::format(
        "INSERT INTO {} (id, schema_version) VALUES ({}, {}) ON CONFLICT DO NOTHING;", identity_,
        quote_literal(uuid_random().to_string()), schema_version);
}

std::string OffsetsTable::grants(const std::string& role) const {
    return fmt::format(
        "GRANT USAGE ON SCHEMA {0} TO {3}; GRANT SELECT, INSERT, UPDATE, DELETE ON {1}, {2} TO "
        "{3};",
        schema_, table_, identity_, role);
}

std::string OffsetsTable::for_administrator(const std::string& role) const {
    return definition() + " " + identity_row() + " " + grants(role);
}

Outcome<bool> OffsetsTable::exist(Connection& connection, Deadline deadline) const {
    const std::array parameters{std::optional(schema_name_)};
    auto found = connection.query(
        "SELECT count(*) = 2 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname IN ('offsets', 'identity')",
        parameters, deadline);
    if (!found) {
        return tl::unexpected(std::move(found).error());
    }
    return found->boolean(0, 0);
}

Outcome<std::optional<Uuid>> OffsetsTable::find(Connection& connection, Deadline deadline) const {
    auto there = exist(connection, deadline);
    if (!there) {
        return tl::unexpected(std::move(there).error());
    }
    if (!*there) {
        return std::optional<Uuid>{};
    }
    auto found = last(connection.script("SELECT id, schema_version FROM " + identity_, deadline));
    if (!found) {
        return tl::unexpected(std::move(found).error());
    }
    if (found->size() == 0) {
        return std::optional<Uuid>{};
    }
    if (found->integer(0, 1) != schema_version) {
        return tl::unexpected(
            Failure{.error = {.action = Action::stop,
                              .op = std::string(op),
                              .where = {},
                              .code = {},
                              .detail = fmt::format("the tables in schema {} are of version {}, "
                                                    "this program knows {}",
                                                    schema_, found->text(0, 1), schema_version),
                              .hint = "use the version of sluice that made them, or a later one"},
                    .copy_line = {},
                    .column = {}});
    }
    return parse_uuid(found->text(0, 0));
}

Failure OffsetsTable::advise(Connection& connection, Failure failure, Deadline deadline) const {
    if (failure.error.code == "42501") {
        if (auto role = current_role(connection, deadline)) {
            failure.error.hint = "have this run by a role that may: " + for_administrator(*role);
        }
    }
    return failure;
}

// What exists is left alone: CREATE … IF NOT EXISTS asks for the privilege all the same.
Outcome<void> OffsetsTable::create(Connection& connection, Deadline deadline) const {
    auto there = exist(connection, deadline);
    if (!there) {
        return tl::unexpected(std::move(there).error());
    }
    // IF NOT EXISTS alone races with another process that does the same.
    return done(transact(connection, usual_lock_wait,
                         fmt::format("SELECT pg_advisory_xact_lock({}); {} {}", definition_lock,
                                     *there ? std::string{} : definition(), identity_row()),
                         deadline));
}

Outcome<Uuid> OffsetsTable::prepare(Connection& connection, Deadline deadline) const {
    auto id = find(connection, deadline);
    if (id && !*id) {
        if (auto created = create(connection, deadline); !created) {
            return tl::unexpected(advise(connection, std::move(created).error(), deadline));
        }
        id = find(connection, deadline);
    }
    if (!id) {
        return tl::unexpected(advise(connection, std::move(id).error(), deadline));
    }
    check(id->has_value(), "the identity row was just written");
    return **id;
}

Outcome<std::set<std::string>> OffsetsTable::topics(Connection& connection,
                                                    Deadline deadline) const {
    auto found = last(connection.script("SELECT DISTINCT topic FROM " + table_ +
                                            " WHERE pipeline = " + quote_literal(pipeline_),
                                        deadline));
    if (!found) {
        return tl::unexpected(std::move(found).error());
    }
    std::set<std::string> topics;
    for (std::size_t r = 0; r < found->size(); ++r) {
        topics.insert(found->text(r, 0));
    }
    return topics;
}

Outcome<std::vector<Position>> OffsetsTable::read(Connection& connection, const std::string& topic,
                                                  Deadline deadline) const {
    const std::array parameters{std::optional(pipeline_), std::optional(topic)};
    auto rows = connection.query("SELECT topic, partition, topic_id, next_offset, start FROM " +
                                     table_ +
                                     " WHERE pipeline = $1 AND topic = $2 ORDER BY partition",
                                 parameters, deadline);
    if (!rows) {
        return tl::unexpected(std::move(rows).error());
    }
    return to_positions(*rows);
}

Outcome<void> OffsetsTable::begin(Connection& connection, std::span<const Position> positions,
                                  Deadline deadline) const {
    if (positions.empty()) {
        return {};
    }
    std::string values;
    for (const auto& position : positions) {
        values.append(values.empty() ? "" : ", ");
        values.append(fmt::format("({}, {}, {}, {}::uuid, {}, {})", quote_literal(pipeline_),
                                  quote_literal(position.partition.topic),
                                  position.partition.partition.value(),
                                  quote_literal(position.topic_id.to_string()),
                                  position.next.value(), quote_literal(position.start)));
    }
    return done(transact(
        connection, usual_lock_wait,
        fmt::format("SELECT pg_advisory_xact_lock({}); "
                    "INSERT INTO {} (pipeline, topic, partition, topic_id, next_offset, start) "
                    "VALUES {} ON CONFLICT DO NOTHING",
                    definition_lock, table_, values),
        deadline));
}

std::string OffsetsTable::rows_of(const std::string& pipeline,
                                  std::span<const std::string> topics) {
    std::string names;
    for (const auto& topic : topics) {
        names += (names.empty() ? "" : ", ") + quote_literal(topic);
    }
    return "pipeline = " + quote_literal(pipeline) + " AND topic IN (" + names + ")";
}

Outcome<std::uint64_t> OffsetsTable::forget(Connection& connection,
                                            std::span<const std::string> topics,
                                            const std::string& also, Deadline deadline) const {
    // One that waits for a frozen owner's row must not be left behind: it would go on later.
    auto deleted = transact(
        connection, usual_lock_wait,
        fmt::format("{}DELETE FROM {} WHERE {}", also, table_, rows_of(pipeline_, topics)),
        deadline);
    if (!deleted) {
        return tl::unexpected(std::move(deleted).error());
    }
    return deleted->affected();
}

Outcome<OffsetsTable::Advanced> OffsetsTable::advance(Connection& connection,
                                                      std::span<const Advance> advances,
                                                      const std::string& then,
                                                      Deadline deadline) const {
    std::string values;
    for (const auto& [range, topic_id] : advances) {
        values.append(values.empty() ? "" : ", ");
        values.append(fmt::format("({}, {}, {}, {}, {}::uuid)",
                                  quote_literal(range.partition.topic),
                                  range.partition.partition.value(), range.from.value(),
                                  range.to.value(), quote_literal(topic_id.to_string())));
    }
    auto results = connection.script(
        fmt::format("{}UPDATE {} o SET next_offset = v.\"to\", updated_at = now() "
                    "FROM (VALUES {}) v (topic, partition, \"from\", \"to\", topic_id) "
                    "WHERE o.pipeline = {} AND o.topic = v.topic AND o.partition = v.partition "
                    "AND o.next_offset = v.\"from\" AND o.topic_id = v.topic_id; {}",
                    begin_transaction(connection, usual_lock_wait), table_, values,
                    quote_literal(pipeline_), then),
        deadline, "postgres.begin");
    if (!results) {
        return tl::unexpected(std::move(results).error());
    }
    const std::size_t begun = begin_statements(connection);
    check(results->size() > begun, "a script has a result for each statement");
    return Advanced{.matched = (*results)[begun].affected(), .then = std::move(results->back())};
}

Outcome<void> OffsetsTable::open(Connection& connection, Deadline deadline) const {
    return done(connection.script(begin_transaction(connection, usual_lock_wait), deadline, op));
}

std::string OffsetsTable::key_condition(std::span<const TopicPartition> partitions) const {
    std::string pairs;
    for (const auto& partition : partitions) {
        pairs.append(pairs.empty() ? "" : ", ");
        pairs.append(
            fmt::format("({}, {})", quote_literal(partition.topic), partition.partition.value()));
    }
    return fmt::format("pipeline = {} AND (topic, partition) IN ({})", quote_literal(pipeline_),
                       pairs);
}

Outcome<std::vector<Position>> OffsetsTable::lock(Connection& connection,
                                                  std::span<const TopicPartition> partitions,
                                                  std::chrono::milliseconds lock_wait,
                                                  Deadline deadline) const {
    auto rows = transact(connection, lock_wait,
                         fmt::format("SELECT topic, partition, topic_id, next_offset, start "
                                     "FROM {} WHERE {} ORDER BY topic, partition FOR UPDATE",
                                     table_, key_condition(partitions)),
                         deadline);
    if (!rows) {
        return tl::unexpected(std::move(rows).error());
    }
    return to_positions(*rows);
}

// A row's xmax is the transaction that has updated or locked it, and a running transaction holds
// a lock on its own number.
Outcome<std::optional<Holder>> OffsetsTable::holder(Connection& connection,
                                                    std::span<const TopicPartition> partitions,
                                                    End end, Deadline deadline) const {
    auto rows = transact(
        connection, holder_lock_wait,
        fmt::format(
            "SELECT pid, application_name, usename, ours, CASE WHEN ours AND ({} OR pid = {}) THEN "
            "pg_terminate_backend(pid) ELSE false END FROM ("
            "SELECT a.pid, a.application_name, a.usename, a.usename = session_user AND "
            "a.application_name = current_setting('application_name') AS ours "
            "FROM (SELECT xmax AS holder FROM {} WHERE {}) o JOIN pg_locks l "
            "ON l.locktype = 'transactionid' AND l.transactionid = o.holder AND l.granted "
            "JOIN pg_stat_activity a ON a.pid = l.pid "
            "WHERE a.pid <> pg_backend_pid() LIMIT 1) found",
            end.any, end.process, table_, key_condition(partitions)),
        deadline);
    if (!rows) {
        return tl::unexpected(std::move(rows).error());
    }
    if (rows->size() == 0) {
        return std::optional<Holder>{};
    }
    return std::optional(Holder{.process = rows->text(0, 0),
                                .application = rows->text(0, 1),
                                .role = rows->text(0, 2),
                                .ours = rows->boolean(0, 3),
                                .ended = rows->boolean(0, 4)});
}

}  // namespace sluice::postgres
