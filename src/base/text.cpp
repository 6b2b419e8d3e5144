#include "base/text.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>
#include <vector>

namespace sluice {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row.back();
}

struct Unit {
    std::string_view name;
    std::int64_t factor;
};

std::optional<std::int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
    std::int64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || number < 0) {
        return std::nullopt;
    }
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    const auto found = std::ranges::find(units, unit, &Unit::name);
    if (found == units.end() || number > std::numeric_limits<std::int64_t>::max() / found->factor) {
        return std::nullopt;
    }
    return number * found->factor;
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates) {
    std::optional<std::string_view> best;
    // Two slips in a short word, a third of a long one: beyond that a guess confuses.
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const auto candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string join(std::span<const std::string_view> parts, std::string_view separator) {
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        out.append(i == 0 ? "" : separator).append(parts[i]);
    }
    return out;
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
    return join(std::vector<std::string_view>(parts.begin(), parts.end()), separator);
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

std::size_t count_characters(std::string_view utf8) {
    return static_cast<std::size_t>(std::ranges::count_if(
        utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::optional<std::int64_t> parse_duration_ms(std::string_view text) {
    static constexpr std::array units{Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000},
                                      Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
    return parse_with_unit(text, units);
}

std::optional<std::int64_t> parse_bytes(std::string_view text) {
    static constexpr std::array units{Unit{"KiB", 1 << 10}, Unit{"MiB", 1 << 20},
                                      Unit{"GiB", 1 << 30}};
    return parse_with_unit(text, units);
}

std::string printable(std::string_view text) {
    constexpr std::size_t printable_bytes_max = 60;
    std::string out;
    for (const char c : text.substr(0, printable_bytes_max)) {
        const auto byte = static_cast<unsigned char>(c);
        out.push_back(byte < 0x20 || byte == 0x7f ? '?' : c);
    }
    if (text.size() > printable_bytes_max) {
        while (!is_utf8(out)) {  // The cut may have gone through a character.
            out.pop_back();
        }
        out.append("…");
    }
    return out;
}

}  // namespace sluice
