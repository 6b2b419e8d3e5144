#include "sinks/postgres/resolve.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "sinks/events.hpp"
#include "sinks/postgres/definition.hpp"

namespace sluice::postgres {
namespace {

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

Outcome<void> create_table(Connection& connection, const MissingTable& table, Deadline deadline) {
    auto created = connection.script(table.definition, deadline);
    // Of two processes that create the table at once one fails; the table is there all the same.
    constexpr std::array lost_race{std::string_view("42P07"),   // duplicate_table
                                   std::string_view("42710"),   // duplicate_object: its row type
                                   std::string_view("23505")};  // unique_violation in a catalog
    if (created || std::ranges::find(lost_race, created.error().error.code) != lost_race.end()) {
        return {};
    }
    if (created.error().error.code == "42501") {
        if (auto role = current_role(connection, deadline)) {
            created.error().error.hint = "have this run by a role that may: " + table.definition +
                                         "; " + grants_on(table.name, *role);
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

// A batch writes target by target, so that the rows of two for one key would change places.
bool shares_upserts(const std::vector<TablePlan>& before, const TablePlan& plan) {
    return std::ranges::any_of(before, [&](const TablePlan& other) {
        return other.quoted == plan.quoted && (is_keyed(other.mode) || is_keyed(plan.mode));
    });
}

Error shared_table(const std::string& name) {
    return {.action = Action::configure,
            .op = "postgres.table",
            .where = {},
            .code = {},
            .detail = "table '" + name + "' is upserted and is the target of the route twice",
            .hint = "the order of its rows would be lost: make it one target"};
}

bool is_made(const Target& target, const ResolveOptions& options) {
    return target.table.empty() || target.dead_letters || (target.create && options.find_shape);
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
        events_schema_ = std::move(*schema);
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
        if (table && !*table && is_made(target, options_)) {
            table = make_table(route, index);
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
            TablePlan plan = make_plan(complete_target, **table);
            if (shares_upserts(out_.plans[route], plan)) {
                problems.push_back(shared_table(plan.name));
            }
            out_.plans[route].push_back(std::move(plan));
        }
        for (auto& problem : problems) {
            out_.problems.push_back({route, index, std::move(problem)});
        }
        return {};
    }

    // A table that is missing. Nothing where it is not made.
    Outcome<std::optional<Table>> make_table(std::size_t route, std::size_t index) {
        const Target& target = routes_[route].targets[index];
        const auto topic = begun_topic(routes_[route]);
        if (!target.dead_letters && topic) {
            out_.problems.push_back(
                {route, index, lost_table("postgres", "42P01", target, *topic)});
            return std::optional<Table>{};
        }
        MissingTable missing{parse_table_name(table_of(target)), {}};
        if (missing.name.schema.empty()) {
            missing.name.schema = events_schema_;
        }
        auto definition = define(missing.name, route, index);
        if (!definition && definition.error().action != Action::configure) {
            return tl::unexpected(Failure{.error = std::move(definition).error(),
                                          .copy_line = {},
                                          .column = {},
                                          .lost = false});
        }
        if (!definition) {
            out_.problems.push_back({route, index, std::move(definition).error()});
            return std::optional<Table>{};
        }
        missing.definition = *std::move(definition);
        if (!options_.create || (target.table.empty() && needed_by_begun())) {
            if (std::ranges::find(out_.missing, missing) == out_.missing.end()) {
                out_.missing.push_back(std::move(missing));
            }
            return std::optional<Table>{};
        }
        auto created = create_table(connection_, missing, deadline_);
        if (!created) {
            return tl::unexpected(std::move(created).error());
        }
        out_.created.push_back(missing.definition);
        return read_table(connection_, missing.name, deadline_);
    }

    [[nodiscard]] Result<std::string> define(const TableName& name, std::size_t route,
                                             std::size_t index) const {
        const Target& target = routes_[route].targets[index];
        if (target.dead_letters) {
            return dead_letters_definition(name);
        }
        if (target.table.empty()) {
            return events_definition(name, routes_[route]);
        }
        SLUICE_ASSIGN(const auto shape, options_.find_shape(routes_[route], index));
        return table_definition(name, shape);
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
    std::string events_schema_;  // Where tables are made whose names have none.
    Resolved out_;
};

}  // namespace

std::string grants_on(const TableName& table, const std::string& role) {
    return fmt::format("GRANT USAGE ON SCHEMA {0} TO {2}; GRANT SELECT, INSERT, UPDATE, DELETE ON "
                       "{1} TO {2};",
                       quote_identifier(table.schema), table.quoted(), role);
}

Outcome<Resolved> resolve(Connection& connection, std::span<const Route> routes,
                          const ResolveOptions& options, Deadline deadline) {
    return Resolver(connection, routes, options, deadline).run();
}

}  // namespace sluice::postgres
