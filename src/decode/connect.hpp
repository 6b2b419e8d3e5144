// JSON as Kafka Connect's JsonConverter writes it: {"schema": …, "payload": …}, or without schemas
// the payload alone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "decode/json.hpp"
#include "model/event.hpp"

namespace sluice {

// One per thread and side (key or value).
class ConnectReader {
public:
    // Fills text, null, json, schema and schema_id of `out`; views as JsonParser::parse() has
    // them, and the schema is good until the next read(). An object is an envelope if it has
    // exactly the members `schema` and `payload`; anything else is a payload without a schema. A
    // null payload is a null value, as it is to Kafka Connect.
    tl::expected<void, BadJson> read(std::string_view bytes, JsonParser& parser, Decoded& out);

private:
    // JsonConverter writes the same schema in front of every record: it is read once.
    struct Known {
        std::string prefix;  // Of the record's bytes, up to the payload; empty: not found again.
        std::unique_ptr<const ConnectSchema> schema;
        std::uint64_t id = 0;
    };
    // Of as many topics as one lane is likely to read side by side. Each costs a comparison that
    // ends at the first byte that differs.
    static constexpr std::size_t known_max = 32;
    static constexpr std::size_t prefix_bytes_max = 64u << 10;

    bool read_known(std::string_view bytes, JsonParser& parser, Decoded& out);
    tl::expected<void, BadJson> read_whole(std::string_view bytes, JsonParser& parser,
                                           Decoded& out);
    tl::expected<void, BadJson> read_schema(std::string_view bytes, const JsonNode& node,
                                            std::string_view payload, Decoded& out);

    std::vector<Known> known_;  // The one that was used last stands first.
    std::uint64_t last_id_ = 0;
};

}  // namespace sluice
