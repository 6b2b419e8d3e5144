#include "sinks/cassandra/resolve.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <map>

#include "sinks/events.hpp"

namespace sluice::cassandra {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t replicas_max = 3;

std::string_view data_type(Format format) { return format == Format::bytes ? "blob" : "text"; }

Formats formats_of(const Route& route) { return {route.key_format, route.value_format}; }

std::string quoted(const TableName& name) {
    return quote_identifier(name.keyspace) + "." + quote_identifier(name.table);
}

// Both in buckets of offsets, so that none of their partitions grows without a bound.
constexpr auto bucket_key = "PRIMARY KEY ((kafka_topic, kafka_partition, bucket), kafka_offset)";

std::string events_definition(const TableName& name, const Route& route) {
    return fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (kafka_topic text, kafka_partition int, bucket bigint, "
        "kafka_offset bigint, key {}, timestamp timestamp, data {}, {})",
        quoted(name), data_type(route.key_format), data_type(route.value_format), bucket_key);
}

std::string dead_letters_definition(const TableName& name) {
    return fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (kafka_topic text, kafka_partition int, bucket bigint, "
        "kafka_offset bigint, timestamp timestamp, key blob, value blob, headers text, reason "
        "text, error text, {})",
        quoted(name), bucket_key);
}

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
                         Create create, Deadline deadline) {
    Resolved out;
    for (std::size_t r = 0; r < routes.size(); ++r) {
        const Route& route = routes[r];
        out.routes.push_back(route);
        auto& plans = out.plans.emplace_back();
        for (std::size_t t = 0; t < route.targets.size(); ++t) {
            const Target& target = route.targets[t];
            const auto name = split_name(table_of(target), place.keyspace);
            const auto definition = target.dead_letters ? dead_letters_definition(name)
                                                        : events_definition(name, route);
            SLUICE_ASSIGN(auto table, read_table(session, name, deadline));
            if (!table && (target.table.empty() || target.dead_letters)) {
                const bool made = target.dead_letters ? create != Create::nothing
                                                      : create == Create::all;
                if (!made) {
                    if (std::ranges::find(out.missing, definition) == out.missing.end()) {
                        out.missing.push_back(definition);
                    }
                    continue;
                }
                SLUICE_TRY(create_table(session, definition, deadline));
                out.created.push_back(definition);
                SLUICE_ASSIGN(table, read_table(session, name, deadline));
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
    for (const auto& target : route.targets) {
        const auto name = split_name(table_of(target), place.keyspace);
        SLUICE_ASSIGN(const auto table, read_table(session, name, deadline));
        if (!table) {
            return fail(missing_table(route, target, name));
        }
        SLUICE_ASSIGN(auto fitted, fit(session, place, route, target, *table, to_write, deadline));
        if (!fitted.plan) {
            std::vector<TargetProblem> problems;
            for (auto& problem : fitted.problems) {
                problems.push_back({0, 0, std::move(problem)});
            }
            return fail(all_problems(problems));
        }
        plans.push_back(std::move(*fitted.plan));
    }
    return plans;
}

}  // namespace sluice::cassandra
