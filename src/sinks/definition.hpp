// What keeps a table from being made after a shape. Pure.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/table_shape.hpp"

namespace sluice {

// Why a database takes no column of that name, or nothing.
using RefusedName = std::function<std::optional<std::string>(std::string_view name)>;

Result<void> check_names(std::string_view op, std::string_view table,
                         std::span<const ColumnShape> columns, const RefusedName& refused);
// The same, and that there are columns, the key's among them.
Result<void> check_definable(std::string_view op, std::string_view table, const TableShape& shape,
                             const RefusedName& refused);

}  // namespace sluice
