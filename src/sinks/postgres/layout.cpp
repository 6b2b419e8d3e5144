#include "sinks/postgres/layout.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace sluice::postgres {
namespace {

Error changed(const TablePlan& plan, const Column& column, const std::string& now) {
    return {.action = Action::configure,
            .op = "postgres.table",
            .where = "column " + plan.name + "." + column.name,
            .code = {},
            .detail = now.empty() ? "the column is gone"
                                  : "the column is " + now + " now, and was " + column.type_name,
            .hint = "restart, so that the table's columns are read again"};
}

}  // namespace

// ONLY: a partitioned table's own lock keeps its columns, and its partitions follow them.
std::string layout_query(std::span<const TablePlan> plans) {
    std::string locks;
    std::string columns;
    for (std::size_t i = 0; i < plans.size(); ++i) {
        locks += fmt::format("LOCK TABLE ONLY {} IN ROW EXCLUSIVE MODE; ", plans[i].quoted);
        columns += fmt::format(
            "{}SELECT {}, attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = {}::regclass AND attnum > 0 AND NOT attisdropped",
            i == 0 ? "" : " UNION ALL ", i, quote_literal(plans[i].quoted));
    }
    return locks + columns;
}

std::optional<Error> changed_columns(std::span<const TablePlan> plans, const Rows& rows) {
    for (std::size_t i = 0; i < plans.size(); ++i) {
        for (const auto& column : plans[i].columns) {
            std::string now;
            for (std::size_t r = 0; r < rows.size(); ++r) {
                if (rows.integer(r, 0) == static_cast<std::int64_t>(i) &&
                    rows.text(r, 1) == column.name) {
                    now = rows.text(r, 2);
                }
            }
            if (now != column.type_name) {
                return changed(plans[i], column, now);
            }
        }
    }
    return std::nullopt;
}

}  // namespace sluice::postgres
