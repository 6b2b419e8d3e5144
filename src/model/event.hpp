// A decoded record: its key and value as the route says they are to be read.
#pragma once

#include "model/json.hpp"
#include "model/record.hpp"

namespace sluice {

enum class Format : std::uint8_t { json, string, bytes };

// One side (key or value) of a record.
struct Decoded {
    Format format = Format::bytes;
    bool null = true;       // The record has no key, or a null value (a tombstone).
    std::string_view text;  // The bytes as they came; for `string` checked to be UTF-8.
    JsonDocument json;      // Filled where format is json and null is false.
};

// Reused from record to record; see JsonDocument for how long its views live.
struct Event {
    const Record* record = nullptr;
    Decoded key;
    Decoded value;
};

}  // namespace sluice
