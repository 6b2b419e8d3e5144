#include "map/refusals.hpp"

#include <utility>

namespace sluice {

[[gnu::cold]] Error rejected_record(const Event& event, const std::string& column,
                                    std::string detail, std::string hint) {
    return {.action = Action::reject,
            .op = "map",
            .where = event.record->where() +
                     (event.item != nullptr ? ", item " + std::to_string(event.item_number) : "") +
                     (column.empty() ? "" : ", column " + column),
            .code = {},
            .detail = std::move(detail),
            .hint = std::move(hint)};
}

[[gnu::cold]] Error wrong_target(const Target& target, std::string detail, std::string hint) {
    return {.action = Action::configure,
            .op = "map",
            .where = target.table,
            .code = {},
            .detail = std::move(detail),
            .hint = std::move(hint)};
}

[[gnu::cold]] Error rejected_key(const Event& event, const ColumnSource& column, CellKind kind) {
    return rejected_record(event, column.column,
                           std::string("a key column is ") +
                               (kind == CellKind::null ? "null" : "absent") + " (`" +
                               column.path.spelling + "`)",
                           "a row without its whole key can't be found again");
}

}  // namespace sluice
