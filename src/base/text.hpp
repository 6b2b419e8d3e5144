// Small text helpers that several folders share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sluice {

// The candidate closest to `word` by edit distance, or nothing when none is near enough to help.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates);
// "a, b, c".
std::string join(std::span<const std::string_view> parts, std::string_view separator = ", ");

// True for well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);
// Code points in well-formed UTF-8.
std::size_t count_characters(std::string_view utf8);

// Length in milliseconds of "20ms", "30s", "5m", "2h", "30d".
std::optional<std::int64_t> parse_duration_ms(std::string_view text);
// Bytes of "512", "64KiB", "16MiB", "1GiB", "16MB".
std::optional<std::int64_t> parse_size_bytes(std::string_view text);

}  // namespace sluice
