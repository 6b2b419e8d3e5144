// What a record becomes in one table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/cell.hpp"

namespace sluice {

// truncate: all rows that were written before it go; in PostgreSQL only.
enum class RowOp : std::uint8_t { put, del, truncate };

// The cells stand in the order of the target's columns (see Target in model/target.hpp); a delete
// has only its key cells filled, the others are absent; a truncate has none. Valid until the next
// record is mapped.
struct Row {
    std::uint32_t target = 0;  // Which of the route's targets, counted from 0.
    RowOp op = RowOp::put;
    std::span<const Cell> cells;
    const Cell* ttl = nullptr;  // A put's, where the target has a path to it.
    // Which item of the record's array it is, counted from 0, where the target takes each.
    std::optional<std::uint32_t> item{};
};

}  // namespace sluice
