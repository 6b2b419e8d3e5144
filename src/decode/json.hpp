// Bytes to JsonDocument: exactly the documents of RFC 8259, with every number kept as text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "model/json.hpp"

namespace sluice {

// Why a value is no JSON. Never quotes it.
struct BadJson {
    std::string reason;        // "a value is missing", without the position.
    std::size_t position = 0;  // The byte where it shows, from 0.
    // The bytes carry a schema registry's header (a zero byte, then this id, big-endian).
    std::optional<std::uint32_t> schema_id;
};

// One per thread and per document that has to stay readable: parsing again ends the life of the
// document before. After an error it is as good as new; the document then holds nothing.
//
// simdjson's first stage finds where tokens begin and checks UTF-8; the tokens are checked here.
// Its own second stages (DOM, On-Demand) are not used: the one turns numbers into doubles and
// 64-bit integers, the other leaves unchecked what nobody asks for. See README.md.
class JsonParser {
public:
    // Arrays and objects inside each other. PostgreSQL's jsonb takes ten thousand.
    static constexpr std::size_t depth_max = 512;

    JsonParser();
    ~JsonParser();
    JsonParser(JsonParser&&) noexcept;
    JsonParser& operator=(JsonParser&&) noexcept;

    // Fills `document` with views into `bytes` and into this parser. A string without escapes is
    // a view into `bytes`; `raw` always is. `has_nul` looks at names too.
    tl::expected<void, BadJson> parse(std::string_view bytes, JsonDocument& document);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sluice
