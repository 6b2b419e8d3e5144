#include "sinks/postgres/inspect.hpp"

#include <array>
#include <set>

#include "sinks/postgres/catalog.hpp"
#include "sinks/postgres/offsets.hpp"
#include "sinks/postgres/resolve.hpp"
#include "sinks/postgres/rows.hpp"

namespace sluice::postgres {
namespace {

Error lacks(std::string what, std::string definition) {
    return {.action = Action::configure,
            .op = "postgres.privileges",
            .where = {},
            .code = "42501",
            .detail = std::move(what),
            .hint = "have this run by a role that may: " + std::move(definition)};
}

Outcome<bool> ask(Connection& connection, const std::string& sql, const std::string& parameter,
                  Deadline deadline) {
    const std::array parameters{std::optional(parameter)};
    auto answer = connection.query(sql, parameters, deadline);
    if (!answer) {
        return tl::unexpected(std::move(answer).error());
    }
    return answer->size() == 1 && !answer->is_null(0, 0) && answer->boolean(0, 0);
}

Outcome<void> inspect_offsets(Connection& connection, const OffsetsTable& offsets,
                              const DestinationOptions& options, Inspection& out,
                              Deadline deadline) {
    auto role = current_role(connection, deadline);
    if (!role) {
        return tl::unexpected(std::move(role).error());
    }
    auto id = offsets.find(connection, deadline);
    if (!id && id.error().error.code != "42501") {
        return tl::unexpected(std::move(id).error());
    }
    auto allowed = ask(connection,
                       id && !*id ? "SELECT CASE WHEN to_regnamespace(quote_ident($1)) IS NULL "
                                    "THEN has_database_privilege(current_database(), 'CREATE') "
                                    "ELSE has_schema_privilege(quote_ident($1), 'CREATE') END"
                                  : "SELECT has_schema_privilege(n.oid, 'USAGE') AND "
                                    "has_table_privilege(c.oid, 'SELECT') AND "
                                    "has_table_privilege(c.oid, 'INSERT') AND "
                                    "has_table_privilege(c.oid, 'UPDATE') "
                                    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                                    "WHERE n.nspname = $1 AND c.relname = 'offsets'",
                       options.schema, deadline);
    if (!allowed) {
        return tl::unexpected(std::move(allowed).error());
    }
    const bool missing = id && !*id;
    if (missing && *allowed) {
        out.notes.push_back("run will create the schema " + options.schema +
                            " with the tables offsets and identity");
    } else if (missing) {
        out.problems.push_back(lacks("the tables for offsets are missing, and the role may not "
                                     "create them",
                                     offsets.for_administrator(*role)));
    } else if (!id || !*allowed) {
        out.problems.push_back(lacks("the role lacks SELECT, INSERT or UPDATE on the tables for "
                                     "offsets, or USAGE on their schema, " +
                                         options.schema,
                                     offsets.grants(*role)));
    }
    return {};
}

// Topics with progress; none where the tables are missing, or may not be read, which is said.
Outcome<std::set<std::string>> begun_topics(Connection& connection, const OffsetsTable& offsets,
                                            Deadline deadline) {
    const auto id = offsets.find(connection, deadline);
    if (!id || !*id) {
        return std::set<std::string>{};
    }
    auto topics = offsets.topics(connection, deadline);
    if (!topics && topics.error().error.code == "42501") {
        return std::set<std::string>{};
    }
    return topics;
}

class PostgresRehearsal final : public Rehearsal {
public:
    explicit PostgresRehearsal(Resolved resolved) : resolved_(std::move(resolved)) {}
    [[nodiscard]] std::span<const Route> routes() const override { return resolved_.routes; }
    [[nodiscard]] bool knows(std::uint32_t route) const override {
        return resolved_.plans[route].size() == resolved_.routes[route].targets.size();
    }
    Result<void> encode(std::uint32_t route, const Record& record, const Row& row) override {
        TableRows rows;
        return append_row(resolved_.plans[route][row.target], record, row, rows);
    }

private:
    Resolved resolved_;
};

Outcome<void> inspect_tables(Connection& connection, const OffsetsTable& offsets,
                             const DestinationOptions& options, std::span<const Route> routes,
                             Inspection& out, Deadline deadline) {
    auto begun = begun_topics(connection, offsets, deadline);
    if (!begun) {
        return tl::unexpected(std::move(begun).error());
    }
    auto resolved = resolve(connection, routes,
                            {.own_schema = options.schema,
                             .begun = std::move(*begun),
                             .create = false,
                             .find_shape = options.find_shape},
                            deadline);
    if (!resolved) {
        return tl::unexpected(std::move(resolved).error());
    }
    out.target_problems = std::move(resolved->problems);
    auto role = current_role(connection, deadline);
    if (!role) {
        return tl::unexpected(std::move(role).error());
    }
    for (const auto& table : resolved->missing) {
        auto allowed = ask(connection,
                           "SELECT has_schema_privilege(oid, 'USAGE') AND "
                           "has_schema_privilege(oid, 'CREATE') FROM pg_namespace "
                           "WHERE nspname = $1",
                           table.name.schema, deadline);
        if (!allowed) {
            return tl::unexpected(std::move(allowed).error());
        }
        if (*allowed) {
            out.notes.push_back("run will create: " + table.definition);
        } else {
            out.problems.push_back(
                lacks("table '" + table.name.table + "' is missing, and the role may not create it",
                      table.definition + "; " + grants_on(table.name, *role)));
        }
    }
    if (out.target_problems.empty()) {
        out.rehearsal = std::make_unique<PostgresRehearsal>(*std::move(resolved));
    }
    return {};
}

}  // namespace

Result<Inspection> inspect(const DestinationOptions& options, std::span<const Route> routes,
                           Deadline deadline) {
    auto connection = Connection::open(connect_options(options, nullptr), deadline);
    if (!connection) {
        return fail(std::move(connection).error().error);
    }
    Inspection out;
    const OffsetsTable offsets(options.schema, options.pipeline);
    if (auto done = inspect_offsets(*connection, offsets, options, out, deadline); !done) {
        return fail(std::move(done).error().error);
    }
    if (auto done = inspect_tables(*connection, offsets, options, routes, out, deadline); !done) {
        return fail(std::move(done).error().error);
    }
    return out;
}

}  // namespace sluice::postgres
