// Times of day, and spans of time.
#include <array>
#include <limits>
#include <utility>

#include "model/convert.hpp"
#include "model/convert_parts.hpp"
#include "model/convert_scan.hpp"

namespace sluice::convert {
namespace {

using parts::Scanner;

constexpr std::int64_t us_per_second = 1'000'000;
constexpr std::int64_t us_per_day = 86'400 * us_per_second;

bool is_number(const Cell& cell) {
    return cell.kind == CellKind::number || cell.kind == CellKind::integer ||
           (cell.kind == CellKind::text && parts::parse_number(cell.text));
}

tl::unexpected<Misfit> no_time(const Cell& cell) {
    return misfit(std::string(to_string(cell.kind)) + " is not a time of day",
                  "write hh:mm:ss, such as 03:04:05.678");
}

tl::unexpected<Misfit> too_fine(const Cell& cell) {
    return misfit(std::string(to_string(cell.kind)) +
                      " has digits below a microsecond, which would be lost",
                  "send at most six digits after the point, or use a text column");
}

Fit<TimeOfDay> text_time(const Cell& cell) {
    Scanner text(cell.text);
    const int hour = text.digits(2);
    text.expect(':');
    const int minute = text.digits(2);
    int second = 0;
    std::optional<int> fraction = 0;
    if (text.take(':')) {
        second = text.digits(2);
        fraction = text.take('.') ? parts::scan_fraction(text) : fraction;
    }
    const auto offset = parts::scan_offset(text);
    const std::int64_t seconds = hour * 3600 + minute * 60 + second;
    if (!text.good() || !text.at_end() || minute > 59 || second > 59 || seconds > 86'400) {
        return no_time(cell);
    }
    if (!fraction) {
        return too_fine(cell);
    }
    return TimeOfDay{seconds * us_per_second + *fraction, offset};
}

// The sign and the digits of one part of a span; nothing where they are none.
std::optional<std::int64_t> scan_count(Scanner& text) {
    const bool negative = text.take('-');
    if (!negative) {
        (void)text.take('+');
    }
    std::int64_t value = 0;
    if (!text.digit_next()) {
        return std::nullopt;
    }
    while (text.digit_next()) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.digits(1), &value)) {
            return std::nullopt;
        }
    }
    return negative ? -value : value;
}

// Sums `count` units into `sum`; false where it does not fit.
template <class T>
bool add(T& sum, std::int64_t count, std::int64_t unit) {
    std::int64_t more = 0;
    return !__builtin_mul_overflow(count, unit, &more) && !__builtin_add_overflow(sum, more, &sum);
}

bool add_part(Span& span, bool time, char unit, std::int64_t count) {
    switch (unit) {
        case 'Y':
            return !time && add(span.months, count, 12);
        case 'M':
            return time ? add(span.us, count, 60 * us_per_second) : add(span.months, count, 1);
        case 'W':
            return !time && add(span.days, count, 7);
        case 'D':
            return !time && add(span.days, count, 1);
        case 'H':
            return time && add(span.us, count, 3600 * us_per_second);
        case 'S':
            return time && add(span.us, count, us_per_second);
        default:
            return false;
    }
}

tl::unexpected<Misfit> no_span(const Cell& cell) {
    return misfit(std::string(to_string(cell.kind)) + " is not a span of time, or too long",
                  "write ISO 8601, such as P1Y2M3DT4H5M6.789S");
}

// ISO 8601: P1Y2M3DT4H5M6.789S; each part may have a sign of its own.
Fit<Span> text_span(const Cell& cell) {
    Span span;
    Scanner text(cell.text);
    text.expect('P');
    bool time = false;
    while (text.good() && !text.at_end()) {
        if (!time && text.take('T')) {
            time = true;
            continue;
        }
        const bool negative = text.peek() == '-';
        const auto count = scan_count(text);
        if (!count) {
            return no_span(cell);
        }
        if (text.take('.')) {
            const auto fraction = parts::scan_fraction(text);
            if (!fraction) {
                return too_fine(cell);
            }
            if (text.peek() != 'S' || !add(span.us, negative ? -*fraction : *fraction, 1)) {
                return no_span(cell);
            }
        }
        const char unit = text.peek();
        if (!text.take(unit) || !add_part(span, time, unit, *count)) {
            return no_span(cell);
        }
    }
    return text.good() && cell.text.size() > 2 ? Fit<Span>(span) : no_span(cell);
}

}  // namespace

Fit<TimeOfDay> time_of_day(const Cell& cell) {
    if (is_number(cell)) {
        const auto us = timestamp_us(cell, Zone::optional);
        if (!us) {
            return tl::unexpected(us.error());
        }
        if (*us < 0 || *us > us_per_day) {
            return misfit(parts::name_number(cell) + " is beyond a day", "check its unit");
        }
        return TimeOfDay{*us, std::nullopt};
    }
    if (cell.kind != CellKind::string && cell.kind != CellKind::text) {
        return parts::wrong_kind(cell, "a time of day");
    }
    return text_time(cell);
}

Fit<Span> span(const Cell& cell) {
    if (is_number(cell)) {
        if (cell.reading.unit == TimeUnit::none) {
            return misfit(std::string(to_string(cell.kind)) + " is a span in an unknown unit",
                          "let the source send ISO 8601 (Debezium: interval.handling.mode=string), "
                          "or declare its unit: {unit: us}");
        }
        return timestamp_us(cell, Zone::optional).map([](std::int64_t us) {
            return Span{0, 0, us};
        });
    }
    if (cell.kind != CellKind::string && cell.kind != CellKind::text) {
        return parts::wrong_kind(cell, "a span of time");
    }
    return text_span(cell);
}

}  // namespace sluice::convert
