// The tables that this program makes, as CQL. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "model/table_shape.hpp"
#include "sinks/cassandra/schema.hpp"

namespace sluice::cassandra {

// Why it is no name of a keyspace, table or column, or nothing.
std::optional<std::string> refused_name(std::string_view name);

// The type that takes every value of `shape` exactly. Times of Cassandra have milliseconds, so that
// finer ones stay what they are written as.
std::string column_type(const Shape& shape);

std::string events_definition(const TableName& name, const Route& route);
std::string dead_letters_definition(const TableName& name);
// `partition_key`: columns of the key, the others cluster; empty: all of them. Fails with what
// keeps the table from being made: a key that is no column or no key at all, a field whose name
// can't be a column's.
Result<std::string> table_definition(const TableName& name, const TableShape& shape,
                                     std::span<const std::string> partition_key);
// ALTER TABLE … ADD …; Cassandra 4.0 knows no IF NOT EXISTS there.
Result<std::string> column_definition(const TableName& name, const ColumnShape& column);

}  // namespace sluice::cassandra
