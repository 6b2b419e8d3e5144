// One value on its way from a record to a column, before the column's type is applied.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/uuid.hpp"
#include "model/json.hpp"

namespace sluice {

enum class CellKind : std::uint8_t {
    absent,   // The path leads nowhere in this record.
    null,     // An explicit null.
    boolean,  // JSON true or false.
    number,   // A JSON number: `text` is its token.
    string,   // A JSON string: `text` is unescaped UTF-8, `raw` its token.
    json,     // A JSON object or array: `raw` is its text.
    text,     // UTF-8 without a type of its own (a string key, a header): may be read as any.
    bytes,    // Bytes that may be no text: `text` holds them.
    integer,  // `integer`, from meta.partition, meta.offset.
    time_ms,  // `integer`: milliseconds since 1970, from meta.timestamp.
    uuid,     // `uuid`, from meta.id.
};

// How a number, or an encoded string, is to be read where the column can't tell.
enum class TimeUnit : std::uint8_t { none, seconds, millis, micros, nanos, days };
enum class BytesEncoding : std::uint8_t { none, base64, hex, utf8, json };

struct Reading {
    TimeUnit unit = TimeUnit::none;
    BytesEncoding encoding = BytesEncoding::none;
    // The bytes are a two's complement integer, most significant byte first, times 10^-scale.
    std::optional<std::int32_t> scale{};
    bool operator==(const Reading&) const = default;
};

// Views live as long as the Event they were taken from.
struct Cell {
    CellKind kind = CellKind::absent;
    bool boolean = false;
    std::int64_t integer = 0;
    std::string_view text;
    std::string_view raw;                    // JSON cells: the value's own text in the document.
    const JsonDocument* document = nullptr;  // JSON cells: where it came from, and as what.
    const JsonNode* node = nullptr;
    Uuid uuid{};
    Reading reading{};
};

constexpr bool is_nothing(const Cell& cell) {
    return cell.kind == CellKind::absent || cell.kind == CellKind::null;
}

// The value of a document's node.
Cell json_cell(const JsonNode& node, const JsonDocument& document);

std::string_view to_string(CellKind kind);  // For errors: "a JSON string".

}  // namespace sluice
