#include "decode/decode.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "base/text.hpp"

namespace sluice {
namespace {

// Keys are short and mostly ASCII: seen at once, where a call of simdjson costs 20 ns.
bool is_short_ascii(std::string_view text) {
    constexpr std::size_t longest = 64;
    if (text.size() > longest) {
        return false;
    }
    std::uint64_t all = 0;
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, text.data() + at, 8);
        all |= eight;
    }
    for (; at < text.size(); ++at) {
        all |= static_cast<unsigned char>(text[at]);
    }
    return (all & 0x8080'8080'8080'8080) == 0;
}

// `side` is "key" or "value".
[[gnu::cold]] Error reject(const Record& record, std::string_view side, std::string detail,
                           std::string hint) {
    return {.action = Action::reject,
            .op = "decode",
            .where = record.where() + ", " + std::string(side),
            .code = {},
            .detail = std::move(detail),
            .hint = std::move(hint)};
}

// "use `--value string` (value: string)", for either side.
std::string use_format(std::string_view side, std::string_view format) {
    std::string out = "`--";
    out.append(side).append(" ").append(format).append("` (");
    out.append(side).append(": ").append(format).append(")");
    return out;
}

[[gnu::cold]] Error not_json(const Record& record, std::string_view side, const BadJson& problem) {
    if (problem.schema_id) {
        // The reason begins with "it".
        return reject(record, side, "the " + std::string(side) + problem.reason.substr(2),
                      "this topic carries Avro, Protobuf or JSON Schema with a registry, which is "
                      "not decoded here; " +
                          use_format(side, "bytes") + " stores it undecoded");
    }
    return reject(record, side,
                  "not JSON: " + problem.reason + ", at byte " + std::to_string(problem.position),
                  "if the topic holds plain text, use " + use_format(side, "string"));
}

}  // namespace

Result<void> Decoder::decode(const Record& record, Format key, Format value, DuplicateNames names,
                             Event& event) {
    event.record = &record;
    SLUICE_TRY(decode(record, record.key, key, key_, event.key));
    SLUICE_TRY(decode(record, record.value, value, value_, event.value));
    if (names == DuplicateNames::last) {
        return {};
    }
    SLUICE_TRY(check_names(record, record.key.value_or(""), key_, event.key));
    return check_names(record, record.value.value_or(""), value_, event.value);
}

Result<void> Decoder::check_names(const Record& record, std::string_view bytes, const Side& side,
                                  const Decoded& decoded) {
    if (decoded.null || !is_json(decoded.format)) {
        return {};
    }
    const JsonNode* repeated = repeated_.find(decoded.json);
    if (repeated == nullptr) [[likely]] {
        return {};
    }
    const auto at = repeated->raw.data() - bytes.data();
    return fail(
        reject(record, side.name,
               "a name stands twice in one object, the second time with the value at byte " +
                   std::to_string(at),
               "databases keep different ones of them: set `duplicate_names: last` in the "
               "route if the last is meant"));
}

Result<void> Decoder::decode(const Record& record, const std::optional<std::string_view>& bytes,
                             Format format, Side& side, Decoded& out) {
    out.format = format;
    out.null = !bytes.has_value();
    out.text = bytes.value_or(std::string_view{});
    out.schema = nullptr;
    out.schema_id = 0;
    if (out.null) {
        return {};
    }
    switch (format) {
        case Format::json:
            if (auto parsed = side.parser.parse(out.text, out.json); !parsed) [[unlikely]] {
                return fail(not_json(record, side.name, parsed.error()));
            }
            break;
        case Format::connect_json:
            if (auto read = side.connect.read(out.text, side.parser, out); !read) [[unlikely]] {
                return fail(not_json(record, side.name, read.error()));
            }
            break;
        case Format::string:
            if (!is_short_ascii(out.text) && !is_utf8(out.text)) [[unlikely]] {
                return fail(reject(record, side.name, "the bytes are not UTF-8",
                                   "if the topic holds binary data, use " +
                                       use_format(side.name, "bytes")));
            }
            break;
        case Format::bytes:
            break;
    }
    return {};
}

}  // namespace sluice
