#include "sinks/cassandra/inspect.hpp"

#include <initializer_list>

#include "sinks/cassandra/progress.hpp"
#include "sinks/cassandra/resolve.hpp"
#include "sinks/cassandra/rows.hpp"

namespace sluice::cassandra {
namespace {

// Whether `username` may create what is missing; see may_create() for who is not asked.
Result<void> inspect_missing(Session& session, const DestinationOptions& options,
                             const std::vector<std::string>& definitions, bool keyspace_exists,
                             Inspection& out, Deadline deadline) {
    if (definitions.empty()) {
        return {};
    }
    const auto keyspace = keyspace_exists ? std::optional<std::string_view>(options.keyspace)
                                          : std::nullopt;
    bool allowed = true;
    if (options.username) {
        SLUICE_ASSIGN(allowed, may_create(session, keyspace, *options.username, deadline));
    }
    for (const auto& definition : definitions) {
        if (allowed) {
            out.notes.push_back("run will create: " + definition);
            continue;
        }
        out.problems.push_back(
            {.action = Action::configure,
             .op = "cassandra.privileges",
             .where = {},
             .code = "0x2100",
             .detail = "role '" + *options.username + "' may not create what is missing",
             .hint = "have this run by a role that may: " + definition});
    }
    return {};
}

// What the lane does with its own tables.
Result<void> inspect_own(Session& session, const DestinationOptions& options, Inspection& out,
                         Deadline deadline) {
    for (const auto name : {progress_table, identity_table}) {
        const TableName full{options.keyspace, std::string(name)};
        SLUICE_ASSIGN(const auto table, read_table(session, full, deadline));
        for (const auto permission : {"SELECT", "MODIFY"}) {
            if (!table || !options.username) {
                continue;
            }
            SLUICE_ASSIGN(const bool allowed,
                          may_use(session, permission, *table, *options.username, deadline));
            if (!allowed) {
                out.problems.push_back(lacks_permission(permission, *table, *options.username));
            }
        }
    }
    return {};
}

class CassandraRehearsal final : public Rehearsal {
public:
    explicit CassandraRehearsal(Resolved resolved) : resolved_(std::move(resolved)) {}
    [[nodiscard]] std::span<const Route> routes() const override { return resolved_.routes; }
    [[nodiscard]] bool knows(std::uint32_t route) const override {
        return resolved_.plans[route].size() == resolved_.routes[route].targets.size();
    }
    Result<void> encode(std::uint32_t route, const Record& record, const Row& row) override {
        std::string cells;
        const ClockMicros clock{record.timestamp_ms.value_or(0) * 1000};
        SLUICE_TRY(append_row(resolved_.plans[route][row.target], record, clock, row, cells));
        return {};
    }

private:
    Resolved resolved_;
};

}  // namespace

Result<Inspection> inspect(const DestinationOptions& options, std::span<const Route> routes,
                           Deadline deadline) {
    SLUICE_ASSIGN(auto session, Session::connect(connect_options(options), deadline));
    Inspection out;
    SLUICE_ASSIGN(const bool keyspace, has_keyspace(session, options.keyspace, deadline));
    std::vector<std::string> missing;
    if (!keyspace) {
        missing.push_back(keyspace_definition(options.keyspace, options.local_dc, session.nodes()));
    }
    const Progress progress(options.pipeline, options.keyspace);
    SLUICE_ASSIGN(const auto tables, progress.missing(session, deadline));
    missing.insert(missing.end(), tables.begin(), tables.end());
    SLUICE_ASSIGN(auto resolved,
                  resolve(session, {options.keyspace, options.username}, routes,
                          {.begun = {}, .create = false, .find_shape = options.find_shape},
                          deadline));
    missing.insert(missing.end(), resolved.missing.begin(), resolved.missing.end());
    SLUICE_TRY(inspect_missing(session, options, missing, keyspace, out, deadline));
    SLUICE_TRY(inspect_own(session, options, out, deadline));
    out.target_problems = std::move(resolved.problems);
    if (out.target_problems.empty()) {
        out.rehearsal = std::make_unique<CassandraRehearsal>(std::move(resolved));
    }
    session.close(deadline);
    return out;
}

}  // namespace sluice::cassandra
