// One COPY or script of a batch's transaction, and what appends and upserts share around it.
// Private to the statements.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/postgres/rows.hpp"
#include "sinks/postgres/statements.hpp"

namespace sluice::postgres {

// copy() and run() give how many rows the server wrote or deleted; the others how many of those
// sent the table's own triggers skipped.
using Counted = tl::expected<std::uint64_t, WriteFailure>;

// COPY BINARY, file header: signature, flags, no header extension (PostgreSQL manual, COPY).
inline constexpr std::string_view copy_header("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
inline constexpr std::string_view copy_trailer("\377\377", 2);

// Which columns a row brings: the others are absent.
using Presence = std::vector<bool>;
Presence presence_of(const std::vector<EncodedCell>& cells);
std::string column_list(const TablePlan& plan, const Presence& present);
// The row of the cells that are present.
void append_present(const std::vector<EncodedCell>& cells, std::string& out);

// Rows of one COPY that had to be put together, and which record each came from; empty where it
// came from several.
struct Assembled {
    std::string bytes;
    std::vector<std::optional<FailedRow>> rows;
};

Counted copy(Connection& connection, const std::string& target,
             std::span<const std::string_view> pieces,
             const std::function<std::optional<FailedRow>(std::uint64_t line)>& row_at,
             Deadline deadline);
Counted copy_assembled(Connection& connection, const std::string& target, const Assembled& rows,
                       Deadline deadline);
Counted run(Connection& connection, const std::string& sql, Deadline deadline);

}  // namespace sluice::postgres
