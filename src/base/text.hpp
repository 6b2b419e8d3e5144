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
std::string join(std::span<const std::string> parts, std::string_view separator = ", ");

// True for well-formed UTF-8 (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);
// Code points in well-formed UTF-8.
std::size_t count_characters(std::string_view utf8);

inline constexpr std::string_view hex_digits = "0123456789abcdef";
// The value of a hexadecimal digit of either case, or -1.
constexpr int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Length in milliseconds of "20ms", "30s", "5m", "2h", "30d".
std::optional<std::int64_t> parse_duration_ms(std::string_view text);
// Bytes of "64KiB", "256MiB", "2GiB".
std::optional<std::int64_t> parse_bytes(std::string_view text);
// Text of the user's for a message: cut, and without control characters.
std::string printable(std::string_view text);

}  // namespace sluice
