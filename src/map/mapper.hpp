// Event to rows: what a record becomes in one table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "map/change.hpp"
#include "map/mark.hpp"
#include "map/path_reader.hpp"
#include "map/unsent.hpp"
#include "model/cell.hpp"
#include "model/event.hpp"
#include "model/row.hpp"
#include "model/target.hpp"

namespace sluice {

// The rows of one target. One per thread; the route must outlive it and stay as it is.
class Mapper {
public:
    // For route.targets[target]. Fails with Action::configure where the target can't work for any
    // record: a key that is no column, or a path into something that is not read as JSON.
    static Result<Mapper> create(const Route& route, std::uint32_t target);

    // The rows live until the next map(), and no longer than the event.
    //
    // No row where the target's `when` does not hold; of a tombstone what it says of the value does
    // not count. append: a put. changes: see ChangeMapper.
    // All others: a put, or for a null value (a tombstone), where `deleted` holds and always in
    // mode remove a delete, with only the key cells filled; a key column that is absent or null
    // rejects the record, and so does a tombstone where a key column comes from the value. The
    // JSON value `null` is not a tombstone. With `absent: null` in the target, and in upsert_newer,
    // the absent cells of a put become null. upsert_newer: a version that is absent or null rejects
    // the record, and a delete does, which would leave nothing that has a version.
    //
    // With `deleted_column` a delete is a put of the key cells and of `true` there.
    //
    // With `each`: likewise for every item of the array, in its order; an array that is absent or
    // null gives none. Rejected: what is no array, more items than cells_max lets be, and in keyed
    // modes a tombstone, which names no item. The record is rejected where one of its items is.
    // The event's item is set meanwhile.
    Result<std::span<const Row>> map(Event& event, const Uuid& topic_id);

    // Of one record's items: 16 MiB of cells.
    static constexpr std::size_t cells_max = (16u << 20) / sizeof(Cell);

private:
    Mapper(const Target& target, std::uint32_t index);

    Result<std::span<const Row>> map_items(Event& event, const Uuid& topic_id);
    Result<std::span<const Row>> map_one(const Event& event, const Uuid& topic_id);
    Result<std::span<const Row>> put(const Event& event, const Uuid& topic_id);
    Result<void> read(std::size_t column, const Event& event, const Uuid& topic_id);
    Result<void> remove(const Event& event, const Uuid& topic_id);
    [[nodiscard]] Result<void> check_key(const Event& event) const;

    const Target* target_;
    std::uint32_t index_;
    std::vector<std::size_t> key_columns_;  // Indexes into columns; empty in append.
    std::optional<std::size_t> version_;    // Likewise.
    std::optional<DeletedMark> mark_;
    std::optional<UnsentValues> unsent_;
    std::optional<std::size_t> ttl_;  // Its path.
    Cell ttl_cell_;
    bool key_in_value_ = false;  // Some key column comes from the value.
    PathReader reader_;          // One path a column.
    std::vector<Cell> cells_;
    Row row_;
    // Of each item that gave a row.
    std::vector<Cell> item_cells_;
    std::vector<Cell> item_ttls_;
    std::vector<Row> item_rows_;
    std::optional<ChangeMapper> changes_;
};

}  // namespace sluice
