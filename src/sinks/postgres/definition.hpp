// The tables that this program makes, as SQL. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/table_shape.hpp"
#include "sinks/postgres/catalog.hpp"

namespace sluice::postgres {

inline constexpr std::size_t name_bytes_max = 63;  // Longer ones are cut off in silence.
// Why it is no name of a table or column, or nothing.
std::optional<std::string> refused_name(std::string_view name);

// The type that takes every value of `shape` exactly.
std::string column_type(const Shape& shape);

std::string events_definition(const TableName& name, const Route& route);
std::string dead_letters_definition(const TableName& name);
// Fails with what keeps the table from being made: a key that is no column, a field whose name
// can't be a column's.
Result<std::string> table_definition(const TableName& name, const TableShape& shape);
// ALTER TABLE … ADD COLUMN IF NOT EXISTS …
Result<std::string> columns_definition(const TableName& name, std::span<const ColumnShape> columns);

}  // namespace sluice::postgres
