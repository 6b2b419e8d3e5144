#include "map/shape.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "map/path_reader.hpp"

namespace sluice {
namespace {

using namespace std::string_view_literals;

// What the names of Kafka Connect's and Debezium's schemas mean; times that are numbers are told by
// their reading.
constexpr std::array named{
    std::pair{"org.apache.kafka.connect.data.Decimal"sv, Shape{ShapeKind::decimal}},
    std::pair{"io.debezium.data.VariableScaleDecimal"sv, Shape{ShapeKind::decimal}},
    std::pair{"org.apache.kafka.connect.data.Date"sv, Shape{ShapeKind::date}},
    std::pair{"org.apache.kafka.connect.data.Time"sv, Shape{ShapeKind::time}},
    std::pair{"org.apache.kafka.connect.data.Timestamp"sv, Shape{ShapeKind::timestamp}},
    std::pair{"io.debezium.time.Date"sv, Shape{ShapeKind::date}},
    std::pair{"io.debezium.time.Time"sv, Shape{ShapeKind::time}},
    std::pair{"io.debezium.time.MicroTime"sv, Shape{ShapeKind::time}},
    std::pair{"io.debezium.time.NanoTime"sv, Shape{ShapeKind::time}},
    std::pair{"io.debezium.time.Timestamp"sv, Shape{ShapeKind::timestamp}},
    std::pair{"io.debezium.time.MicroTimestamp"sv, Shape{ShapeKind::timestamp}},
    std::pair{"io.debezium.time.NanoTimestamp"sv, Shape{ShapeKind::timestamp}},
    std::pair{"io.debezium.time.IsoDate"sv, Shape{ShapeKind::date}},
    std::pair{"io.debezium.time.IsoTime"sv, Shape{ShapeKind::time, false, TimeUnit::micros}},
    std::pair{"io.debezium.time.IsoTimestamp"sv,
              Shape{ShapeKind::timestamp, false, TimeUnit::micros}},
    std::pair{"io.debezium.time.ZonedTime"sv, Shape{ShapeKind::time_with_zone}},
    std::pair{"io.debezium.time.ZonedTimestamp"sv,
              Shape{ShapeKind::instant, false, TimeUnit::micros}},
    std::pair{"io.debezium.time.Interval"sv, Shape{ShapeKind::interval}},
    std::pair{"io.debezium.data.Json"sv, Shape{ShapeKind::json}},
    std::pair{"io.debezium.data.Uuid"sv, Shape{ShapeKind::uuid}},
    std::pair{"io.debezium.data.Bits"sv, Shape{ShapeKind::bits}},
    std::pair{"io.debezium.data.geometry.Point"sv, Shape{ShapeKind::point}},
};

Shape plain(ConnectType type) {
    switch (type) {
        case ConnectType::int8:
        case ConnectType::int16:
            return {ShapeKind::int16};
        case ConnectType::int32:
            return {ShapeKind::int32};
        case ConnectType::int64:
            return {ShapeKind::int64};
        case ConnectType::float32:
            return {ShapeKind::float32};
        case ConnectType::float64:
            return {ShapeKind::float64};
        case ConnectType::boolean:
            return {ShapeKind::boolean};
        case ConnectType::string:
            return {ShapeKind::text};
        case ConnectType::bytes:
            return {ShapeKind::bytes};
        case ConnectType::array:
        case ConnectType::map:
        case ConnectType::structure:
            return {ShapeKind::json};
    }
    return {ShapeKind::text};
}

Shape shape_of_number(std::string_view token) {
    if (token.find_first_of(".eE") != std::string_view::npos) {
        return {ShapeKind::decimal};
    }
    std::int64_t value = 0;
    const auto read = std::from_chars(token.data(), token.data() + token.size(), value);
    return {read.ec == std::errc{} ? ShapeKind::int64 : ShapeKind::integer};
}

// What the configuration says of how it is written.
std::optional<Shape> declared(const Reading& reading) {
    if (reading.unit == TimeUnit::days) {
        return Shape{ShapeKind::date};
    }
    if (reading.unit != TimeUnit::none) {
        return Shape{ShapeKind::instant, false, reading.unit, true};
    }
    switch (reading.encoding) {
        case BytesEncoding::base64:
        case BytesEncoding::hex:
            return Shape{reading.scale ? ShapeKind::decimal : ShapeKind::bytes};
        case BytesEncoding::utf8:
            return Shape{ShapeKind::bytes};
        case BytesEncoding::json:
            return Shape{ShapeKind::json};
        case BytesEncoding::none:
            break;
    }
    return std::nullopt;
}

// By size: each takes those before it.
constexpr std::array numbers{ShapeKind::int16, ShapeKind::int32, ShapeKind::int64,
                             ShapeKind::integer, ShapeKind::decimal};

}  // namespace

Shape shape_of(const ConnectSchema& schema) {
    if (schema.type == ConnectType::array) {
        const ConnectSchema& item = schema.parts.front();
        Shape shape = shape_of(item);
        if (item.type == ConnectType::array || shape.kind == ShapeKind::json) {
            return {ShapeKind::json};  // Nothing says how deep every one of them is.
        }
        shape.array = true;
        return shape;
    }
    const auto found = std::ranges::find(named, schema.name, &decltype(named)::value_type::first);
    Shape shape = found == named.end() ? plain(schema.type) : found->second;
    if (const auto unit = reading_of(schema).unit; unit != TimeUnit::none) {
        shape.finest = unit;
        shape.is_number = true;
    }
    return shape;
}

Shape shape_of(const Cell& cell) {
    if (is_nothing(cell)) {
        return {};
    }
    if (const auto said = declared(cell.reading)) {
        return *said;
    }
    switch (cell.kind) {
        case CellKind::boolean:
            return {ShapeKind::boolean};
        case CellKind::number:
            return shape_of_number(cell.text);
        case CellKind::json:
            return {ShapeKind::json};
        case CellKind::bytes:
            return {ShapeKind::bytes};
        case CellKind::integer:
            return {ShapeKind::int64};
        case CellKind::time_ms:
            return {ShapeKind::instant, false, TimeUnit::millis, true};
        case CellKind::uuid:
            return {ShapeKind::uuid};
        case CellKind::string:
        case CellKind::text:
        case CellKind::absent:
        case CellKind::null:
            break;
    }
    return {ShapeKind::text};
}

Shape widened(const Shape& a, const Shape& b) {
    if (a == b || b.kind == ShapeKind::nothing) {
        return a;
    }
    if (a.kind == ShapeKind::nothing) {
        return b;
    }
    const auto size_a = std::ranges::find(numbers, a.kind);
    const auto size_b = std::ranges::find(numbers, b.kind);
    if (size_a != numbers.end() && size_b != numbers.end() && !a.array && !b.array) {
        return {*std::max(size_a, size_b)};
    }
    // A text takes what is a number or a text, and JSON takes all that JSON can say.
    const auto is_structured = [](const Shape& shape) {
        return shape.array || shape.kind == ShapeKind::json || shape.kind == ShapeKind::point;
    };
    return {is_structured(a) || is_structured(b) ? ShapeKind::json : ShapeKind::text};
}

}  // namespace sluice
