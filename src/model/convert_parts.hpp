// What the convert_*.cpp files share. Not for other folders.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/convert.hpp"

namespace sluice::convert::parts {

// The largest decimal exponent taken, either sign: PostgreSQL's numeric ends at 131072 digits
// before the point.
constexpr std::int32_t exponent_limit = 131'072;

// A number by the grammar of RFC 8259, taken apart. Views into the token.
struct Number {
    bool negative = false;
    std::string_view whole;
    std::string_view fraction;
    std::int32_t exponent = 0;   // As written; saturates far beyond exponent_limit.
    bool plain_integer = false;  // Neither a point nor an exponent.
};
std::optional<Number> parse_number(std::string_view token);

// The same number as significant digits without zeros at either end, times 10^exponent.
struct Significand {
    std::string_view whole;  // The digits are those of `whole`, then those of `fraction`.
    std::string_view fraction;
    std::int64_t exponent = 0;

    [[nodiscard]] std::size_t size() const { return whole.size() + fraction.size(); }
};
Significand significand(const Number& number);

// True for kinds that may hold a number as text: number, text and, where `strings`, string.
bool holds_number(const Cell& cell, bool strings);

// How a reason names the number of a cell, without showing it: "a number of 19 digits".
std::string name_number(const Cell& cell);

// "a JSON string is not read as an integer", with what to do about this kind of cell.
tl::unexpected<Misfit> wrong_kind(const Cell& cell, std::string_view wanted);

// A number that is written as bytes: a string with a declared encoding and scale, or Debezium's
// {"scale": …, "value": …} with a declared encoding.
bool is_unscaled(const Cell& cell);
Fit<Decimal> unscaled(const Cell& cell);
// The same as a JSON number, whose text is `scratch`.
Fit<Cell> as_number(const Cell& cell, std::string& scratch);

}  // namespace sluice::convert::parts
