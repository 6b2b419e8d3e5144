#include <charconv>
#include <limits>
#include <optional>

#include "model/convert.hpp"
#include "model/convert_parts.hpp"
#include "model/convert_scan.hpp"

namespace sluice::convert {
namespace {

using parts::scan_fraction;
using parts::scan_offset;
using parts::Scanner;

constexpr std::int64_t us_per_second = 1'000'000;
constexpr std::int64_t us_per_day = 86'400 * us_per_second;

constexpr std::string_view unit_hint =
    "declare its unit: {from: value.ts, unit: ms} (s, ms, us, ns or days)";
constexpr std::string_view days_hint = "declare its unit: {from: value.day, unit: days}";
constexpr std::string_view text_hint = "write RFC 3339, such as 2026-01-02T03:04:05.678Z";

std::string_view unit_name(TimeUnit unit) {
    switch (unit) {
        case TimeUnit::none:
            return "";
        case TimeUnit::seconds:
            return "s";
        case TimeUnit::millis:
            return "ms";
        case TimeUnit::micros:
            return "us";
        case TimeUnit::nanos:
            return "ns";
        case TimeUnit::days:
            return "days";
    }
    return "";
}

// Microseconds of one unit: factor * 10^exponent.
struct Scale {
    std::int64_t factor;
    std::int64_t exponent;
};

Scale scale_of(TimeUnit unit) {
    switch (unit) {
        case TimeUnit::seconds:
            return {1, 6};
        case TimeUnit::millis:
            return {1, 3};
        case TimeUnit::nanos:
            return {1, -3};
        case TimeUnit::days:
            return {864, 8};
        default:
            return {1, 0};
    }
}

tl::unexpected<Misfit> out_of_range(const Cell& cell, TimeUnit unit) {
    return misfit(parts::name_number(cell) + " in " + std::string(unit_name(unit)) +
                      " is beyond the range of a timestamp in microseconds",
                  "check the unit: " + std::string(unit_name(unit)) + " is declared");
}

tl::unexpected<Misfit> too_fine(const Cell& cell, TimeUnit unit) {
    return misfit(parts::name_number(cell) + " in " + std::string(unit_name(unit)) +
                      " has digits below a microsecond, which would be lost",
                  "use a bigint or numeric column");
}

// The number times its unit, exactly.
Fit<std::int64_t> number_us(const Cell& cell, const parts::Number& number, TimeUnit unit) {
    const auto digits = parts::significand(number);
    const Scale scale = scale_of(unit);
    std::int64_t exponent = digits.exponent + scale.exponent;
    // More digits than this are more than an int64, or reach below a microsecond: without
    // zeros at the end, times 864 = 2^5 * 27, at most five more zeros come up.
    constexpr std::size_t digits_max = 30;
    if (digits.size() > digits_max) {
        return exponent < -5 ? too_fine(cell, unit) : out_of_range(cell, unit);
    }
    __extension__ using Wide = unsigned __int128;  // 10^30 * 864 is below 2^128.
    Wide magnitude = 0;
    for (const auto part : {digits.whole, digits.fraction}) {
        for (const char c : part) {
            magnitude = magnitude * 10 + static_cast<unsigned>(c - '0');
        }
    }
    magnitude *= static_cast<unsigned>(scale.factor);
    for (; exponent < 0 && magnitude != 0; ++exponent) {
        if (magnitude % 10 != 0) {
            return too_fine(cell, unit);
        }
        magnitude /= 10;
    }
    constexpr auto max = static_cast<Wide>(std::numeric_limits<std::int64_t>::max());
    for (; exponent > 0 && magnitude != 0 && magnitude <= max; --exponent) {
        magnitude *= 10;
    }
    if (magnitude > max) {
        return out_of_range(cell, unit);
    }
    const auto value = static_cast<std::int64_t>(magnitude);
    return number.negative ? -value : value;
}

Fit<std::int64_t> integer_us(const Cell& cell, std::int64_t value, TimeUnit unit) {
    const Scale scale = scale_of(unit);
    std::int64_t factor = scale.factor;
    for (std::int64_t i = 0; i < scale.exponent; ++i) {
        factor *= 10;
    }
    if (scale.exponent < 0) {
        return value % 1000 != 0 ? Fit<std::int64_t>(too_fine(cell, unit)) : value / 1000;
    }
    std::int64_t us = 0;
    if (__builtin_mul_overflow(value, factor, &us)) {
        return out_of_range(cell, unit);
    }
    return us;
}

struct Day {
    int year = 0;
    int month = 0;
    int day = 0;
};

Day scan_day(Scanner& text) {
    Day day;
    day.year = text.digits(4);
    text.expect('-');
    day.month = text.digits(2);
    text.expect('-');
    day.day = text.digits(2);
    return day;
}

bool in_calendar(const Day& day) {
    constexpr int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (day.year < 1 || day.month < 1 || day.month > 12 || day.day < 1) {
        return false;
    }
    const bool leap = day.year % 4 == 0 && (day.year % 100 != 0 || day.year % 400 == 0);
    return day.day <= lengths[day.month - 1] + (leap && day.month == 2 ? 1 : 0);
}

// Days since 1970-01-01 in the proleptic Gregorian calendar, for years from 1 on; the method
// `days_from_civil` of H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
std::int32_t days_since_epoch(const Day& day) {
    const int year = day.month <= 2 ? day.year - 1 : day.year;
    const int era = year / 400;
    const int year_of_era = year - era * 400;
    const int month = day.month > 2 ? day.month - 3 : day.month + 9;
    const int day_of_year = (153 * month + 2) / 5 + day.day - 1;
    const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + day_of_era - 719'468;
}

tl::unexpected<Misfit> not_in_calendar(const Cell& cell) {
    return misfit(std::string(to_string(cell.kind)) + " names a day that is in no calendar",
                  "years are 0001 to 9999");
}

Fit<std::int64_t> text_us(const Cell& cell, Zone zone) {
    Scanner text(cell.text);
    const Day day = scan_day(text);
    if (!text.take('T') && !text.take('t')) {
        text.expect(' ');
    }
    const int hour = text.digits(2);
    text.expect(':');
    const int minute = text.digits(2);
    text.expect(':');
    const int second = text.digits(2);
    const auto fraction = text.take('.') ? scan_fraction(text) : std::optional(0);
    const auto offset = scan_offset(text);
    if (!text.good() || !text.at_end() || hour > 23 || minute > 59 || second > 60) {
        return misfit(std::string(to_string(cell.kind)) + " is not a timestamp",
                      std::string(text_hint));
    }
    if (!in_calendar(day)) {
        return not_in_calendar(cell);
    }
    if (second == 60) {
        return misfit("a leap second (second 60) has no place in a timestamp column",
                      "send second 59 or 00, or use a text column");
    }
    if (!fraction) {
        return misfit(std::string(to_string(cell.kind)) +
                          " has digits below a microsecond, which would be lost",
                      "send at most six digits after the point, or use a text column");
    }
    if (!offset && zone == Zone::required) {
        return misfit(std::string(to_string(cell.kind)) +
                          " is a timestamp without an offset from UTC",
                      "end it with Z or +hh:mm, or use a column for timestamps without time zone");
    }
    const std::int64_t seconds = hour * 3600 + minute * 60 + second -
                                 static_cast<std::int64_t>(offset.value_or(0));
    return days_since_epoch(day) * us_per_day + seconds * us_per_second + *fraction;
}

}  // namespace

Fit<std::int64_t> timestamp_us(const Cell& cell, Zone zone) {
    switch (cell.kind) {
        case CellKind::time_ms:
            return integer_us(cell, cell.integer, TimeUnit::millis);
        case CellKind::string:
            return text_us(cell, zone);
        case CellKind::number:
        case CellKind::text: {
            const auto number = parts::parse_number(cell.text);
            if (!number) {
                return text_us(cell, zone);
            }
            if (cell.reading.unit == TimeUnit::none) {
                return misfit(std::string(to_string(cell.kind)) + " is a time in an unknown unit",
                              std::string(unit_hint));
            }
            std::int64_t value = 0;
            const char* const last = cell.text.data() + cell.text.size();
            if (number->plain_integer &&
                std::from_chars(cell.text.data(), last, value).ec == std::errc{}) {
                return integer_us(cell, value, cell.reading.unit);
            }
            return number_us(cell, *number, cell.reading.unit);
        }
        case CellKind::integer:
            if (cell.reading.unit == TimeUnit::none) {
                return misfit("an integer is a time in an unknown unit", std::string(unit_hint));
            }
            return integer_us(cell, cell.integer, cell.reading.unit);
        default:
            return parts::wrong_kind(cell, "a timestamp");
    }
}

Fit<std::int32_t> date(const Cell& cell) {
    const bool number = cell.kind == CellKind::number || cell.kind == CellKind::integer ||
                        (cell.kind == CellKind::text && parts::parse_number(cell.text));
    if (number) {
        if (cell.reading.unit != TimeUnit::days) {
            return misfit(
                std::string(to_string(cell.kind)) + " is read as a date only where it counts days",
                std::string(cell.reading.unit == TimeUnit::none ? days_hint
                                                                : "use a column for timestamps"));
        }
        return integer(cell, 32).map(
            [](std::int64_t days) { return static_cast<std::int32_t>(days); });
    }
    if (cell.kind != CellKind::string && cell.kind != CellKind::text) {
        return parts::wrong_kind(cell, "a date");
    }
    Scanner text(cell.text);
    const Day day = scan_day(text);
    if (!text.good() || !text.at_end()) {
        return misfit(std::string(to_string(cell.kind)) + " is not a date",
                      "write YYYY-MM-DD; for a time of day use a column for timestamps");
    }
    if (!in_calendar(day)) {
        return not_in_calendar(cell);
    }
    return days_since_epoch(day);
}

}  // namespace sluice::convert
