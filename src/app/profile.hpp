// What a sample of a topic's records looks like: counted, not judged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/ids.hpp"
#include "model/record.hpp"

namespace sluice {

// A record that outlives its poll.
struct KeptRecord {
    Offset offset;
    std::optional<std::string> key;
    std::optional<std::string> value;

    // Of a partition that is nobody's.
    [[nodiscard]] Record view() const;
};

// A member of the value, or of one of its members.
struct FieldProfile {
    std::string name;
    std::size_t seen = 0;  // Nulls included.
    std::size_t nulls = 0;
    std::size_t objects = 0;
    std::size_t texts = 0;
    // Whole numbers, and the least and the greatest of them.
    std::size_t integers = 0;
    std::int64_t least = std::numeric_limits<std::int64_t>::max();
    std::int64_t most = std::numeric_limits<std::int64_t>::min();
    std::size_t as_key = 0;           // Equal to the record's key.
    std::size_t different = 0;        // Values, of those that are neither null nor objects.
    std::vector<FieldProfile> parts;  // The members of an object, of the first depth only.
};

struct TopicProfile {
    std::size_t records = 0;
    std::size_t keys = 0;
    std::size_t different_keys = 0;
    std::size_t object_keys = 0;           // Keys that are JSON objects, and
    std::vector<std::string> key_members;  // what these have.
    std::size_t binary_keys = 0;           // No UTF-8.
    std::size_t tombstones = 0;
    // Of the other values:
    std::size_t objects = 0;
    std::size_t with_schema = 0;  // Connect's, beside a payload; what follows is the payload's.
    std::size_t envelopes = 0;    // Debezium's.
    std::size_t flattened = 0;    // Debezium's, by ExtractNewRecordState.
    std::size_t registry = 0;     // They begin as a schema registry's serializers write them.
    std::size_t binary = 0;       // No UTF-8.
    std::vector<FieldProfile> fields;

    [[nodiscard]] std::size_t values() const { return records - tombstones; }
};

TopicProfile profile_of(std::span<const KeptRecord> records);

}  // namespace sluice
