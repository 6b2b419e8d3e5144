#include "commit/metadata.hpp"

#include <charconv>

namespace sluice::commit {
namespace {

constexpr std::string_view version = "sluice-1";

// Takes "name=value " off the front of `text`.
std::optional<std::string_view> take(std::string_view& text, std::string_view name) {
    if (!text.starts_with(name) || text.substr(name.size(), 1) != "=") {
        return std::nullopt;
    }
    text.remove_prefix(name.size() + 1);
    const auto value = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(value.size() + 1, text.size()));
    return value;
}

}  // namespace

std::string to_text(const Metadata& metadata) {
    std::string text(version);
    text.append(" db=").append(metadata.database.to_string());
    text.append(" topic=").append(metadata.topic.to_string());
    text.append(" start=").append(metadata.start);
    if (metadata.clock) {
        text.append(" clock=").append(std::to_string(metadata.clock->value()));
    }
    return text;
}

std::optional<Metadata> parse_metadata(std::string_view text) {
    if (!text.starts_with(version) || text.substr(version.size(), 1) != " ") {
        return std::nullopt;
    }
    text.remove_prefix(version.size() + 1);
    const auto database = take(text, "db");
    const auto topic = take(text, "topic");
    const auto start = take(text, "start");
    if (!database || !topic || !start || !parse_uuid(*database) || !parse_uuid(*topic)) {
        return std::nullopt;
    }
    Metadata metadata{.database = *parse_uuid(*database),
                      .topic = *parse_uuid(*topic),
                      .clock = {},
                      .start = std::string(*start)};
    if (const auto clock = take(text, "clock")) {
        std::int64_t micros = 0;
        const auto parsed = std::from_chars(clock->data(), clock->data() + clock->size(), micros);
        if (parsed.ec != std::errc{} || parsed.ptr != clock->data() + clock->size()) {
            return std::nullopt;
        }
        metadata.clock = ClockMicros{micros};
    }
    return text.empty() ? std::optional(metadata) : std::nullopt;
}

}  // namespace sluice::commit
