#include "app/dlq_text.hpp"

#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include <chrono>

#include "base/text.hpp"
#include "decode/json.hpp"
#include "model/cell.hpp"
#include "model/convert.hpp"

namespace sluice {
namespace {

constexpr std::size_t hex_line = 32;  // Bytes.

std::string time_of(const std::optional<std::int64_t>& ms) {
    constexpr std::int64_t year_10000_ms = 253'402'300'800'000;
    if (!ms) {
        return "no time";
    }
    if (*ms < 0 || *ms >= year_10000_ms) {
        return std::to_string(*ms) + " ms";
    }
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                       fmt::gmtime(static_cast<std::time_t>(*ms / 1000)), *ms % 1000);
}

std::string size_of(const std::optional<std::size_t>& bytes) {
    return bytes ? std::to_string(*bytes) + " B" : "null";
}

std::string json_text(std::string_view text) {
    Cell cell;
    cell.kind = CellKind::text;
    const std::string safe = is_utf8(text) ? std::string(text) : harmless(text);
    cell.text = safe;
    std::string scratch;
    return std::string(*convert::json(cell, scratch));
}

template <class Number>
std::string json_number(const std::optional<Number>& number) {
    return number ? std::to_string(*number) : "null";
}

// The bytes of the character at the front of well-formed UTF-8.
std::size_t character_bytes(std::string_view utf8) {
    const auto first = static_cast<unsigned char>(utf8.front());
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

// U+0080 to U+009F, which terminals take for escapes; U+061C, U+200E and U+200F, U+2028 to
// U+202E, U+2066 to U+2069: line ends and turns of direction.
bool is_acting(std::string_view character) {
    static constexpr std::string_view ends = "\xe2\x80\xa8";
    const auto last = static_cast<unsigned char>(character.back());
    if (character.size() == 2) {
        return (character[0] == '\xc2' && last < 0xa0) || character == "\xd8\x9c";
    }
    return (character.starts_with(ends.substr(0, 2)) &&
            (last == 0x8e || last == 0x8f || (last >= 0xa8 && last <= 0xae))) ||
           (character.starts_with("\xe2\x81") && last >= 0xa6 && last <= 0xa9);
}

void append_escaped(std::string_view bytes, std::string& out) {
    for (const char byte : bytes) {
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(byte));
    }
}

void append_hex(std::string_view bytes, std::string& out) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        fmt::format_to(std::back_inserter(out), "{}{:02x}",
                       i == 0              ? "  "
                       : i % hex_line == 0 ? "\n  "
                                           : " ",
                       static_cast<unsigned char>(bytes[i]));
    }
}

void append_side(std::string_view name, const std::optional<std::string>& bytes, std::string& out) {
    if (!bytes) {
        fmt::format_to(std::back_inserter(out), "{:<10} null\n", name);
        return;
    }
    const bool text = is_utf8(*bytes);
    fmt::format_to(std::back_inserter(out), "{:<10} {}, {} B\n", name, text ? "text" : "bytes",
                   bytes->size());
    if (text) {
        out.append("  ").append(harmless(*bytes, true));
    } else {
        append_hex(*bytes, out);
    }
    out.push_back('\n');
}

// At most `width` columns, were each character one wide.
std::string cut(std::string text, std::size_t width) {
    std::size_t columns = 0;
    std::size_t last = 0;  // Where the last column begins, which the dots may need.
    for (std::size_t at = 0; width > 0 && at < text.size();
         at += character_bytes(std::string_view(text).substr(at))) {
        ++columns;
        if (columns == width) {
            last = at;
        } else if (columns > width) {
            return text.substr(0, last) + "…";
        }
    }
    return text;
}

Error bad_headers(const StoredLetter& letter) {
    return {.action = Action::reject,
            .op = "dlq.headers",
            .where = letter.info.key.where(),
            .code = {},
            .detail = "the headers that are stored are not a JSON array of headers",
            .hint = "mend them, or delete the letter"};
}

std::optional<std::string> from_hex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        const int high = hex_value(hex[i]);
        const int low = hex_value(hex[i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        bytes.push_back(static_cast<char>(high << 4 | low));
    }
    return hex.size() % 2 == 0 ? std::optional(bytes) : std::nullopt;
}

// The member `plain` as it is, or the member `hex` decoded; nothing where neither is a text.
std::optional<std::string> bytes_of(const JsonDocument& document, const JsonNode& header,
                                    std::string_view plain, std::string_view hex) {
    const JsonNode* text = document.member(header, plain);
    if (text != nullptr && text->type == JsonType::string) {
        return std::string(text->text);
    }
    const JsonNode* encoded = document.member(header, hex);
    return encoded != nullptr && encoded->type == JsonType::string ? from_hex(encoded->text)
                                                                   : std::nullopt;
}

}  // namespace

std::string harmless(std::string_view bytes, bool lines) {
    std::string out;
    const bool text = is_utf8(bytes);
    while (!bytes.empty()) {
        const auto first = static_cast<unsigned char>(bytes.front());
        const auto character = bytes.substr(0, text ? character_bytes(bytes) : 1);
        const bool kept = lines && (first == '\n' || first == '\t');
        const bool acts = character.size() == 1 ? first < 0x20 || first >= 0x7f
                                                : is_acting(character);
        if (acts && !kept) {
            append_escaped(character, out);
        } else {
            out.append(character);
        }
        bytes.remove_prefix(character.size());
    }
    return out;
}

void LetterCounts::add(const std::string& lane, const LetterInfo& letter) {
    ++counts_[{lane, letter.key.partition.topic, letter.reason}];
    ++total_;
}

std::string LetterCounts::text() const {
    std::string out;
    for (const auto& [what, count] : counts_) {
        const auto& [lane, topic, reason] = what;
        out += fmt::format("{}  {}  {}: {}\n", lane, harmless(topic), harmless(reason), count);
    }
    return out;
}

std::string LetterCounts::json() const {
    std::string out;
    for (const auto& [what, count] : counts_) {
        const auto& [lane, topic, reason] = what;
        out += fmt::format(R"({}{{"lane": {}, "topic": {}, "reason": {}, "count": {}}})",
                           out.empty() ? "" : ", ", json_text(lane), json_text(topic),
                           json_text(reason), count);
    }
    return "[" + out + "]";
}

std::string line_of(const std::string& lane, const LetterInfo& letter, std::size_t width) {
    const std::string first = fmt::format("{:<9}  {}  {}  {}  key {}, value {}", lane,
                                          harmless(letter.key.where()),
                                          time_of(letter.timestamp_ms), harmless(letter.reason),
                                          size_of(letter.key_bytes), size_of(letter.value_bytes));
    return cut(first, width) + "\n" + cut("           " + harmless(letter.error), width) + "\n";
}

std::string json_of(const std::string& lane, const LetterInfo& letter) {
    return fmt::format(
        R"({{"lane": {}, "topic": {}, "partition": {}, "offset": {}, "timestamp_ms": {}, )"
        R"("reason": {}, "error": {}, "key_bytes": {}, "value_bytes": {}}})",
        json_text(lane), json_text(letter.key.partition.topic),
        letter.key.partition.partition.value(), letter.key.offset.value(),
        json_number(letter.timestamp_ms), json_text(letter.reason), json_text(letter.error),
        json_number(letter.key_bytes), json_number(letter.value_bytes));
}

std::string whole(const std::string& lane, const StoredLetter& letter) {
    std::string out = fmt::format(
        "{:<10} {}\n{:<10} {}\n{:<10} {}\n{:<10} {}\n{:<10} {}\n", "record",
        harmless(letter.info.key.where()), "lane", lane, "time", time_of(letter.info.timestamp_ms),
        "reason", harmless(letter.info.reason), "error", harmless(letter.info.error));
    append_side("key", letter.key, out);
    append_side("value", letter.value, out);
    fmt::format_to(std::back_inserter(out), "{:<10} {}\n", "headers", letter.headers.size());
    for (const auto& header : letter.headers) {
        append_side("  " + harmless(header.name), header.value, out);
    }
    return out;
}

Result<void> read_headers(StoredLetter& letter) {
    if (letter.headers_json.empty()) {
        return {};
    }
    JsonParser parser;
    JsonDocument document;
    if (!parser.parse(letter.headers_json, document) || document.root().type != JsonType::array) {
        return fail(bad_headers(letter));
    }
    letter.headers.clear();
    for (std::uint32_t i = 0;; ++i) {
        const JsonNode* header = document.element(document.root(), i);
        if (header == nullptr) {
            return {};
        }
        if (header->type != JsonType::object) {
            return fail(bad_headers(letter));
        }
        const auto name = bytes_of(document, *header, "name", "name_hex");
        auto value = bytes_of(document, *header, "value", "hex");
        const JsonNode* plain = document.member(*header, "value");
        const bool null = plain != nullptr && plain->type == JsonType::null;
        if (!name || (!value && !null)) {
            return fail(bad_headers(letter));
        }
        letter.headers.push_back({*name, std::move(value)});
    }
}

}  // namespace sluice
