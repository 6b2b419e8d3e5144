// Columns for fields that a schema brings.
#pragma once

#include <span>

#include "model/table_shape.hpp"
#include "sinks/postgres/connection.hpp"
#include "sinks/postgres/plan.hpp"

namespace sluice::postgres {

struct Extended {
    Target target;  // Complete.
    TablePlan plan;
};

// Adds what the table of `configured` lacks of `columns`, and reads it again. Others may do the
// same at once. Waits a second for the table's lock, so that those who wait behind it don't wait
// longer; Action::retry where it was not to be had.
Result<Extended> extend_table(Connection& connection, const Target& configured,
                              std::span<const ColumnShape> columns, Deadline deadline);

}  // namespace sluice::postgres
