#include "model/convert.hpp"

#include <algorithm>

#include "model/convert_parts.hpp"

namespace sluice::convert {
namespace parts {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view take_digits(std::string_view& rest) {
    const auto end = std::ranges::find_if_not(rest, is_digit);
    const auto count = static_cast<std::size_t>(end - rest.begin());
    const auto digits = rest.substr(0, count);
    rest.remove_prefix(count);
    return digits;
}

// Without the sign. Saturates at a value that is beyond every bound used here.
std::int32_t exponent_value(std::string_view digits) {
    std::int32_t value = 0;
    for (const char c : digits) {
        value = std::min(value * 10 + (c - '0'), 100'000'000);
    }
    return value;
}

std::string_view without_leading_zeros(std::string_view digits) {
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    return digits;
}

std::string_view hint_for(const Cell& cell) {
    switch (cell.kind) {
        case CellKind::string:
            return "send the value without quotes, or use a text column";
        case CellKind::json:
            return "map one of its members, such as value.a, or use a json or text column";
        case CellKind::bytes:
            return "read it as text (`value: string` or `key: string`), or use a column for bytes";
        case CellKind::time_ms:
            return "use a column for timestamps or for 64-bit integers";
        case CellKind::uuid:
            return "use a uuid or text column";
        default:
            return "";
    }
}

}  // namespace

std::optional<Number> parse_number(std::string_view token) {
    Number number;
    if (!token.empty() && token.front() == '-') {
        number.negative = true;
        token.remove_prefix(1);
    }
    number.whole = take_digits(token);
    if (number.whole.empty() || (number.whole.size() > 1 && number.whole.front() == '0')) {
        return std::nullopt;
    }
    number.plain_integer = token.empty();
    if (!token.empty() && token.front() == '.') {
        token.remove_prefix(1);
        number.fraction = take_digits(token);
        if (number.fraction.empty()) {
            return std::nullopt;
        }
    }
    if (!token.empty() && (token.front() == 'e' || token.front() == 'E')) {
        token.remove_prefix(1);
        const bool negative = !token.empty() && token.front() == '-';
        if (!token.empty() && (token.front() == '-' || token.front() == '+')) {
            token.remove_prefix(1);
        }
        const auto digits = take_digits(token);
        if (digits.empty()) {
            return std::nullopt;
        }
        number.exponent = negative ? -exponent_value(digits) : exponent_value(digits);
    }
    if (!token.empty()) {
        return std::nullopt;
    }
    return number;
}

Significand significand(const Number& number) {
    Significand out{number.whole, number.fraction,
                    number.exponent - static_cast<std::int64_t>(number.fraction.size())};
    out.whole = without_leading_zeros(out.whole);
    if (out.whole.empty()) {
        out.fraction = without_leading_zeros(out.fraction);
    }
    // npos + 1 is 0: nothing but zeros, or nothing at all.
    const auto strip = [&out](std::string_view& digits) {
        const std::size_t kept = digits.find_last_not_of('0') + 1;
        out.exponent += static_cast<std::int64_t>(digits.size() - kept);
        digits = digits.substr(0, kept);
    };
    strip(out.fraction);
    if (out.fraction.empty()) {
        strip(out.whole);
    }
    if (out.size() == 0) {
        out.exponent = 0;
    }
    return out;
}

bool holds_number(const Cell& cell, bool strings) {
    return cell.kind == CellKind::number || cell.kind == CellKind::text ||
           (strings && cell.kind == CellKind::string);
}

std::string name_number(const Cell& cell) {
    std::string_view text = cell.text;
    std::string spelled;
    switch (cell.kind) {
        case CellKind::number:
            break;
        case CellKind::integer:
        case CellKind::time_ms:
            spelled = std::to_string(cell.integer);
            text = spelled;
            break;
        default:
            return "the number in " + std::string(to_string(cell.kind));
    }
    const auto point = text.find_first_of(".eE");
    const auto count = [](std::string_view part, const std::string& noun) {
        const auto digits = std::ranges::count_if(part,
                                                  [](char c) { return c >= '0' && c <= '9'; });
        return std::to_string(digits) + " " + noun + (digits == 1 ? "" : "s");
    };
    std::string name = (text.starts_with('-') ? "a negative number of " : "a number of ") +
                       count(text.substr(0, point), "digit");
    if (point != std::string_view::npos && text[point] == '.') {
        name += " and " + count(text.substr(point, text.find_first_of("eE") - point), "decimal");
    }
    return text.find_first_of("eE") == std::string_view::npos ? name : name + " with an exponent";
}

tl::unexpected<Misfit> wrong_kind(const Cell& cell, std::string_view wanted) {
    return misfit(std::string(to_string(cell.kind)) + " is not read as " + std::string(wanted),
                  std::string(hint_for(cell)));
}

}  // namespace parts

Fit<bool> boolean(const Cell& cell) {
    if (cell.kind == CellKind::boolean) {
        return cell.boolean;
    }
    if (cell.kind == CellKind::text) {
        if (cell.text == "true") {
            return true;
        }
        if (cell.text == "false") {
            return false;
        }
        return misfit("the text is neither `true` nor `false`", "use a text column");
    }
    return parts::wrong_kind(cell, "a boolean");
}

Fit<Uuid> uuid(const Cell& cell) {
    if (cell.kind == CellKind::uuid) {
        return cell.uuid;
    }
    if (cell.kind == CellKind::text || cell.kind == CellKind::string) {
        if (const auto id = parse_uuid(cell.text)) {
            return *id;
        }
        return misfit(std::string(to_string(cell.kind)) + " is not a UUID",
                      "write 32 hexadecimal digits as 8-4-4-4-12, or use a text column");
    }
    return parts::wrong_kind(cell, "a UUID");
}

}  // namespace sluice::convert
