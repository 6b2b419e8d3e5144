// The topic of a history: what was produced, and what its tables hold after one pass over it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sluice::sim {

inline constexpr const char* topic_name = "topic";

// A field of a record: absent, null, or a text.
struct Field {
    bool present = false;
    std::optional<std::string> text;
};

struct Produced {
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    std::optional<std::int64_t> timestamp_ms;
    std::string key;
    std::optional<std::string> value;  // As it stands in the log.
    bool bad = false;                  // No table but that of the dead letters takes it.
    Field a;
    Field b;
    std::uint64_t number = 0;  // In the order of production, over all partitions.
    bool gone = false;         // Compacted away; who has read it may still hold it.
};

struct Partition {
    std::deque<Produced> records;
    std::int64_t end = 0;  // Behind the last record, and behind gaps.

    // The first record at or after `offset`, as an index.
    [[nodiscard]] std::size_t find(std::int64_t offset) const {
        std::size_t first = 0;
        std::size_t last = records.size();
        while (first < last) {
            const std::size_t middle = (first + last) / 2;
            if (records[middle].offset < offset) {
                first = middle + 1;
            } else {
                last = middle;
            }
        }
        return first;
    }
};

struct Log {
    std::deque<Partition> partitions;
    std::uint64_t produced = 0;

    void append(Produced record);
    // Of each key only the last record stays, of those before `end`.
    void compact(std::int32_t partition, std::int64_t end);
    void leave_gap(std::int32_t partition, std::int64_t offsets);
};

// A row of the table "state", which is upserted: key, two texts, and where it came from last.
struct StateRow {
    std::optional<std::string> a;
    std::optional<std::string> b;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
    bool operator==(const StateRow&) const = default;
};
using State = std::map<std::string, StateRow>;

// What `record` makes of its key's row. A bad one leaves it alone.
void fold(State& state, const Produced& record);
// One pass over the whole log, in the order of production.
State fold(const Log& log);

}  // namespace sluice::sim
