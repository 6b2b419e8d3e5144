// What Kafka Connect's JsonConverter says of a value beside it: the `schema` of
// {"schema": …, "payload": …}.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// The types of org.apache.kafka.connect.data.Schema.Type.
enum class ConnectType : std::uint8_t {
    int8,
    int16,
    int32,
    int64,
    float32,
    float64,
    boolean,
    string,
    bytes,  // In JSON a string in base64.
    array,
    map,
    structure,  // "struct".
};

struct ConnectSchema {
    ConnectType type = ConnectType::string;
    bool optional = false;
    std::string field;  // The member's name, inside a struct.
    std::string name;   // What the values mean: "io.debezium.time.Date"; may be empty.
    std::map<std::string, std::string> parameters;
    std::vector<ConnectSchema> parts;  // A struct's fields; an array's items; a map's keys, values.

    // A struct's field, or nothing.
    [[nodiscard]] const ConnectSchema* find(std::string_view field) const;
};

std::string_view to_string(ConnectType type);  // As JsonConverter writes it.

}  // namespace sluice
