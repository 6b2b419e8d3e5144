// Upserts and deletes of a batch's transaction, by way of a temporary table. Private to the
// statements.
#pragma once

#include <vector>

#include "sinks/postgres/copy.hpp"

namespace sluice::postgres {

Counted upsert(Connection& connection, const Batch& batch, const std::vector<Slice>& slices,
               std::size_t table, const TablePlan& plan, Deadline deadline);

}  // namespace sluice::postgres
