// Event to Row: finds the cells that a target's columns ask for.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "model/cell.hpp"
#include "model/event.hpp"
#include "model/row.hpp"
#include "model/target.hpp"

namespace sluice {

// The cell at `path`. Its views live as long as the event's.
//
// - A null key or value: `key` or `value` itself is null, every path into it is absent.
// - JSON: a null member is null; a missing member, an index past the end, and a step into
//   something that is no object or array are absent. `raw` of the whole document is its text as
//   it came, white space around it included.
// - string and bytes: the whole as text or bytes; paths into it are absent.
// - headers.NAME: the last header of that name, as Kafka's clients have it; bytes where it is
//   not UTF-8, null where its value is null, absent where there is none.
// - meta.timestamp is absent where the record has none.
// - meta.id is uuid_v5(topic_id, "<partition>:<offset>") with both in decimal: the record 120 of
//   partition 3 gives uuid_v5(topic_id, "3:120"). `topic_id` is the id that Kafka gave the topic.
Cell resolve(const Path& path, const Event& event, const Uuid& topic_id);

// The rows of one target. One per thread; the route must outlive it and stay as it is.
class Mapper {
public:
    // For route.targets[target]. Fails with Action::configure where the target can't work for any
    // record: a key that is no column, or a path into something that is not read as JSON.
    static Result<Mapper> create(const Route& route, std::uint32_t target);

    // The row lives until the next map(), and no longer than the event.
    //
    // append: a put. upsert: a put, or for a null value (a tombstone) a delete, with only the key
    // cells filled; a key column that is absent or null rejects the record, and so does a
    // tombstone where a key column comes from the value. The JSON value `null` is not a
    // tombstone. With `absent: null` in the target, the absent cells of a put become null.
    Result<Row> map(const Event& event, const Uuid& topic_id);

private:
    Mapper(const Target& target, std::uint32_t index);

    Result<Row> remove(const Event& event, const Uuid& topic_id);
    [[nodiscard]] Result<void> check_key(const Event& event) const;

    const Target* target_;
    std::uint32_t index_;
    std::vector<std::size_t> key_columns_;  // Indexes into columns; empty in append.
    bool key_in_value_ = false;             // Some key column comes from the value.
    std::vector<Cell> cells_;
};

}  // namespace sluice
