#include "commit/metadata.hpp"

#include <algorithm>
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

std::optional<std::int64_t> to_number(std::string_view text) {
    std::int64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
    return whole ? std::optional(number) : std::nullopt;
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
    if (metadata.stored) {
        text.append(" stored=").append(std::to_string(metadata.stored->value()));
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
                      .stored = {},
                      .start = std::string(*start)};
    const auto clock = take(text, "clock");
    const auto stored = take(text, "stored");
    if ((clock && !to_number(*clock)) || (stored && !to_number(*stored)) || !text.empty()) {
        return std::nullopt;
    }
    if (clock) {
        metadata.clock = ClockMicros{*to_number(*clock)};
    }
    if (stored) {
        metadata.stored = Offset{*to_number(*stored)};
    }
    return metadata;
}

}  // namespace sluice::commit
