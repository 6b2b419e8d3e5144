// A decoded record: its key and value as the route says they are to be read.
#pragma once

#include <cstdint>

#include "model/connect_schema.hpp"
#include "model/json.hpp"
#include "model/record.hpp"

namespace sluice {

// connect_json: as Kafka Connect's JsonConverter writes it, {"schema": …, "payload": …} or without
// schemas the payload alone.
enum class Format : std::uint8_t { json, string, bytes, connect_json };

constexpr bool is_json(Format format) {
    return format == Format::json || format == Format::connect_json;
}

// What becomes of a JSON object in which a name stands twice: the record is refused, or the last
// of them counts.
enum class DuplicateNames : std::uint8_t { refused, last };

// One side (key or value) of a record.
struct Decoded {
    Format format = Format::bytes;
    bool null = true;       // The record has no key, or a null value (a tombstone).
    std::string_view text;  // The bytes as they came, of connect_json the payload's; for `string`
                            // checked to be UTF-8.
    JsonDocument json;      // Filled where the format is JSON and null is false.
    // What stands beside the payload; null where nothing does. Two records with one id, of this
    // side and from one decoder, have the same schema; 0 is none.
    const ConnectSchema* schema = nullptr;
    std::uint64_t schema_id = 0;
};

// Reused from record to record; see JsonDocument for how long its views live.
struct Event {
    const Record* record = nullptr;
    Decoded key;
    Decoded value;
    // Which element of an array in the value is mapped, where a target takes each; else null. The
    // mapper's.
    const JsonNode* item = nullptr;
    std::uint32_t item_number = 0;  // From 0.
};

}  // namespace sluice
