#include "decode/json.hpp"

#include <simdjson.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/big_endian.hpp"
#include "decode/json_string.hpp"
#include "decode/json_walk.hpp"

namespace sluice {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
// One large document must not hold memory for ever: buffers beyond the second number of each pair
// go when a document below the first comes, which never fills them so far itself.
constexpr std::size_t small_document = 1 << 20;
constexpr std::size_t kept_capacity = 2 * small_document;
constexpr std::size_t few_bytes = 1 << 16;
constexpr std::size_t kept_nodes = few_bytes;

// Where the first control character inside a string stands.
[[gnu::cold]] std::size_t control_in_string(std::string_view bytes) {
    bool inside = false;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        const char c = bytes[at];
        if (inside && static_cast<unsigned char>(c) < 0x20) {
            return at;
        }
        if (c == '\\') {
            ++at;
        } else if (c == '"') {
            inside = !inside;
        }
    }
    return bytes.size();
}

[[gnu::cold]] BadJson first_stage_problem(simdjson::error_code code, std::string_view bytes) {
    switch (code) {
        case simdjson::EMPTY:
            return {"there is nothing but white space", 0, {}};
        case simdjson::UTF8_ERROR:
            return {"the bytes are not UTF-8", utf8_end(bytes), {}};
        case simdjson::UNCLOSED_STRING:
            return {"a string has no closing quote", bytes.size(), {}};
        case simdjson::UNESCAPED_CHARS:
            return {
                "a control character stands unescaped in a string", control_in_string(bytes), {}};
        default:
            return {simdjson::error_message(code), 0, {}};
    }
}

// What can be said before any parsing.
[[gnu::cold]] std::optional<BadJson> telling_start(std::string_view bytes) {
    if (bytes.empty()) {
        return BadJson{"it is empty (0 bytes)", 0, {}};
    }
    if (bytes.starts_with(byte_order_mark)) {
        return BadJson{"it starts with a byte order mark, which JSON forbids", 0, {}};
    }
    if (bytes.front() == '\0' && bytes.size() >= 5) {
        const auto id = read_big_endian<std::uint32_t>(bytes.data() + 1);
        return BadJson{"it starts with a schema registry's magic byte, schema id " +
                           std::to_string(id),
                       0, id};
    }
    return std::nullopt;
}

}  // namespace

struct JsonParser::State {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
    UnescapedMemory unescaped;
    // The first stage reads `size` bytes and not more, but in the fallback for old processors,
    // which looks a few bytes further: those get a copy.
    bool copies = simdjson::get_active_implementation()->name() == "fallback";
    std::string copy;

    void make_room(std::size_t size) {
        if (stage != nullptr && stage->capacity() >= size &&
            (stage->capacity() <= kept_capacity || size > small_document)) {
            return;
        }
        constexpr std::size_t smallest = 4096;
        const std::size_t capacity = std::max(smallest, size + size / 2);
        stage.reset();
        unescaped = {};
        const auto failed = simdjson::get_active_implementation()->create_dom_parser_implementation(
            std::min<std::size_t>(capacity, simdjson::SIMDJSON_MAXSIZE_BYTES), 1, stage);
        if (failed != simdjson::SUCCESS) {
            throw std::bad_alloc();
        }
    }
};

JsonParser::JsonParser() : state_(std::make_unique<State>()) {}
JsonParser::~JsonParser() = default;
JsonParser::JsonParser(JsonParser&&) noexcept = default;
JsonParser& JsonParser::operator=(JsonParser&&) noexcept = default;

tl::expected<void, BadJson> JsonParser::parse(std::string_view bytes, JsonDocument& document) {
    State& state = *state_;
    document.nodes.clear();
    document.has_nul = false;
    if (document.nodes.capacity() > kept_nodes && bytes.size() < few_bytes) {
        document.nodes.shrink_to_fit();
    }
    if (bytes.size() >= simdjson::SIMDJSON_MAXSIZE_BYTES) {
        return tl::unexpected(BadJson{"the document is larger than 4 GiB", 0, {}});
    }
    if (bytes.empty() || bytes.front() == '\0' || bytes.front() == byte_order_mark.front()) {
        if (auto problem = telling_start(bytes)) {
            return tl::unexpected(*std::move(problem));
        }
    }
    state.make_room(bytes.size());
    state.unescaped.start(state.stage->capacity());
    std::string_view seen = bytes;
    if (state.copies) {
        state.copy.assign(bytes).append(simdjson::SIMDJSON_PADDING, ' ');
        seen = std::string_view(state.copy).substr(0, bytes.size());
    }
    const auto code = state.stage->stage1(reinterpret_cast<const std::uint8_t*>(seen.data()),
                                          seen.size(), simdjson::stage1_mode::regular);
    if (code != simdjson::SUCCESS) {
        return tl::unexpected(first_stage_problem(code, bytes));
    }
    JsonProblem problem;
    const bool good = walk_json(
        bytes, {state.stage->structural_indexes.get(), state.stage->n_structural_indexes}, document,
        state.unescaped, problem);
    if (!good) {
        document.nodes.clear();
        return tl::unexpected(BadJson{std::string(problem.reason), problem.position, {}});
    }
    return {};
}

}  // namespace sluice
