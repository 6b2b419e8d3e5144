// Whether the tables still have the columns that rows were encoded for. COPY BINARY takes eight
// bytes of a bigint for a double precision without a word.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "sinks/postgres/connection.hpp"
#include "sinks/postgres/plan.hpp"

namespace sluice::postgres {

// Inside of the transaction that writes: locks the tables as a write does, so that none is altered
// before its end, and reads their columns. The last of its results is for changed_columns().
std::string layout_query(std::span<const TablePlan> plans);
// What `rows` tells is another type than the plans', or is gone; nothing where all is as it was.
std::optional<Error> changed_columns(std::span<const TablePlan> plans, const Rows& rows);

}  // namespace sluice::postgres
