// Times and dates: RFC 3339, numbers in a declared unit, the calendar.
#include "model/convert.hpp"

#include <gtest/gtest.h>

#include "convert_fixture.hpp"

namespace sluice {
namespace {

using convert::Zone;
using test::as;
using test::boolean;
using test::integer;
using test::number;
using test::outcome;
using test::reason;
using test::string;
using test::text;
using test::time_ms;

TEST(ConvertTimestamp, ReadsRfc3339) {
    struct Case {
        std::string_view text;
        std::int64_t us;
    };
    const Case cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01 00:00:00.000001Z", 1},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2026-01-02T03:04:05.678Z", 1767323045678000},
        {"2026-01-02t03:04:05.678000000000z", 1767323045678000},
        {"2026-01-02T03:04:05.1+02:00", 1767315845100000},
        {"2026-01-02T03:04:05-05:30", 1767342845000000},
        {"2026-01-02T03:04:05+02", 1767315845000000},
        {"2026-01-02T03:04:05-0530", 1767342845000000},
        {"2000-02-29T12:00:00Z", 951825600000000},
        {"0001-01-01T00:00:00Z", -62135596800000000},
        {"9999-12-31T23:59:59.999999Z", 253402300799999999},
    };
    for (const auto& c : cases) {
        for (const auto& cell : {string(c.text), text(c.text)}) {
            const auto got = convert::timestamp_us(cell, Zone::required);
            ASSERT_TRUE(got) << c.text << ": " << outcome(got);
            EXPECT_EQ(*got, c.us) << c.text;
        }
    }
}

TEST(ConvertTimestamp, RefusesWhatIsNoTimeOrWouldLoseDigits) {
    struct Case {
        std::string_view text;
        std::string_view reason;  // A part of it.
    };
    const Case cases[] = {
        {"", "not a timestamp"},
        {"yesterday", "not a timestamp"},
        {"2026-01-02", "not a timestamp"},
        {"2026-01-02T03:04Z", "not a timestamp"},
        {"2026-01-02T24:00:00Z", "not a timestamp"},
        {"2026-01-02T03:60:00Z", "not a timestamp"},
        {"2026-01-02T03:04:61Z", "not a timestamp"},
        {"2026-01-02T03:04:05.Z", "not a timestamp"},
        {"2026-01-02T03:04:05,5Z", "not a timestamp"},
        {"2026-01-02T03:04:05+24:00", "not a timestamp"},
        {"2026-01-02T03:04:05+02:60", "not a timestamp"},
        {"2026-01-02T03:04:05+2", "not a timestamp"},
        {"2026-01-02T03:04:05ZZ", "not a timestamp"},
        {"2026-01-02T03:04:05 Z", "not a timestamp"},
        {" 2026-01-02T03:04:05Z", "not a timestamp"},
        {"2026-1-02T03:04:05Z", "not a timestamp"},
        {"02/01/2026 03:04:05", "not a timestamp"},
        {"20260102T030405Z", "not a timestamp"},
        {"-2026-01-02T03:04:05Z", "not a timestamp"},
        {"10000-01-01T00:00:00Z", "not a timestamp"},
        {"infinity", "not a timestamp"},
        {"0000-01-01T00:00:00Z", "in no calendar"},
        {"2026-02-29T00:00:00Z", "in no calendar"},
        {"1900-02-29T00:00:00Z", "in no calendar"},
        {"2026-13-01T00:00:00Z", "in no calendar"},
        {"2026-00-01T00:00:00Z", "in no calendar"},
        {"2026-04-31T00:00:00Z", "in no calendar"},
        {"2026-04-00T00:00:00Z", "in no calendar"},
        {"2016-12-31T23:59:60Z", "leap second"},
        {"2026-01-02T03:04:05.0000001Z", "below a microsecond"},
        {"2026-01-02T03:04:05", "without an offset"},
    };
    for (const auto& c : cases) {
        const auto got = reason(convert::timestamp_us(string(c.text), Zone::required));
        EXPECT_NE(got.find(c.reason), std::string::npos) << c.text << ": " << got;
    }
    EXPECT_EQ(*convert::timestamp_us(string("1970-01-01T00:00:01"), Zone::optional), 1000000);
}

TEST(ConvertTimestamp, ReadsNumbersInTheirDeclaredUnitExactly) {
    struct Case {
        Cell cell;
        TimeUnit unit;
        std::int64_t us;
    };
    const Case cases[] = {
        {number("1517363399650"), TimeUnit::millis, 1517363399650000},
        {number("1517363399.65"), TimeUnit::seconds, 1517363399650000},
        {number("1517363399.650000000"), TimeUnit::seconds, 1517363399650000},
        {number("1.51736339965e9"), TimeUnit::seconds, 1517363399650000},
        {number("-1"), TimeUnit::micros, -1},
        {number("1000"), TimeUnit::nanos, 1},
        {number("-5000"), TimeUnit::nanos, -5},
        {number("0.000"), TimeUnit::nanos, 0},
        {number("0e99999999999"), TimeUnit::seconds, 0},
        {number("20000"), TimeUnit::days, 1728000000000000},
        {number("0.5"), TimeUnit::days, 43200000000},
        {number("5e-9"), TimeUnit::days, 432},
        {number("9223372036854775807"), TimeUnit::micros, std::numeric_limits<std::int64_t>::max()},
        {number("9223372036854.775807"), TimeUnit::seconds,
         std::numeric_limits<std::int64_t>::max()},
        {text("1517363399650"), TimeUnit::millis, 1517363399650000},
        {integer(5), TimeUnit::seconds, 5000000},
        {integer(-2), TimeUnit::days, -172800000000},
        {integer(3000), TimeUnit::nanos, 3},
        {time_ms(-1), TimeUnit::none, -1000},
    };
    for (const auto& c : cases) {
        const auto got = convert::timestamp_us(as({.unit = c.unit}, c.cell), Zone::required);
        ASSERT_TRUE(got) << c.cell.text << ": " << outcome(got);
        EXPECT_EQ(*got, c.us) << c.cell.text;
    }
    struct Bad {
        Cell cell;
        TimeUnit unit;
        std::string_view reason;
    };
    const std::string long_whole(60, '3');
    const std::string long_fraction = "1." + long_whole;
    const Bad bad[] = {
        {number("1"), TimeUnit::none, "unknown unit"},
        {text("1"), TimeUnit::none, "unknown unit"},
        {integer(1), TimeUnit::none, "unknown unit"},
        {number("1.0000001"), TimeUnit::seconds,
         "a number of 1 digit and 7 decimals in s has digits below a microsecond"},
        {number("1"), TimeUnit::nanos, "below a microsecond"},
        {number("1e-9"), TimeUnit::days, "below a microsecond"},
        {number("1e-99999999999"), TimeUnit::seconds, "below a microsecond"},
        {number(long_fraction), TimeUnit::seconds, "below a microsecond"},
        {integer(1), TimeUnit::nanos, "below a microsecond"},
        {number("9223372036854775808"), TimeUnit::micros, "beyond the range"},
        {number("9223372036854775807"), TimeUnit::millis, "beyond the range"},
        {number("1e99999999999"), TimeUnit::seconds, "beyond the range"},
        {number(long_whole), TimeUnit::seconds, "beyond the range"},
        {integer(9223372036854775807), TimeUnit::millis, "beyond the range"},
        {time_ms(9223372036854775807), TimeUnit::none, "beyond the range"},
        {string("1517363399650"), TimeUnit::millis, "is not a timestamp"},
        {boolean(true), TimeUnit::millis, "is not read as a timestamp"},
    };
    for (const auto& c : bad) {
        const auto got = reason(
            convert::timestamp_us(as({.unit = c.unit}, c.cell), Zone::required));
        EXPECT_NE(got.find(c.reason), std::string::npos) << c.reason << ": " << got;
    }
}

TEST(ConvertDate, ReadsCalendarDaysAndDeclaredDayCounts) {
    EXPECT_EQ(*convert::date(string("1970-01-01")), 0);
    EXPECT_EQ(*convert::date(string("1969-12-31")), -1);
    EXPECT_EQ(*convert::date(text("2000-03-01")), 11017);
    EXPECT_EQ(*convert::date(string("0001-01-01")), -719162);
    EXPECT_EQ(*convert::date(string("9999-12-31")), 2932896);
    EXPECT_EQ(*convert::date(as({.unit = TimeUnit::days}, number("11017"))), 11017);
    EXPECT_EQ(*convert::date(as({.unit = TimeUnit::days}, text("-1"))), -1);
    EXPECT_EQ(*convert::date(as({.unit = TimeUnit::days}, integer(7))), 7);
    EXPECT_FALSE(convert::date(number("11017")));
    EXPECT_FALSE(convert::date(as({.unit = TimeUnit::millis}, number("11017"))));
    EXPECT_FALSE(convert::date(as({.unit = TimeUnit::days}, number("0.5"))));
    EXPECT_FALSE(convert::date(as({.unit = TimeUnit::days}, number("2147483648"))));
    for (const auto* bad : {"", "2026-02-30", "2026-1-1", "01.02.2026", "2026-01-02T00:00:00Z",
                            "0000-01-01", "2026-01-02 "}) {
        EXPECT_FALSE(convert::date(string(bad))) << bad;
    }
    EXPECT_FALSE(convert::date(time_ms(0)));
}

// Every day of 400 years, against counting.
TEST(ConvertDate, CountsEveryDayOfTheCalendarOnce) {
    std::int32_t expected = *convert::date(string("1800-01-01"));
    for (int year = 1800; year < 2200; ++year) {
        for (int month = 1; month <= 12; ++month) {
            for (int day = 1; day <= 31; ++day) {
                char buffer[40];
                std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02d", year, month, day);
                if (const auto got = convert::date(string(buffer))) {
                    ASSERT_EQ(*got, expected) << buffer;
                    ++expected;
                } else {
                    ASSERT_GT(day, 28) << buffer;
                }
            }
        }
    }
    EXPECT_EQ(expected, *convert::date(string("2200-01-01")));
}

}  // namespace
}  // namespace sluice
