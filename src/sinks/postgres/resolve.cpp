#include "sinks/postgres/resolve.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "sinks/events.hpp"

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

Outcome<void> create_events(Connection& connection, const std::string& schema,
                            const std::string& definition, Deadline deadline) {
    auto created = connection.script(definition, deadline);
    // Of two processes that create the table at once one fails; the table is there all the same.
    constexpr std::string_view duplicate_table = "42P07";
    constexpr std::string_view unique_violation = "23505";
    if (created || created.error().error.code == duplicate_table ||
        created.error().error.code == unique_violation) {
        return {};
    }
    if (created.error().error.code == "42501") {
        if (auto role = current_role(connection, deadline)) {
            created.error().error.hint = "have this run by a role that may: " + definition + "; " +
                                         events_grants(schema, *role);
        }
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

class Resolver {
public:
    Resolver(Connection& connection, std::span<const Route> routes, const ResolveOptions& options,
             Deadline deadline)
        : connection_(connection), routes_(routes), options_(options), deadline_(deadline) {}

    Outcome<Resolved> run() {
        auto schema = schema_for_events(connection_, options_.own_schema, deadline_);
        if (!schema) {
            return tl::unexpected(std::move(schema).error());
        }
        out_.events_schema = std::move(*schema);
        for (std::size_t r = 0; r < routes_.size(); ++r) {
            out_.routes.push_back(routes_[r]);
            out_.plans.emplace_back();
            for (std::size_t t = 0; t < routes_[r].targets.size(); ++t) {
                if (auto done = resolve_target(r, t); !done) {
                    return tl::unexpected(std::move(done).error());
                }
            }
        }
        return std::move(out_);
    }

private:
    Outcome<void> resolve_target(std::size_t route, std::size_t index) {
        const Target& target = routes_[route].targets[index];
        const std::string name(table_of(target));
        auto table = read_table(connection_, parse_table_name(name), deadline_);
        if (table && !*table && target.table.empty()) {
            table = make_events(route, index);
        } else if (table && !*table) {
            out_.problems.push_back({route, index, missing_table(name)});
        }
        if (!table) {
            return tl::unexpected(std::move(table).error());
        }
        if (!*table) {
            return {};
        }
        Target& complete_target = out_.routes[route].targets[index];
        complete_target = complete(target, **table);
        auto problems = find_problems(complete_target, **table);
        if (problems.empty()) {
            out_.plans[route].push_back(make_plan(complete_target, **table));
        }
        for (auto& problem : problems) {
            out_.problems.push_back({route, index, std::move(problem)});
        }
        return {};
    }

    // A zero-config table that is missing. Nothing where it is not made.
    Outcome<std::optional<Table>> make_events(std::size_t route, std::size_t index) {
        if (const auto topic = begun_topic(routes_[route])) {
            out_.problems.push_back({route, index, lost_table("postgres", "42P01", *topic)});
            return std::optional<Table>{};
        }
        const auto& schema = out_.events_schema;
        const auto definition = events_definition(schema, routes_[route].key_format,
                                                  routes_[route].value_format);
        if (!options_.create || needed_by_begun()) {
            out_.missing.push_back(definition);
            return std::optional<Table>{};
        }
        auto created = create_events(connection_, schema, definition, deadline_);
        if (!created) {
            return tl::unexpected(std::move(created).error());
        }
        out_.created.push_back(definition);
        return read_table(connection_, {.schema = schema, .table = std::string(events_table)},
                          deadline_);
    }

    [[nodiscard]] std::optional<std::string> begun_topic(const Route& route) const {
        const auto found = std::ranges::find_if(
            route.topics, [this](const auto& topic) { return options_.begun.contains(topic); });
        return found == route.topics.end() ? std::nullopt : std::optional(*found);
    }

    // Routes share the table: made for a new one, it would hide that another's is gone.
    [[nodiscard]] bool needed_by_begun() const {
        return std::ranges::any_of(routes_, [this](const Route& route) {
            return begun_topic(route) && feeds_events(route);
        });
    }

    Connection& connection_;
    std::span<const Route> routes_;
    const ResolveOptions& options_;
    Deadline deadline_;
    Resolved out_;
};

}  // namespace

std::string events_definition(const std::string& schema, Format key, Format value) {
    return fmt::format(
        "CREATE TABLE IF NOT EXISTS {}.{} (kafka_topic text NOT NULL, kafka_partition integer NOT "
        "NULL, kafka_offset bigint NOT NULL, key {}, timestamp timestamptz, data {})",
        quote_identifier(schema), quote_identifier(events_table), data_type(key, "jsonb"),
        data_type(value, "jsonb"));
}

std::string events_grants(const std::string& schema, const std::string& role) {
    return fmt::format("GRANT USAGE ON SCHEMA {0} TO {2}; GRANT SELECT, INSERT, UPDATE, DELETE ON "
                       "{0}.{1} TO {2};",
                       quote_identifier(schema), quote_identifier(events_table), role);
}

Outcome<Resolved> resolve(Connection& connection, std::span<const Route> routes,
                          const ResolveOptions& options, Deadline deadline) {
    return Resolver(connection, routes, options, deadline).run();
}

}  // namespace sluice::postgres
