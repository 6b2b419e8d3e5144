// One row of a record to the cells of its statement.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "model/record.hpp"
#include "model/row.hpp"
#include "sinks/cassandra/plan.hpp"

namespace sluice::cassandra {

// Cassandra stores a key's length in 16 bits.
inline constexpr std::size_t key_bytes_max = 65'535;
// One request above 16 MiB is refused (native_transport_max_frame_size), whatever is in it.
inline constexpr std::size_t row_bytes_max = 12u << 20;

// Where the key's cells are, from the row's first byte: the partition key's, then the others'.
struct EncodedRow {
    std::size_t key_begin = 0;
    std::size_t key_size = 0;
    std::size_t primary_key_size = 0;
};

// Appends the cells of plan.insert or plan.remove. On failure `out` is as it was, and the error
// names record and column.
Result<EncodedRow> append_row(const TablePlan& plan, const Record& record, ClockMicros clock,
                              const Row& row, std::string& out);

}  // namespace sluice::cassandra
