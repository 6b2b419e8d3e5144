// From a Cell to the typed value of a column, exactly or not at all. Shared by all sinks, so
// that both databases agree on what a value is. Pure.
//
// Every function fails with a short reason ("a number of 19 digits does not fit 32 bits")
// that quotes no value; the caller adds topic, partition, offset and column.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/uuid.hpp"
#include "model/cell.hpp"

#include <tl/expected.hpp>

namespace sluice::convert {

struct Misfit {
    std::string reason;
    std::string hint;  // What to change; may be empty.
};
template <class T>
using Fit = tl::expected<T, Misfit>;
inline tl::unexpected<Misfit> misfit(std::string reason, std::string hint = {}) {
    return tl::unexpected<Misfit>(Misfit{std::move(reason), std::move(hint)});
}

Fit<bool> boolean(const Cell& cell);
// `bits` is 8, 16, 32 or 64. 1.0 and 1e3 are integers; 1.5 is not.
Fit<std::int64_t> integer(const Cell& cell, int bits);
// The nearest double. Refused: overflow, and an integer that a double can't hold exactly.
Fit<double> float64(const Cell& cell);
// The nearest float. Refused: overflow, and an integer that a float can't hold exactly.
Fit<float> float32(const Cell& cell);

// value = (negative ? -1 : 1) * digits * 10^-scale. `digits` has no leading zeros ("" is zero);
// the scale may be negative (1e3 is digits "1", scale -3).
struct Decimal {
    bool negative = false;
    std::string digits;
    std::int32_t scale = 0;
};
// A JSON string holding a number is accepted too: it is the customary exact form. Refused: an
// exponent beyond +-131072, which would let a few bytes become a number of megabytes. A number
// written as bytes (Reading::scale) is read by all functions here that take numbers.
Fit<Decimal> decimal(const Cell& cell);

// UTF-8; may hold NUL, which PostgreSQL's encoder refuses. Numbers, booleans, objects and arrays
// give their JSON text. The view lives as long as the cell or `scratch`.
Fit<std::string_view> text(const Cell& cell, std::string& scratch);
// JSON text, for json and jsonb columns. Texts that have no type of their own become JSON strings,
// in `scratch`; a NUL in such a text becomes \u0000. For NUL in JSON cells see Cell::document.
Fit<std::string_view> json(const Cell& cell, std::string& scratch);
// Raw bytes; a JSON string needs a declared encoding. Bytes and texts without a type of their own
// are taken as they are where none is declared.
Fit<std::string_view> bytes(const Cell& cell, std::string& scratch);
Fit<Uuid> uuid(const Cell& cell);

// Whether a text without an offset is taken ("2026-01-02T03:04:05").
enum class Zone : std::uint8_t { required, optional };
// Microseconds since 1970-01-01T00:00:00Z. Numbers need a unit; texts are RFC 3339 (a space for
// the T is fine). Refused: digits below a microsecond that are not zero, second 60, and a
// missing offset where `zone` says so. A text without an offset is taken as UTC.
Fit<std::int64_t> timestamp_us(const Cell& cell, Zone zone);
// A time of day in microseconds since midnight; 24:00:00 is one. Numbers need a unit; texts are
// hh:mm:ss with an offset from UTC or without.
struct TimeOfDay {
    std::int64_t us = 0;
    std::optional<std::int32_t> offset_s{};  // East of UTC.
};
Fit<TimeOfDay> time_of_day(const Cell& cell);
// A span of time as calendars have it: a month has no length in days, a day none in hours.
struct Span {
    std::int32_t months = 0;
    std::int32_t days = 0;
    std::int64_t us = 0;
};
// Texts are ISO 8601's durations, whose parts may each have a sign; numbers need a unit and are
// microseconds alone.
Fit<Span> span(const Cell& cell);
// Days since 1970-01-01. Texts are YYYY-MM-DD; numbers need the unit `days`.
Fit<std::int32_t> date(const Cell& cell);

bool is_array(const Cell& cell);
// Of a JSON array, each to be read as the array is.
Fit<std::vector<Cell>> elements(const Cell& cell);
struct Point {
    double x = 0;
    double y = 0;
};
Fit<Point> point(const Cell& cell);  // {"x": …, "y": …}; what else the object has is ignored.
// Bits as 0 and 1, the most significant first. Bytes in a declared encoding are Debezium's Bits:
// the least significant byte first, in a column of `size` bits.
Fit<std::string_view> bits(const Cell& cell, std::optional<std::size_t> size, std::string& scratch);

}  // namespace sluice::convert
