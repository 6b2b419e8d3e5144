// Upserts and deletes of a batch's transaction, by way of a temporary table. Private to the
// statements.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "sinks/postgres/copy.hpp"

namespace sluice::postgres {

// `used` are the temporary tables that hold rows of this transaction already.
Counted upsert(Connection& connection, const Batch& batch, const std::vector<Slice>& slices,
               std::size_t table, const TablePlan& plan, std::set<std::string>& used,
               Deadline deadline);

}  // namespace sluice::postgres
