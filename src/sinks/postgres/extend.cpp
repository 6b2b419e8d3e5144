#include "sinks/postgres/extend.hpp"

#include <utility>

#include "sinks/events.hpp"
#include "sinks/findings.hpp"
#include "sinks/postgres/definition.hpp"

namespace sluice::postgres {
namespace {

Outcome<std::optional<Table>> find(Connection& connection, const Target& target,
                                   Deadline deadline) {
    return read_table(connection, parse_table_name(table_of(target)), deadline);
}

Error missing(const Target& target) {
    return {.action = Action::configure,
            .op = "postgres.table",
            .where = {},
            .code = "42P01",
            .detail = "table '" + target.table + "' is gone",
            .hint = "create it again"};
}

}  // namespace

Result<Extended> extend_table(Connection& connection, const Target& configured,
                              std::span<const ColumnShape> columns, Deadline deadline) {
    auto table = find(connection, configured, deadline);
    if (!table) {
        return fail(std::move(table).error().error);
    }
    if (!*table) {
        return fail(missing(configured));
    }
    SLUICE_ASSIGN(const auto definition,
                  columns_definition({(*table)->schema, (*table)->name}, columns));
    auto added = connection.script("SET lock_timeout = '1s'; " + definition, deadline,
                                   "postgres.evolve");
    if (!added) {
        Error error = std::move(added).error().error;
        if (error.code == "42501") {
            error.hint = "let the table's owner run it: " + definition;
        }
        error.action = error.action == Action::reject ? Action::configure : error.action;
        return fail(std::move(error));
    }
    table = find(connection, configured, deadline);
    if (!table) {
        return fail(std::move(table).error().error);
    }
    if (!*table) {
        return fail(missing(configured));
    }
    Target target = complete(configured, **table);
    std::vector<TargetProblem> problems;
    for (auto& problem : find_problems(target, **table)) {
        problems.push_back({.error = std::move(problem)});
    }
    if (!problems.empty()) {
        return fail(all_problems(problems));
    }
    TablePlan plan = make_plan(target, **table);
    return Extended{std::move(target), std::move(plan)};
}

}  // namespace sluice::postgres
