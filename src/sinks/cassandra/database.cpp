#include "sinks/cassandra/database.hpp"

#include <algorithm>

#include "sinks/events.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::chrono_literals;

// Measured (see README.md): more under way only lengthens the server's queues. Of a chunk so many
// requests, and of those that are batches so many rows.
constexpr std::size_t requests_sending_max = 256;
constexpr std::size_t rows_sending_max = 1024;
// Above the server's own write_request_timeout of 2 s, so that its answer comes first.
constexpr auto write_wait = 10s;

Result<void> create_keyspace(Session& session, const DestinationOptions& options, const Logger& log,
                             Deadline deadline) {
    SLUICE_ASSIGN(const bool exists, has_keyspace(session, options.keyspace, deadline));
    if (exists) {
        return {};
    }
    const auto definition = keyspace_definition(options.keyspace, options.local_dc,
                                                session.nodes());
    if (auto created = session.query(definition, deadline); !created) {
        Error error = std::move(created).error();
        if (error.action == Action::configure) {
            error.hint = "have this run by a role that may: " + definition;
        }
        return fail(std::move(error));
    }
    log->info("created the keyspace, which was missing: {}", definition);
    return {};
}

TableName name_of(const Target& target, const Place& place) {
    return split_name(table_of(target), place.keyspace);
}

std::string quoted(const TableName& name) {
    return quote_identifier(name.keyspace) + "." + quote_identifier(name.table);
}

bool same_binds(const TablePlan& before, const TablePlan& now) {
    return before.binds == now.binds && before.remove == now.remove;
}

std::string difference(const TablePlan& before, const TablePlan& now) {
    for (const auto& bind : before.binds) {
        const auto found = std::ranges::find(now.binds, bind.column.name,
                                             [](const Bind& other) { return other.column.name; });
        if (found == now.binds.end()) {
            return "column '" + bind.column.name + "' is gone";
        }
        if (found->column.type_name != bind.column.type_name) {
            return "column '" + bind.column.name + "' is " + found->column.type_name +
                   " now, and was " + bind.column.type_name;
        }
    }
    return "the primary key is another one";
}

Error changed_table(const TablePlan& plan, const TablePlan& now) {
    return {.action = Action::configure,
            .op = "cassandra.table",
            .where = {},
            .code = {},
            .detail = "table '" + plan.name +
                      "' is no longer what it was when this lane started: " + difference(plan, now),
            .hint = "restart sluice to take the new table up, or undo the change"};
}

bool feeds(const Route& route, const std::string& topic) {
    return std::ranges::find(route.topics, topic) != route.topics.end();
}

}  // namespace

Database::Database(const DestinationOptions& options, Session session)
    : place_{options.keyspace, options.username},
      session_(std::move(session)),
      progress_(options.pipeline, options.keyspace) {}

// Of routes whose tables Sluice makes.
Result<std::set<std::string>> Database::begun_topics(std::span<const Route> routes,
                                                     Deadline deadline) {
    std::set<std::string> begun;
    for (const auto& route : routes) {
        const bool makes = std::ranges::any_of(route.targets, [](const Target& target) {
            return target.table.empty() || target.create;
        });
        for (const auto& topic : makes ? route.topics : std::vector<std::string>{}) {
            SLUICE_ASSIGN(const auto positions, progress_.stored(session_, topic, deadline));
            if (!positions.empty()) {
                begun.insert(topic);
            }
        }
    }
    return begun;
}

Result<std::unique_ptr<Database>> Database::open(const DestinationOptions& options,
                                                 std::span<const Route> routes, const Logger& log,
                                                 Deadline deadline) {
    SLUICE_ASSIGN(auto session, Session::connect(connect_options(options), deadline));
    SLUICE_TRY(create_keyspace(session, options, log, deadline));
    std::unique_ptr<Database> database(new Database(options, std::move(session)));
    SLUICE_ASSIGN(database->id_, database->progress_.open(database->session_, deadline));
    SLUICE_ASSIGN(auto begun, database->begun_topics(routes, deadline));
    SLUICE_ASSIGN(
        auto resolved,
        resolve(database->session_, database->place_, routes,
                {.begun = std::move(begun), .create = true, .find_shape = options.find_shape},
                deadline));
    for (const auto& definition : resolved.created) {
        log->info("created the table, which was missing: {}", definition);
    }
    if (!resolved.problems.empty()) {
        return fail(all_problems(resolved.problems));
    }
    database->routes_ = std::move(resolved.routes);
    database->plans_ = std::move(resolved.plans);
    for (const auto& plans : database->plans_) {
        auto& numbers = database->numbers_.emplace_back();
        for (const auto& plan : plans) {
            numbers.push_back(database->number(plan));
        }
    }
    for (std::uint32_t r = 0; r < database->routes_.size(); ++r) {
        SLUICE_TRY(database->prepare(r, deadline));
    }
    return database;
}

std::uint32_t Database::number(const TablePlan& plan) {
    const auto name = split_name(plan.name, place_.keyspace);
    table_names_.push_back(name.keyspace + "." + name.table);
    statements_.resize(table_names_.size() * 2);
    pointers_.resize(table_names_.size() * 2);
    return static_cast<std::uint32_t>(table_names_.size() - 1);
}

Result<void> Database::prepare(std::uint32_t route, Deadline deadline) {
    for (std::uint32_t t = 0; t < plans_[route].size(); ++t) {
        SLUICE_TRY(prepare(table(route, t), plans_[route][t], deadline));
    }
    for (const auto& former : former_) {
        if (former.route == route) {
            SLUICE_TRY(prepare(former.number, former.plan, deadline));
        }
    }
    return {};
}

Result<void> Database::prepare(std::uint32_t number, const TablePlan& plan, Deadline deadline) {
    const std::uint32_t put = statement(number, RowOp::put);
    const std::uint32_t del = statement(number, RowOp::del);
    // Both or none: a failure must leave no pointer at another statement than its own.
    SLUICE_ASSIGN(auto insert, session_.prepare(plan.insert, deadline));
    std::optional<Statement> remove;
    if (!plan.remove.empty()) {
        SLUICE_ASSIGN(remove, session_.prepare(plan.remove, deadline));
    }
    // The bridge takes no null pointers; nothing deletes from a table without upserts.
    pointers_[put] = insert.get();
    pointers_[del] = remove ? remove->get() : insert.get();
    statements_[put].emplace(std::move(insert));
    statements_[del] = std::move(remove);
    return {};
}

Result<void> Database::add_columns(std::uint32_t route, std::uint32_t target,
                                   const Route& configured, std::span<const ColumnShape> columns,
                                   Deadline deadline) {
    SLUICE_ASSIGN(auto extended,
                  extend_table(session_, place_, configured, target, columns, deadline));
    // Prepared under a number of its own first: a failure leaves everything as it was.
    const std::uint32_t before = table(route, target);
    const std::uint32_t now = number(extended.plan);
    pointers_[statement(now, RowOp::put)] = pointers_[statement(before, RowOp::put)];
    pointers_[statement(now, RowOp::del)] = pointers_[statement(before, RowOp::del)];
    SLUICE_TRY(prepare(now, extended.plan, deadline));
    former_.push_back({route, before, std::move(plans_[route][target])});
    plans_[route][target] = std::move(extended.plan);
    numbers_[route][target] = now;
    routes_[route].targets[target] = std::move(extended.target);
    return {};
}

Result<void> Database::refresh(std::uint32_t route, Deadline deadline) {
    SLUICE_ASSIGN(const auto plans, resolve_again(session_, place_, routes_[route], deadline));
    for (std::size_t t = 0; t < plans.size(); ++t) {
        if (!same_binds(plans_[route][t], plans[t])) {
            return fail(changed_table(plans_[route][t], plans[t]));
        }
    }
    return prepare(route, deadline);
}

Result<void> Database::write(const Chunk& chunk, std::unique_ptr<WriteListener> listener) {
    const std::size_t rows = requests_sending_max * chunk.wire().size() / chunk.requests();
    return session_.write(
        {.statements = pointers_,
         .cells = chunk.cells(),
         .rows = chunk.wire().data(),
         .rows_size = chunk.wire().size(),
         .in_flight_max = static_cast<std::uint32_t>(std::min(rows, rows_sending_max)),
         .timeout = write_wait},
        std::move(listener));
}

void Database::name_tables(const Chunk& chunk, WriteOutcome& outcome) const {
    for (const auto& failure : outcome.failures) {
        Error& error = outcome.errors[failure.error];
        if (error.action == Action::configure && error.where.empty()) {
            error.where = table_of(chunk.statement_of(chunk.row_at(failure.row)));
        }
    }
}

Result<void> Database::check_afresh(std::span<const Position> positions, Deadline deadline) {
    std::vector<std::string> topics;
    for (const auto& position : positions) {
        if (std::ranges::find(topics, position.partition.topic) == topics.end()) {
            topics.push_back(position.partition.topic);
        }
    }
    for (const auto& topic : topics) {
        SLUICE_ASSIGN(bool known, progress_.knows(session_, topic, deadline));
        for (std::size_t r = 0; !known && r < routes_.size(); ++r) {
            for (std::size_t t = 0; !known && feeds(routes_[r], topic) && t < plans_[r].size();
                 ++t) {
                if (routes_[r].targets[t].dead_letters) {
                    continue;  // Nothing is lost where another pipeline's stand there too.
                }
                const auto table = name_of(routes_[r].targets[t], place_);
                SLUICE_ASSIGN(const bool rows,
                              has_rows_of(plans_[r][t], table, positions, topic, deadline));
                if (!rows) {
                    continue;
                }
                // Whoever has begun meanwhile stored the progress before the first row.
                SLUICE_ASSIGN(known, progress_.knows(session_, topic, deadline));
                if (!known) {
                    return fail({.action = Action::stop,
                                 .op = "cassandra.begin",
                                 .where = {},
                                 .code = {},
                                 .detail = "table '" + table.keyspace + "." + table.table +
                                           "' has rows, but there is no progress on topic '" +
                                           topic + "' that accounts for them",
                                 .hint = "if the pipeline was renamed, use its old name; "
                                         "`sluice reset --lane cassandra` says that this is "
                                         "intended, or empty the table"});
                }
            }
        }
    }
    return {};
}

// In a zero-config table only the topic's own rows matter, and they are where it begins.
Result<bool> Database::has_rows_of(const TablePlan& plan, const TableName& table,
                                   std::span<const Position> positions, const std::string& topic,
                                   Deadline deadline) {
    const bool buckets = std::ranges::find(plan.binds, Fill::bucket, &Bind::fill) !=
                         plan.binds.end();
    const std::string& key = plan.binds.front().column.name;
    if (!buckets) {
        SLUICE_ASSIGN(const bool accounted, accounted_for(topic, table, deadline));
        if (accounted) {
            return false;
        }
        return has_rows(session_, quoted(table), key, {}, deadline);
    }
    for (const auto& position : positions) {
        if (position.partition.topic != topic) {
            continue;
        }
        const auto condition =
            "WHERE kafka_topic = " + quote_text(topic) +
            " AND kafka_partition = " + std::to_string(position.partition.partition.value()) +
            " AND bucket = " + std::to_string(position.next.value() / bucket_offsets);
        SLUICE_ASSIGN(const bool rows, has_rows(session_, quoted(table), key, condition, deadline));
        if (rows) {
            return true;
        }
    }
    return false;
}

// Another topic of this pipeline feeds the table, and has progress.
Result<bool> Database::accounted_for(const std::string& topic, const TableName& table,
                                     Deadline deadline) {
    for (const auto& route : routes_) {
        const bool same = std::ranges::any_of(route.targets, [&](const Target& target) {
            return quoted(name_of(target, place_)) == quoted(table);
        });
        for (const auto& other : route.topics) {
            if (same && other != topic) {
                SLUICE_ASSIGN(const bool known, progress_.knows(session_, other, deadline));
                if (known) {
                    return true;
                }
            }
        }
    }
    return false;
}

// Declared in destination.hpp: what needs a database but no lane.

ConnectOptions connect_options(const DestinationOptions& options) {
    return {.hosts = options.hosts,
            .local_dc = options.local_dc,
            .consistency = options.consistency,
            .username = options.username,
            .password = options.password,
            .application_name = "sluice:" + options.pipeline};
}

Result<std::size_t> forget_progress(const DestinationOptions& options,
                                    std::span<const std::string> topics, Deadline deadline) {
    SLUICE_ASSIGN(auto session, Session::connect(connect_options(options), deadline));
    Progress progress(options.pipeline, options.keyspace);
    SLUICE_ASSIGN(const bool keyspace, has_keyspace(session, options.keyspace, deadline));
    std::size_t forgotten = 0;
    if (keyspace) {
        SLUICE_TRY(progress.open(session, deadline));
        for (const auto& topic : topics) {
            SLUICE_ASSIGN(const auto partitions, progress.forget(session, topic, deadline));
            forgotten += partitions;
        }
    }
    session.close(deadline);
    return forgotten;
}

}  // namespace sluice::cassandra
