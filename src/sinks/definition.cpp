#include "sinks/definition.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace sluice {
namespace {

tl::unexpected<Error> indefinable(std::string_view op, std::string_view table, std::string detail,
                                  std::string hint) {
    return fail({.action = Action::configure,
                 .op = std::string(op),
                 .where = {},
                 .code = {},
                 .detail = "table '" + std::string(table) + "' can't be made: " + std::move(detail),
                 .hint = std::move(hint)});
}

}  // namespace

Result<void> check_names(std::string_view op, std::string_view table,
                         std::span<const ColumnShape> columns, const RefusedName& refused) {
    for (const auto& column : columns) {
        if (const auto why = refused(column.name)) {
            return indefinable(op, table,
                               "the field '" + printable(column.name) + "' can't be a column",
                               *why + "; say what fills the columns with columns: {column: path}");
        }
    }
    return {};
}

Result<void> check_definable(std::string_view op, std::string_view table, const TableShape& shape,
                             const RefusedName& refused) {
    if (shape.columns.empty()) {
        return indefinable(op, table, "the records that were read have no fields",
                           "say what fills the columns with columns: {column: path}");
    }
    for (const auto& key : shape.key) {
        if (std::ranges::find(shape.columns, key, &ColumnShape::name) == shape.columns.end()) {
            return indefinable(op, table, "no record has the key column '" + key + "'",
                               "say where it comes from, under `columns:`");
        }
    }
    return check_names(op, table, shape.columns, refused);
}

}  // namespace sluice
