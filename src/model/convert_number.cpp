#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "model/convert.hpp"
#include "model/convert_parts.hpp"

namespace sluice::convert {
namespace {

using parts::Number;

constexpr std::string_view wider_hint = "use a wider column: bigint, numeric or text";

tl::unexpected<Misfit> no_number(const Cell& cell) {
    return misfit(std::string(to_string(cell.kind)) + " holds no number",
                  "a number is written as in JSON, such as -12 or 1.5e3; or use a text column");
}

tl::unexpected<Misfit> too_wide(const Cell& cell, int bits) {
    return misfit(parts::name_number(cell) + " does not fit " + std::to_string(bits) + " bits",
                  std::string(bits < 64 ? wider_hint : "use a numeric or text column"));
}

Fit<std::int64_t> in_range(const Cell& cell, std::int64_t value, int bits) {
    if (bits < 64) {
        const std::int64_t end = std::int64_t{1} << (bits - 1);
        if (value < -end || value >= end) {
            return too_wide(cell, bits);
        }
    }
    return value;
}

// For everything that std::from_chars does not take whole: 1.0, 1e3, 99999999999999999999.
Fit<std::int64_t> integer_of(const Cell& cell, const Number& number, int bits) {
    const auto digits = parts::significand(number);
    if (digits.exponent < 0) {
        return misfit(parts::name_number(cell) + " is not an integer",
                      "use a numeric or floating-point column");
    }
    constexpr std::int64_t digits_max = 19;
    if (static_cast<std::int64_t>(digits.size()) + digits.exponent > digits_max) {
        return too_wide(cell, bits);
    }
    std::uint64_t magnitude = 0;  // 19 digits always fit.
    for (const auto part : {digits.whole, digits.fraction}) {
        for (const char c : part) {
            magnitude = magnitude * 10 + static_cast<std::uint64_t>(c - '0');
        }
    }
    for (std::int64_t i = 0; i < digits.exponent; ++i) {
        magnitude *= 10;
    }
    constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (magnitude > max + (number.negative ? 1 : 0)) {
        return too_wide(cell, bits);
    }
    const auto value = static_cast<std::int64_t>(number.negative ? 0 - magnitude : magnitude);
    return in_range(cell, value, bits);
}

// The decimal digits of an integral `value`, compared with those of the token: exact, as
// std::to_chars writes every digit of the binary value.
template <class T>
bool same_integer(T value, std::string_view token) {
    std::array<char, std::numeric_limits<T>::max_exponent10 + 8> text{};
    const auto [end, problem] = std::to_chars(text.data(), text.data() + text.size(), value,
                                              std::chars_format::fixed, 0);
    return problem == std::errc{} &&
           std::string_view(text.data(), static_cast<std::size_t>(end - text.data())) == token;
}

template <class T>
Fit<T> floating_of_token(const Cell& cell, std::string_view token) {
    constexpr int bits = sizeof(T) * 8;
    const auto number = parts::parse_number(token);
    if (!number) {
        return no_number(cell);
    }
    T value = 0;
    const auto [end, problem] = std::from_chars(token.data(), token.data() + token.size(), value);
    if (problem == std::errc::result_out_of_range || std::isinf(value)) {
        // Both ends of the range are reported alike; below the smallest denormal is zero.
        const auto digits = parts::significand(*number);
        if (static_cast<std::int64_t>(digits.size()) + digits.exponent < 0) {
            return number->negative ? -T{0} : T{0};
        }
        return misfit(parts::name_number(cell) + " is beyond the range of a " +
                          std::to_string(bits) + "-bit floating-point number",
                      "use a numeric or text column");
    }
    // The largest integers below which every integer is exact have 15 and 6 digits.
    constexpr std::size_t exact_digits = std::numeric_limits<T>::digits10;
    if (number->plain_integer && number->whole.size() > exact_digits &&
        !same_integer(value, token)) {
        return misfit(parts::name_number(cell) + " is an integer that a " + std::to_string(bits) +
                          "-bit floating-point number can't hold exactly",
                      "use a bigint or numeric column");
    }
    return value;
}

template <class T>
Fit<T> floating(const Cell& cell) {
    if (parts::is_unscaled(cell)) {
        std::string text;
        return parts::as_number(cell, text).and_then(floating<T>);
    }
    if (parts::holds_number(cell, false)) {
        return floating_of_token<T>(cell, cell.text);
    }
    if (cell.kind == CellKind::string) {
        // JSON has no tokens for these; Jackson, and so Kafka Connect, writes them as texts.
        using Limits = std::numeric_limits<T>;
        if (cell.text == "NaN") return Limits::quiet_NaN();
        if (cell.text == "Infinity") return Limits::infinity();
        if (cell.text == "-Infinity") return -Limits::infinity();
    }
    if (cell.kind == CellKind::integer) {
        std::array<char, 24> text{};
        const auto end = std::to_chars(text.data(), text.data() + text.size(), cell.integer).ptr;
        return floating_of_token<T>(cell,
                                    {text.data(), static_cast<std::size_t>(end - text.data())});
    }
    return parts::wrong_kind(cell, "a floating-point number");
}

Fit<Decimal> decimal_of(const Number& number) {
    if (std::abs(number.exponent) > parts::exponent_limit) {
        return misfit("the exponent of the number is beyond 131072", "use a text column");
    }
    Decimal out;
    out.scale = static_cast<std::int32_t>(number.fraction.size()) - number.exponent;
    out.digits.reserve(number.whole.size() + number.fraction.size());
    for (const auto part : {number.whole, number.fraction}) {
        const std::size_t from = out.digits.empty()
                                     ? std::min(part.find_first_not_of('0'), part.size())
                                     : 0;
        out.digits.append(part.substr(from));
    }
    out.negative = number.negative && !out.digits.empty();
    return out;
}

}  // namespace

Fit<std::int64_t> integer(const Cell& cell, int bits) {
    if (parts::is_unscaled(cell)) {
        std::string text;
        return parts::as_number(cell, text).and_then([&](const Cell& number) {
            return integer(number, bits);
        });
    }
    if (cell.kind == CellKind::integer || cell.kind == CellKind::time_ms) {
        return in_range(cell, cell.integer, bits);
    }
    if (!parts::holds_number(cell, false)) {
        return parts::wrong_kind(cell, "an integer");
    }
    std::int64_t value = 0;
    const char* const last = cell.text.data() + cell.text.size();
    const auto [end, problem] = std::from_chars(cell.text.data(), last, value);
    if (problem == std::errc{} && end == last && cell.kind == CellKind::number) {
        return in_range(cell, value, bits);
    }
    const auto number = parts::parse_number(cell.text);
    if (!number) {
        return no_number(cell);
    }
    return integer_of(cell, *number, bits);
}

Fit<double> float64(const Cell& cell) { return floating<double>(cell); }

Fit<float> float32(const Cell& cell) { return floating<float>(cell); }

Fit<Decimal> decimal(const Cell& cell) {
    if (parts::is_unscaled(cell)) {
        return parts::unscaled(cell);
    }
    if (cell.kind == CellKind::integer) {
        const auto text = std::to_string(cell.integer);
        return decimal_of(*parts::parse_number(text));
    }
    if (!parts::holds_number(cell, true)) {
        return parts::wrong_kind(cell, "a decimal number");
    }
    const auto number = parts::parse_number(cell.text);
    if (!number) {
        return no_number(cell);
    }
    return decimal_of(*number);
}

}  // namespace sluice::convert
