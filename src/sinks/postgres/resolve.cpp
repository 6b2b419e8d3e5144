#include "sinks/postgres/resolve.hpp"

#include <spdlog/fmt/fmt.h>

#include <array>

namespace sluice::postgres {
namespace {

std::string_view data_type(Format format, std::string_view json) {
    switch (format) {
        case Format::json:
            return json;
        case Format::string:
            return "text";
        case Format::bytes:
            return "bytea";
    }
    return "bytea";
}

// The first schema of the search path but our own. A role that is called like our schema would
// otherwise have its tables made there, by way of "$user".
Outcome<std::string> schema_for_events(Connection& connection, const std::string& own_schema,
                                       Deadline deadline) {
    const std::array parameters{std::optional(own_schema)};
    auto found = connection.query(
        "SELECT s FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (s, n) "
        "WHERE s <> $1 ORDER BY n LIMIT 1",
        parameters, deadline);
    if (!found) {
        return tl::unexpected(std::move(found).error());
    }
    return found->size() == 0 ? std::string("public") : found->text(0, 0);
}

Outcome<void> create_events(Connection& connection, const std::string& definition,
                            Deadline deadline) {
    auto created = connection.script(definition, deadline);
    // Of two processes that create the table at once one fails; the table is there all the same.
    constexpr std::string_view duplicate_table = "42P07";
    constexpr std::string_view unique_violation = "23505";
    if (created || created.error().error.code == duplicate_table ||
        created.error().error.code == unique_violation) {
        return {};
    }
    if (created.error().error.code == "42501") {
        created.error().error.hint = "have this run by a role that may: " + definition;
    }
    return tl::unexpected(std::move(created).error());
}

Error missing_table(const std::string& name) {
    return {.action = Action::configure,
            .op = "postgres.table",
            .where = {},
            .code = "42P01",
            .detail = "table '" + name + "' does not exist",
            .hint = "create it, or correct its name (schema.table, spelled exactly)"};
}

}  // namespace

std::string events_definition(const std::string& schema, Format key, Format value) {
    return fmt::format(
        "CREATE TABLE IF NOT EXISTS {}.{} (kafka_topic text NOT NULL, kafka_partition integer NOT "
        "NULL, kafka_offset bigint NOT NULL, key {}, timestamp timestamptz, data {})",
        quote_identifier(schema), quote_identifier(events_table), data_type(key, "jsonb"),
        data_type(value, "jsonb"));
}

Outcome<Resolved> resolve(Connection& connection, std::span<const Route> routes,
                          const std::string& own_schema, bool create, Deadline deadline) {
    Resolved out;
    auto schema = schema_for_events(connection, own_schema, deadline);
    if (!schema) {
        return tl::unexpected(std::move(schema).error());
    }
    for (std::size_t r = 0; r < routes.size(); ++r) {
        Route complete_route = routes[r];
        std::vector<TablePlan> plans;
        for (std::size_t t = 0; t < routes[r].targets.size(); ++t) {
            const Target& target = routes[r].targets[t];
            const std::string name = target.table.empty() ? std::string(events_table)
                                                          : target.table;
            auto table = read_table(connection, name, deadline);
            const auto definition = events_definition(*schema, routes[r].key_format,
                                                      routes[r].value_format);
            if (table && !*table && target.table.empty() && create) {
                auto created = create_events(connection, definition, deadline);
                if (!created) {
                    return tl::unexpected(std::move(created).error());
                }
                out.created.push_back(definition);
                table = read_table(connection, *schema + "." + name, deadline);
            }
            if (!table) {
                return tl::unexpected(std::move(table).error());
            }
            if (!*table) {
                if (target.table.empty() && !create) {
                    out.missing.push_back(definition);
                } else {
                    out.problems.push_back({r, t, missing_table(name)});
                }
                continue;
            }
            Target& complete_target = complete_route.targets[t];
            complete_target = complete(target, **table);
            auto problems = find_problems(complete_target, **table);
            if (problems.empty()) {
                plans.push_back(make_plan(complete_target, **table));
            }
            for (auto& problem : problems) {
                out.problems.push_back({r, t, std::move(problem)});
            }
        }
        out.routes.push_back(std::move(complete_route));
        out.plans.push_back(std::move(plans));
    }
    return out;
}

}  // namespace sluice::postgres
