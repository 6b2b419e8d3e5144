// The SQL of one batch, and the rows that go with it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/postgres/batch.hpp"
#include "sinks/postgres/connection.hpp"
#include "sinks/postgres/plan.hpp"

namespace sluice::postgres {

// A record that a server's error names.
struct FailedRow {
    std::size_t piece;
    Offset offset;
    bool first = false;  // No other went through the same statement before it.
};

struct WriteFailure {
    Failure failure;
    std::optional<FailedRow> row;
    std::optional<std::size_t> table = std::nullopt;  // Nothing: one of them.
};

inline constexpr auto letters_hint = "the dead letters need a table that takes every record";

// An error that only the table's own state explains is no record's fault, and no bug: 23502 about
// a column that nothing of ours fills; 08P01 in a line of COPY, whose value is shorter than the
// column's type; a dead letter that is refused.
void blame_table(const TablePlan& plan, Failure& failure);

// Writes the rows of `slices` for the tables of `plans`, inside the open transaction. Gives, by
// table, how many of them its own triggers skipped (by returning null).
tl::expected<std::vector<std::uint64_t>, WriteFailure> write_rows(Connection& connection,
                                                                  const Batch& batch,
                                                                  const std::vector<Slice>& slices,
                                                                  std::span<const TablePlan> plans,
                                                                  Deadline deadline);

}  // namespace sluice::postgres
