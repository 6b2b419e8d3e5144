// The values at a target's paths, and how they are to be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "model/cell.hpp"
#include "model/connect_schema.hpp"
#include "model/event.hpp"
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
// - A constant is a text.
// - item and meta.item are absent outside the items of a target's `each`.
// - meta.id is uuid_v5(topic_id, "<partition>:<offset>") with both in decimal: the record 120 of
//   partition 3 gives uuid_v5(topic_id, "3:120"). `topic_id` is the id that Kafka gave the topic.
Cell resolve(const Path& path, const Event& event, const Uuid& topic_id);

// The schema of what stands at `path`; null where it has none. The decoder's.
const ConnectSchema* schema_at(const Path& path, const Event& event);

// `path`, but an item's as it leads from the value into the first item: all have its schema.
Path in_first_item(const Path& path, const std::optional<Path>& each);

// What a Connect schema says of how its values are written.
Reading reading_of(const ConnectSchema& schema);

// One per thread. Where the configuration declares nothing about a value, the schema beside it
// counts.
class PathReader {
public:
    explicit PathReader(std::optional<Path> each = {}) : each_(std::move(each)) {}

    // Returns the path's number, from 0 on. `otherwise` stands for what is absent.
    std::size_t add(Path path, Reading declared, std::optional<std::string> otherwise = {});
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] const Path& path(std::size_t number) const { return entries_[number].path; }

    // Before the first read() of each event.
    void begin(const Event& event);
    // Fails where the value is not what the schema beside it says: the reason, which quotes
    // nothing.
    tl::expected<Cell, std::string> read(std::size_t number, const Event& event,
                                         const Uuid& topic_id) const;

private:
    struct Entry {
        Path path;
        Path in_schema;  // Where its schema stands.
        Reading declared;
        Reading reading;
        std::optional<std::string> otherwise;
        const ConnectSchema* schema = nullptr;  // The decoder's, of the event that was begun.
    };

    std::optional<Path> each_;
    std::vector<Entry> entries_;
    std::uint64_t key_schema_ = 0;  // Decoded::schema_id, from which the entries come.
    std::uint64_t value_schema_ = 0;
};

}  // namespace sluice
