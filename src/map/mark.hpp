// Rows that are marked in a column instead of being deleted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "model/row.hpp"
#include "model/target.hpp"

namespace sluice {

class DeletedMark {
public:
    // The target has a column with Source::mark.
    explicit DeletedMark(const Target& target)
        : column_(static_cast<std::size_t>(
              std::ranges::find(target.columns, target.deleted_column, &ColumnSource::column) -
              target.columns.begin())) {}

    // Of the cells of a delete, in the target's order.
    Row put(std::uint32_t target, std::span<Cell> cells) const {
        cells[column_] = {};
        cells[column_].kind = CellKind::boolean;
        cells[column_].boolean = true;
        return {.target = target, .op = RowOp::put, .cells = cells};
    }

private:
    std::size_t column_;
};

}  // namespace sluice
