// What the names of Kafka Connect's and Debezium's schemas mean for the way a value is written.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "map/path_reader.hpp"

namespace sluice {
namespace {

using namespace std::string_view_literals;

// org.apache.kafka.connect.data and io.debezium.time. What comes as a text (ZonedTimestamp,
// IsoDate) needs nothing.
constexpr std::array units{
    std::pair{"org.apache.kafka.connect.data.Date"sv, TimeUnit::days},
    std::pair{"org.apache.kafka.connect.data.Time"sv, TimeUnit::millis},
    std::pair{"org.apache.kafka.connect.data.Timestamp"sv, TimeUnit::millis},
    std::pair{"io.debezium.time.Date"sv, TimeUnit::days},
    std::pair{"io.debezium.time.Time"sv, TimeUnit::millis},
    std::pair{"io.debezium.time.MicroTime"sv, TimeUnit::micros},
    std::pair{"io.debezium.time.NanoTime"sv, TimeUnit::nanos},
    std::pair{"io.debezium.time.Timestamp"sv, TimeUnit::millis},
    std::pair{"io.debezium.time.MicroTimestamp"sv, TimeUnit::micros},
    std::pair{"io.debezium.time.NanoTimestamp"sv, TimeUnit::nanos},
};

std::optional<std::int32_t> scale_of(const ConnectSchema& schema) {
    const auto found = schema.parameters.find("scale");
    if (found == schema.parameters.end()) {
        return std::nullopt;
    }
    const std::string& text = found->second;
    std::int32_t scale = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), scale);
    return read.ec == std::errc{} ? std::optional(scale) : std::nullopt;
}

}  // namespace

Reading reading_of(const ConnectSchema& schema) {
    if (schema.type == ConnectType::array) {
        return reading_of(schema.parts.front());
    }
    Reading reading;
    const auto unit = std::ranges::find(units, schema.name, &decltype(units)::value_type::first);
    if (unit != units.end()) {
        reading.unit = unit->second;
    } else if (schema.name == "io.debezium.data.Json") {
        reading.encoding = BytesEncoding::json;
    } else if (schema.name == "io.debezium.data.VariableScaleDecimal") {
        reading.encoding = BytesEncoding::base64;  // Of its `value`.
    } else if (schema.type == ConnectType::bytes) {
        reading.encoding = BytesEncoding::base64;
        if (schema.name == "org.apache.kafka.connect.data.Decimal") {
            reading.scale = scale_of(schema);
        }
    }
    return reading;
}

}  // namespace sluice
