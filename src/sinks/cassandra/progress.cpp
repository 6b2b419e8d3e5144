#include "sinks/cassandra/progress.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <iterator>
#include <ranges>
#include <utility>

#include "base/check.hpp"
#include "sinks/cassandra/bridge.hpp"
#include "sinks/cassandra/encode.hpp"
#include "sinks/cassandra/schema.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t schema_version = 1;
constexpr std::int32_t mark_partition = -1;
constexpr auto save_wait = 10s;

std::string topic_condition(const std::string& pipeline, const std::string& topic) {
    return " WHERE pipeline = " + quote_text(pipeline) + " AND topic = " + quote_text(topic);
}

Error no_answer(std::string op) {
    return {.action = Action::retry,
            .op = std::move(op),
            .where = {},
            .code = "timeout",
            .detail = "no answer within the time that was left",
            .hint = {}};
}

Error with_definition(Error error, const std::string& definition) {
    if (error.action == Action::configure) {
        error.hint = "have this run by a role that may: " + definition;
    }
    return error;
}

}  // namespace

// Outlives the progress where a write does.
struct Progress::Background {
    std::atomic<bool> under_way{false};
};

// All positions of a topic are one batch into one partition of Cassandra: all are stored or none,
// and the server's batch_size_fail_threshold counts only batches over several partitions. A row
// has some 150 bytes, so that the 16 MiB of a message hold all partitions that a topic may have.
struct Progress::Write final : WriteListener {
    explicit Write(std::function<void(WriteOutcome)> ended) : ended_(std::move(ended)) {}
    void done(WriteOutcome outcome) noexcept override { ended_(std::move(outcome)); }

    std::string cells;
    std::vector<SlcRow> rows;

private:
    std::function<void(WriteOutcome)> ended_;
};

Progress::Progress(std::string pipeline, std::string keyspace)
    : pipeline_(std::move(pipeline)),
      keyspace_(std::move(keyspace)),
      table_(quote_identifier(keyspace_) + "." + std::string(progress_table)),
      identity_(quote_identifier(keyspace_) + "." + std::string(identity_table)),
      background_(std::make_shared<Background>()) {}

std::vector<std::string> Progress::definitions() const {
    return {"CREATE TABLE IF NOT EXISTS " + table_ +
                " (pipeline text, topic text, partition int, next_offset bigint, clock bigint, "
                "topic_id uuid, start text, PRIMARY KEY ((pipeline, topic), partition))",
            "CREATE TABLE IF NOT EXISTS " + identity_ +
                " (only text PRIMARY KEY, id uuid, schema_version int)"};
}

Result<std::vector<std::string>> Progress::missing(Session& session, Deadline deadline) const {
    const auto all = definitions();
    std::vector<std::string> out;
    const std::array names{progress_table, identity_table};
    for (std::size_t i = 0; i < names.size(); ++i) {
        const TableName name{keyspace_, std::string(names[i])};
        SLUICE_ASSIGN(const auto table, read_table(session, name, deadline));
        if (!table) {
            out.push_back(all[i]);
        }
    }
    return out;
}

Result<Uuid> Progress::open(Session& session, Deadline deadline) {
    SLUICE_ASSIGN(const auto definitions, missing(session, deadline));
    for (const auto& definition : definitions) {
        if (auto created = session.query(definition, deadline); !created) {
            return fail(with_definition(std::move(created).error(), definition));
        }
    }
    SLUICE_ASSIGN(auto insert,
                  session.prepare("INSERT INTO " + table_ +
                                      " (pipeline, topic, partition, next_offset, clock, topic_id, "
                                      "start) VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
                                  deadline));
    insert_.emplace(std::move(insert));
    return read_identity(session, deadline);
}

// Of processes that come first at once one wins, by a conditional insert.
Result<Uuid> Progress::read_identity(Session& session, Deadline deadline) const {
    const std::string select = "SELECT id, schema_version FROM " + identity_ +
                               " WHERE only = 'only'";
    SLUICE_ASSIGN(Rows rows, session.query(select, deadline));
    if (rows.size() == 0) {
        SLUICE_ASSIGN(rows, session.query("INSERT INTO " + identity_ +
                                              " (only, id, schema_version) VALUES ('only', " +
                                              uuid_random().to_string() + ", " +
                                              std::to_string(schema_version) + ") IF NOT EXISTS",
                                          deadline));
        SLUICE_ASSIGN(rows, session.query(select, deadline));
    }
    if (rows.size() == 0) {
        return fail({.action = Action::retry,
                     .op = "cassandra.identity",
                     .where = {},
                     .code = {},
                     .detail = "table " + identity_ + " is empty after a row was written to it",
                     .hint = "a replica may lag behind; tried again"});
    }
    if (rows.integer(0, 1) != schema_version) {
        return fail({.action = Action::stop,
                     .op = "cassandra.identity",
                     .where = {},
                     .code = {},
                     .detail = "the tables sluice_progress and sluice_identity are of version " +
                               std::to_string(rows.integer(0, 1)) + ", this program knows " +
                               std::to_string(schema_version),
                     .hint = "use the version of sluice that made them, or a later one"});
    }
    return rows.uuid(0, 0);
}

Result<Progress::Stored> Progress::read(Session& session, const std::string& topic,
                                        Deadline deadline) {
    SLUICE_ASSIGN(const Rows rows,
                  session.query("SELECT partition, next_offset, clock, topic_id, start FROM " +
                                    table_ + topic_condition(pipeline_, topic),
                                deadline));
    Stored stored;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const auto partition = static_cast<std::int32_t>(rows.integer(r, 0));
        if (partition == mark_partition) {
            stored.mark = ClockMicros{rows.integer(r, 2)};
            continue;
        }
        std::optional<ClockMicros> clock;
        if (!rows.is_null(r, 2)) {
            clock = ClockMicros{rows.integer(r, 2)};
        }
        stored.positions.push_back({.partition = {topic, PartitionId{partition}},
                                    .topic_id = rows.uuid(r, 3),
                                    .next = Offset{rows.integer(r, 1)},
                                    .clock = clock,
                                    .start = rows.text(r, 4)});
    }
    return stored;
}

Result<std::vector<Position>> Progress::stored(Session& session, const std::string& topic,
                                               Deadline deadline) {
    SLUICE_ASSIGN(auto stored, read(session, topic, deadline));
    return std::move(stored.positions);
}

Result<ClockMicros> Progress::first_clock(Session& session, const std::string& topic,
                                          Deadline deadline) {
    SLUICE_ASSIGN(const auto stored, read(session, topic, deadline));
    return stored.mark.value_or(ClockMicros{0});
}

Result<bool> Progress::knows(Session& session, const std::string& topic, Deadline deadline) {
    SLUICE_ASSIGN(const auto stored, read(session, topic, deadline));
    return stored.mark.has_value() || !stored.positions.empty();
}

void Progress::append(const Position& position, std::string& cells) const {
    append_bytes(cells, pipeline_);
    append_bytes(cells, position.partition.topic);
    append_number(cells, position.partition.partition.value());
    append_number(cells, position.next.value());
    if (position.clock) {
        append_number(cells, position.clock->value());
    } else {
        append_length(cells, length_null);
    }
    append_bytes(cells, {reinterpret_cast<const char*>(position.topic_id.bytes.data()),
                         position.topic_id.bytes.size()});
    append_bytes(cells, position.start);
    append_number(cells, position.clock ? position.clock->value() : position.next.value());
}

void Progress::append(std::span<const Position> of_topic, Write& write) const {
    const std::uint32_t group = write.rows.empty() ? 0 : write.rows.back().group + 1;
    for (const auto& position : of_topic) {
        const std::size_t begin = write.cells.size();
        append(position, write.cells);
        write.rows.push_back({.statement = 0,
                              .group = group,
                              .cells_offset = begin,
                              .cells_size = write.cells.size() - begin});
    }
}

Result<void> Progress::send(Session& session, std::unique_ptr<Write> write,
                            std::chrono::milliseconds timeout) {
    const std::array statement{insert_->get()};
    const WriteRequest request{.statements = statement,
                               .cells = write->cells,
                               .rows = write->rows.data(),
                               .rows_size = write->rows.size(),
                               .in_flight_max = 0,
                               .timeout = timeout};
    return session.write(request, std::move(write));
}

Result<void> Progress::begin(Session& session, std::span<const Position> positions,
                             Deadline deadline) {
    std::map<std::string, std::vector<Position>> topics;
    for (const auto& position : positions) {
        topics[position.partition.topic].push_back(position);
    }
    const auto outcome = std::make_shared<std::promise<WriteOutcome>>();
    auto write = std::make_unique<Write>(
        [outcome](WriteOutcome what) { outcome->set_value(std::move(what)); });
    for (auto& [topic, begun] : topics) {
        SLUICE_ASSIGN(const auto there, read(session, topic, deadline));
        std::erase_if(begun, [&](const Position& position) {
            return std::ranges::find(there.positions, position.partition, &Position::partition) !=
                   there.positions.end();
        });
        append(begun, *write);
    }
    if (write->rows.empty()) {
        return {};
    }
    auto answer = outcome->get_future();
    // The driver takes no time as its default.
    SLUICE_TRY(send(session, std::move(write), std::max(deadline.left(), 1ms)));
    if (answer.wait_for(deadline.left()) != std::future_status::ready) {
        return fail(no_answer("cassandra.begin"));
    }
    WriteOutcome what = answer.get();
    if (!what.failures.empty()) {
        return fail(std::move(what.errors[what.failures.front().error]));
    }
    return {};
}

void Progress::save(Session& session, std::span<const Position> positions) {
    for (const auto& position : positions) {
        unsaved_[position.partition.topic].insert_or_assign(position.partition.partition, position);
    }
    if (unsaved_.empty() || background_->under_way.exchange(true)) {
        return;
    }
    auto write = std::make_unique<Write>(
        [background = background_](const WriteOutcome&) { background->under_way = false; });
    for (const auto& [topic, saved] : unsaved_) {
        std::vector<Position> of_topic;
        std::ranges::copy(std::views::values(saved), std::back_inserter(of_topic));
        append(of_topic, *write);
    }
    unsaved_.clear();
    if (!send(session, std::move(write), save_wait)) {
        background_->under_way = false;  // The session is being closed.
    }
}

Result<std::size_t> Progress::forget(Session& session, const std::string& topic,
                                     Deadline deadline) {
    const std::string condition = topic_condition(pipeline_, topic);
    SLUICE_ASSIGN(const Rows rows, session.query("SELECT partition, WRITETIME(next_offset) FROM " +
                                                     table_ + condition,
                                                 deadline));
    std::size_t partitions = 0;
    std::int64_t newest = 0;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        partitions += rows.integer(r, 0) != mark_partition ? 1 : 0;
        newest = std::max(newest, rows.integer(r, 1));
    }
    // A delete wins over what is as old as it, so the mark and all later saves are newer. Both are
    // one write: after a delete alone the next reset would find nothing to be newer than.
    const auto mark = std::to_string(newest + 1);
    SLUICE_TRY(session.query(
        "BEGIN UNLOGGED BATCH INSERT INTO " + table_ +
            " (pipeline, topic, partition, next_offset, clock) VALUES (" + quote_text(pipeline_) +
            ", " + quote_text(topic) + ", " + std::to_string(mark_partition) + ", -1, " + mark +
            ") USING TIMESTAMP " + mark + "; DELETE FROM " + table_ + " USING TIMESTAMP " +
            std::to_string(newest) + condition + "; APPLY BATCH",
        deadline));
    return partitions;
}

}  // namespace sluice::cassandra
