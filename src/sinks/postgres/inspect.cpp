#include "sinks/postgres/inspect.hpp"

#include <array>

#include "sinks/postgres/offsets.hpp"

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
    auto id = offsets.find(connection, deadline);
    if (!id) {
        return tl::unexpected(std::move(id).error());
    }
    if (*id) {
        const auto table = quote_identifier(options.schema) + ".offsets";
        auto allowed = ask(connection,
                           "SELECT has_table_privilege($1, 'SELECT') AND has_table_privilege($1, "
                           "'INSERT') AND has_table_privilege($1, 'UPDATE')",
                           table, deadline);
        if (!allowed) {
            return tl::unexpected(std::move(allowed).error());
        }
        if (!*allowed) {
            out.problems.push_back(
                lacks("the role lacks SELECT, INSERT or UPDATE on " + table,
                      "GRANT SELECT, INSERT, UPDATE, DELETE ON " + table + " TO …"));
        }
        return {};
    }
    auto allowed = ask(connection,
                       "SELECT CASE WHEN to_regnamespace(quote_ident($1)) IS NULL "
                       "THEN has_database_privilege(current_database(), 'CREATE') "
                       "ELSE has_schema_privilege(quote_ident($1), 'CREATE') END",
                       options.schema, deadline);
    if (!allowed) {
        return tl::unexpected(std::move(allowed).error());
    }
    if (*allowed) {
        out.notes.push_back("run will create the schema " + options.schema +
                            " with the tables offsets and identity");
    } else {
        out.problems.push_back(lacks("the tables for offsets are missing, and the role may not "
                                     "create them",
                                     offsets.definition()));
    }
    return {};
}

Outcome<void> inspect_tables(Connection& connection, const DestinationOptions& options,
                             std::span<const Route> routes, Inspection& out, Deadline deadline) {
    auto resolved = resolve(connection, routes, options.schema, false, deadline);
    if (!resolved) {
        return tl::unexpected(std::move(resolved).error());
    }
    out.target_problems = std::move(resolved->problems);
    if (resolved->missing.empty()) {
        return {};
    }
    auto allowed = connection.script(
        "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)", deadline);
    if (!allowed) {
        return tl::unexpected(std::move(allowed).error());
    }
    for (const auto& definition : resolved->missing) {
        if (allowed->back().boolean(0, 0)) {
            out.notes.push_back("run will create: " + definition);
        } else {
            out.problems.push_back(
                lacks("table 'events' is missing, and the role may not create it", definition));
        }
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
    if (auto done = inspect_tables(*connection, options, routes, out, deadline); !done) {
        return fail(std::move(done).error().error);
    }
    return out;
}

}  // namespace sluice::postgres
