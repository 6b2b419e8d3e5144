#include "sinks/cassandra/resolve.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <map>

#include "sinks/cassandra/definition.hpp"
#include "sinks/events.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t replicas_max = 3;

Formats formats_of(const Route& route) { return {route.key_format, route.value_format}; }

Error missing_table(const Route& route, const Target& target, const TableName& name) {
    return {.action = Action::configure,
            .op = "cassandra.table",
            .where = {},
            .code = {},
            .detail = "table '" + name.keyspace + "." + name.table + "' does not exist",
            .hint = target.table.empty()
                        ? "create it: " + events_definition(name, route)
                        : "create it, or correct its name (keyspace.table, spelled exactly)"};
}

Result<void> create_table(Session& session, const std::string& definition, Deadline deadline) {
    auto created = session.query(definition, deadline);
    if (!created) {
        Error error = std::move(created).error();
        if (error.action == Action::configure) {
            error.hint = "have this run by a role that may: " + definition;
        }
        return fail(std::move(error));
    }
    return {};
}

// To read is needed once: a first start looks whether the table has rows.
constexpr std::array to_start{"SELECT"sv, "MODIFY"sv};
constexpr std::array to_write{"MODIFY"sv};
using Permissions = std::span<const std::string_view>;

Result<void> check_privileges(Session& session, const Place& place, const Table& table,
                              Permissions permissions, std::vector<Error>& problems,
                              Deadline deadline) {
    for (const auto permission : permissions) {
        if (!place.username) {
            continue;
        }
        SLUICE_ASSIGN(const bool allowed,
                      may_use(session, permission, table, *place.username, deadline));
        if (!allowed) {
            problems.push_back(lacks_permission(permission, table, *place.username));
        }
    }
    return {};
}

bool is_made(const Target& target, const ResolveOptions& options) {
    return target.table.empty() || target.dead_letters || (target.create && options.find_shape);
}

// Makes the tables that are missing and may be made.
struct Maker {
    Session& session;
    std::span<const Route> routes;
    const ResolveOptions& options;
    Deadline deadline;
    Resolved& out;

    // Nothing where it is not made, which `out` tells then.
    Result<std::optional<Table>> make(std::size_t r, std::size_t t, const TableName& name) {
        const Target& target = routes[r].targets[t];
        const auto begun = begun_topic(routes[r]);
        if (!target.dead_letters && begun) {
            out.problems.push_back({r, t, lost_table("cassandra", {}, target, *begun)});
            return std::optional<Table>{};
        }
        auto definition = define(routes[r], t, name);
        if (!definition && definition.error().action != Action::configure) {
            return fail(std::move(definition).error());
        }
        if (!definition) {
            out.problems.push_back({r, t, std::move(definition).error()});
            return std::optional<Table>{};
        }
        if (!options.create || (target.table.empty() && needed_by_begun())) {
            if (std::ranges::find(out.missing, *definition) == out.missing.end()) {
                out.missing.push_back(*std::move(definition));
            }
            return std::optional<Table>{};
        }
        SLUICE_TRY(create_table(session, *definition, deadline));
        out.created.push_back(*std::move(definition));
        return read_table(session, name, deadline);
    }

    [[nodiscard]] Result<std::string> define(const Route& route, std::size_t t,
                                             const TableName& name) const {
        const Target& target = route.targets[t];
        if (target.dead_letters) {
            return dead_letters_definition(name);
        }
        if (target.table.empty()) {
            return events_definition(name, route);
        }
        SLUICE_ASSIGN(const auto shape, options.find_shape(route, t));
        return table_definition(name, shape, target.create->partition_key);
    }

    [[nodiscard]] std::optional<std::string> begun_topic(const Route& route) const {
        const auto found = std::ranges::find_if(
            route.topics, [this](const auto& topic) { return options.begun.contains(topic); });
        return found == route.topics.end() ? std::nullopt : std::optional(*found);
    }

    // Routes share the table: made for a new one, it would hide that another's is gone.
    [[nodiscard]] bool needed_by_begun() const {
        return std::ranges::any_of(routes, [this](const Route& route) {
            return begun_topic(route) && feeds_events(route);
        });
    }
};

// What one target comes to.
struct Fitted {
    Target target;  // Complete.
    std::optional<TablePlan> plan;
    std::vector<Error> problems;
};

Result<Fitted> fit(Session& session, const Place& place, const Route& route, const Target& target,
                   const Table& table, Permissions permissions, Deadline deadline) {
    Fitted out;
    out.target = complete(target, table);
    out.problems = find_problems(out.target, table);
    if (out.problems.empty()) {
        SLUICE_TRY(check_privileges(session, place, table, permissions, out.problems, deadline));
    }
    if (out.problems.empty()) {
        out.plan = make_plan(out.target, table, formats_of(route));
    }
    return out;
}

Error unfit(std::vector<Error> errors) {
    std::vector<TargetProblem> problems;
    for (auto& error : errors) {
        problems.push_back({0, 0, std::move(error)});
    }
    return all_problems(problems);
}

}  // namespace

Error lacks_permission(std::string_view permission, const Table& table, std::string_view role) {
    return {.action = Action::configure,
            .op = "cassandra.privileges",
            .where = {},
            .code = "0x2100",
            .detail = fmt::format("role '{}' lacks {} on table {}", role, permission, table.name),
            .hint = fmt::format("GRANT {} ON TABLE {} TO {}", permission, table.quoted(),
                                quote_identifier(role))};
}

std::string keyspace_definition(std::string_view keyspace,
                                const std::optional<std::string>& local_dc,
                                std::span<const Node> nodes) {
    std::map<std::string, std::size_t> sizes;
    for (const auto& node : nodes) {
        if (!node.datacenter.empty() && (!local_dc || node.datacenter == *local_dc)) {
            ++sizes[node.datacenter];
        }
    }
    std::string replicas;
    for (const auto& [datacenter, size] : sizes) {
        replicas += fmt::format(", {}: {}", quote_text(datacenter), std::min(size, replicas_max));
    }
    return fmt::format("CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {{'class': "
                       "'NetworkTopologyStrategy'{}}}",
                       quote_identifier(keyspace), replicas);
}

Result<Resolved> resolve(Session& session, const Place& place, std::span<const Route> routes,
                         const ResolveOptions& options, Deadline deadline) {
    Resolved out;
    for (std::size_t r = 0; r < routes.size(); ++r) {
        const Route& route = routes[r];
        out.routes.push_back(route);
        auto& plans = out.plans.emplace_back();
        for (std::size_t t = 0; t < route.targets.size(); ++t) {
            const Target& target = route.targets[t];
            const auto name = split_name(table_of(target), place.keyspace);
            SLUICE_ASSIGN(auto table, read_table(session, name, deadline));
            if (!table && is_made(target, options)) {
                Maker maker{session, routes, options, deadline, out};
                SLUICE_ASSIGN(table, maker.make(r, t, name));
                if (!table) {
                    continue;
                }
            }
            if (!table) {
                out.problems.push_back({r, t, missing_table(route, target, name)});
                continue;
            }
            SLUICE_ASSIGN(auto fitted,
                          fit(session, place, route, target, *table, to_start, deadline));
            out.routes.back().targets[t] = std::move(fitted.target);
            if (fitted.plan) {
                plans.push_back(std::move(*fitted.plan));
            }
            for (auto& problem : fitted.problems) {
                out.problems.push_back({r, t, std::move(problem)});
            }
        }
    }
    return out;
}

Result<std::vector<TablePlan>> resolve_again(Session& session, const Place& place,
                                             const Route& route, Deadline deadline) {
    std::vector<TablePlan> plans;
    for (Target target : route.targets) {
        target.others.reset();  // What fills columns by their names has all that it is to fill.
        const auto name = split_name(table_of(target), place.keyspace);
        SLUICE_ASSIGN(const auto table, read_table(session, name, deadline));
        if (!table) {
            return fail(missing_table(route, target, name));
        }
        SLUICE_ASSIGN(auto fitted, fit(session, place, route, target, *table, to_write, deadline));
        if (!fitted.plan) {
            return fail(unfit(std::move(fitted.problems)));
        }
        plans.push_back(std::move(*fitted.plan));
    }
    return plans;
}

Result<Extended> extend_table(Session& session, const Place& place, const Route& configured,
                              std::size_t target, std::span<const ColumnShape> columns,
                              Deadline deadline) {
    const auto name = split_name(table_of(configured.targets[target]), place.keyspace);
    SLUICE_ASSIGN(auto table, read_table(session, name, deadline));
    for (const auto& column : columns) {
        if (!table || table->find(column.name) != nullptr) {
            continue;
        }
        SLUICE_ASSIGN(const auto definition, column_definition(name, column));
        auto added = session.query(definition, deadline);
        SLUICE_ASSIGN(table, read_table(session, name, deadline));
        // Somebody else may have been first.
        if (!added && table && table->find(column.name) == nullptr) {
            Error error = std::move(added).error();
            if (error.action == Action::configure) {
                error.hint = "have this run by a role that may: " + definition;
            }
            return fail(std::move(error));
        }
    }
    if (!table) {
        return fail(missing_table(configured, configured.targets[target], name));
    }
    SLUICE_ASSIGN(auto fitted, fit(session, place, configured, configured.targets[target], *table,
                                   to_write, deadline));
    if (!fitted.plan) {
        return fail(unfit(std::move(fitted.problems)));
    }
    return Extended{std::move(fitted.target), *std::move(fitted.plan)};
}

}  // namespace sluice::cassandra
