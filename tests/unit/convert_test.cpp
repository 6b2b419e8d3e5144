// A value reaches its column exactly, or is refused with a reason that gives no text away. Here:
// numbers, and what the reasons say.
#include "model/convert.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "convert_fixture.hpp"

namespace sluice {
namespace {

using convert::Zone;
using test::boolean;
using test::bytes;
using test::cell_of;
using test::hint;
using test::integer;
using test::json;
using test::number;
using test::outcome;
using test::reason;
using test::string;
using test::text;
using test::time_ms;
using test::uuid_cell;

TEST(ConvertInteger, TakesEveryExactSpellingOfAnInteger) {
    struct Case {
        Cell cell;
        int bits;
        std::int64_t value;
    };
    const Case cases[] = {
        {number("0"), 8, 0},
        {number("-0"), 8, 0},
        {number("127"), 8, 127},
        {number("-128"), 8, -128},
        {number("32767"), 16, 32767},
        {number("-2147483648"), 32, -2147483648LL},
        {number("2147483647"), 32, 2147483647},
        {number("9007199254740993"), 64, 9007199254740993},  // 2^53 + 1: no double on the way.
        {number("9223372036854775807"), 64, std::numeric_limits<std::int64_t>::max()},
        {number("-9223372036854775808"), 64, std::numeric_limits<std::int64_t>::min()},
        {number("1.0"), 32, 1},
        {number("1e3"), 32, 1000},
        {number("1.5e1"), 32, 15},
        {number("-1200E-2"), 32, -12},
        {number("9223372036854775807.000"), 64, std::numeric_limits<std::int64_t>::max()},
        {number("-9.223372036854775808e18"), 64, std::numeric_limits<std::int64_t>::min()},
        {number("0.000e999999999999"), 32, 0},
        {text("42"), 32, 42},
        {text("-7.0"), 32, -7},
        {integer(2147483647), 32, 2147483647},
        {time_ms(1517363399650), 64, 1517363399650},
    };
    for (const auto& c : cases) {
        const auto got = convert::integer(c.cell, c.bits);
        ASSERT_TRUE(got) << c.cell.text << ": " << outcome(got);
        EXPECT_EQ(*got, c.value) << c.cell.text;
    }
}

TEST(ConvertInteger, RefusesWhatIsNoIntegerOrDoesNotFit) {
    struct Case {
        Cell cell;
        int bits;
        std::string_view reason;
    };
    const Case cases[] = {
        {number("128"), 8, "a number of 3 digits does not fit 8 bits"},
        {number("-129"), 8, "a negative number of 3 digits does not fit 8 bits"},
        {number("32768"), 16, "a number of 5 digits does not fit 16 bits"},
        {number("2147483648"), 32, "a number of 10 digits does not fit 32 bits"},
        {number("9223372036854775808"), 64, "a number of 19 digits does not fit 64 bits"},
        {number("-9223372036854775809"), 64, "a negative number of 19 digits does not fit 64 bits"},
        {number("9999999999999999999"), 64, "a number of 19 digits does not fit 64 bits"},
        {number("18446744073709551617"), 64, "a number of 20 digits does not fit 64 bits"},
        {number("1e400"), 64, "a number of 1 digit with an exponent does not fit 64 bits"},
        {number("1e99999999999999999999"), 64,
         "a number of 1 digit with an exponent does not fit 64 bits"},
        {number("1.5"), 32, "a number of 1 digit and 1 decimal is not an integer"},
        {number("1e-1"), 32, "a number of 1 digit with an exponent is not an integer"},
        {number("1e-99999999999"), 32, "a number of 1 digit with an exponent is not an integer"},
        {integer(2147483648), 32, "a number of 10 digits does not fit 32 bits"},
        {time_ms(1517363399650), 32, "a number of 13 digits does not fit 32 bits"},
        {string("1"), 32, "a JSON string is not read as an integer"},
        {boolean(true), 32, "a JSON boolean is not read as an integer"},
        {json("[1]"), 32, "a JSON object or array is not read as an integer"},
        {bytes("1"), 32, "a string of raw bytes is not read as an integer"},
        {uuid_cell(), 64, "a UUID is not read as an integer"},
        {cell_of(CellKind::null), 32, "a null is not read as an integer"},
        {cell_of(CellKind::absent), 32, "an absent field is not read as an integer"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(reason(convert::integer(c.cell, c.bits)), c.reason) << c.cell.text;
    }
    for (const auto* bad : {"", " 1", "1 ", "+1", "01", "1.", ".5", "0x10", "1e", "NaN", "--1"}) {
        EXPECT_EQ(reason(convert::integer(text(bad), 32)), "a text holds no number") << bad;
    }
}

TEST(ConvertReasons, QuoteNeitherNumbersNorTexts) {
    const std::string digits(100, '7');
    EXPECT_EQ(reason(convert::integer(number(digits), 64)),
              "a number of 100 digits does not fit 64 bits");
    EXPECT_EQ(reason(convert::integer(text("99999999999"), 32)),
              "the number in a text does not fit 32 bits");
    const std::string secret = "4111111111111111-hunter2";
    std::string scratch;
    const std::string all =
        outcome(convert::integer(text(secret), 64)) + outcome(convert::float64(text(secret))) +
        outcome(convert::decimal(string(secret))) + outcome(convert::boolean(text(secret))) +
        outcome(convert::uuid(string(secret))) + outcome(convert::date(string(secret))) +
        outcome(convert::timestamp_us(text(secret), Zone::required)) +
        outcome(convert::bytes(string(secret), scratch));
    EXPECT_EQ(all.find("hunter2"), std::string::npos) << all;
    EXPECT_EQ(all.find("4111"), std::string::npos) << all;
}

TEST(ConvertReasons, NameWhatToChange) {
    EXPECT_EQ(hint(convert::timestamp_us(number("1517363399650"), Zone::required)),
              "declare its unit: {from: value.ts, unit: ms} (s, ms, us, ns or days)");
    EXPECT_NE(hint(convert::integer(string("1"), 32)).find("without quotes"), std::string::npos);
    std::string scratch;
    EXPECT_NE(hint(convert::bytes(string("AA=="), scratch)).find("encoding: base64 | hex | utf8"),
              std::string::npos);
    EXPECT_NE(hint(convert::json(bytes("\xff"), scratch)).find("value: string"), std::string::npos);
}

TEST(ConvertFloat, RoundsToTheNearestAndRefusesWhatWouldLie) {
    struct Case {
        std::string_view token;
        double value;
    };
    const Case cases[] = {
        {"0.1", 0.1},
        {"-1.5e3", -1500},
        {"1.7976931348623157e308", std::numeric_limits<double>::max()},
        {"4.9e-324", std::numeric_limits<double>::denorm_min()},
        {"1e-400", 0.0},
        {"1e-99999999999999999999", 0.0},
        {"0e99999999999999999999", 0.0},
        {"9007199254740992", 9007199254740992.0},
        {"9007199254740994", 9007199254740994.0},
        {"1000000000000000000000", 1e21},
        {"9007199254740993.0", 9007199254740992.0},  // Not an integer token: rounds.
        {"1e23", 1e23},
        // Half between two doubles, decided by the last digit: needs more than 17 digits.
        {"9007199254740993.00000000000000000000000000000000000001", 9007199254740994.0},
    };
    for (const auto& c : cases) {
        const auto got = convert::float64(number(c.token));
        ASSERT_TRUE(got) << c.token << ": " << outcome(got);
        EXPECT_EQ(*got, c.value) << c.token;
    }
    EXPECT_TRUE(std::signbit(*convert::float64(number("-1e-400"))));
    EXPECT_EQ(*convert::float64(integer(3)), 3.0);
    EXPECT_EQ(*convert::float64(text("2.5")), 2.5);
    EXPECT_EQ(reason(convert::float64(number("1e400"))),
              "a number of 1 digit with an exponent is beyond the range of a 64-bit "
              "floating-point number");
    EXPECT_EQ(reason(convert::float64(number("-1.8e308"))),
              "a negative number of 1 digit and 1 decimal with an exponent is beyond the range "
              "of a 64-bit floating-point number");
    EXPECT_EQ(reason(convert::float64(number("9007199254740993"))),
              "a number of 16 digits is an integer that a 64-bit floating-point number can't hold "
              "exactly");
    EXPECT_FALSE(convert::float64(number("-9007199254740993")));
    EXPECT_FALSE(convert::float64(integer(9007199254740993)));
    EXPECT_FALSE(convert::float64(number(std::string(400, '9'))));
    EXPECT_FALSE(convert::float64(text("NaN")));
    EXPECT_FALSE(convert::float64(text("inf")));
    EXPECT_FALSE(convert::float64(string("1.5")));
    EXPECT_FALSE(convert::float64(time_ms(1)));
}

TEST(ConvertFloat, HoldsFloatsToTheirOwnRange) {
    EXPECT_EQ(*convert::float32(number("0.1")), 0.1F);
    EXPECT_EQ(*convert::float32(number("16777216")), 16777216.0F);
    EXPECT_FALSE(convert::float32(number("16777217")));
    EXPECT_EQ(*convert::float32(number("1e-50")), 0.0F);
    EXPECT_EQ(reason(convert::float32(number("1e39"))),
              "a number of 1 digit with an exponent is beyond the range of a 32-bit "
              "floating-point number");
}

TEST(ConvertFloat, AgreesWithStrtodOnRandomTokens) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    for (int i = 0; i < 20'000; ++i) {
        std::string token = random() % 2 == 0 ? "-" : "";
        token += std::to_string(random() % 10) + "." + std::to_string(random()) + "e" +
                 std::to_string(static_cast<int>(random() % 700) - 350);
        const auto got = convert::float64(number(token));
        const double expected = std::strtod(token.c_str(), nullptr);
        ASSERT_EQ(got.has_value(), std::isfinite(expected)) << token;
        if (got) {
            ASSERT_EQ(*got, expected) << token;
        }
    }
}

TEST(ConvertDecimal, KeepsEveryDigit) {
    struct Case {
        Cell cell;
        bool negative;
        std::string digits;
        std::int32_t scale;
    };
    const std::string long_digits = "123456789012345678901234567890123456789012345678901234567890";
    const Case cases[] = {
        {number("0"), false, "", 0},
        {number("-0.00"), false, "", 2},
        {number("1.005"), false, "1005", 3},
        {number("-0.050"), true, "50", 3},
        {number("1e3"), false, "1", -3},
        {number("1.50E+1"), false, "150", 1},
        {number("12e-5"), false, "12", 5},
        {number("1e131072"), false, "1", -131072},
        {number("1e-131072"), false, "1", 131072},
        {number(long_digits), false, long_digits, 0},
        {string("19.90"), false, "1990", 2},
        {text("-3"), true, "3", 0},
        {integer(std::numeric_limits<std::int64_t>::min()), true, "9223372036854775808", 0},
    };
    for (const auto& c : cases) {
        const auto got = convert::decimal(c.cell);
        ASSERT_TRUE(got) << c.cell.text << ": " << outcome(got);
        EXPECT_EQ(got->negative, c.negative) << c.cell.text;
        EXPECT_EQ(got->digits, c.digits) << c.cell.text;
        EXPECT_EQ(got->scale, c.scale) << c.cell.text;
    }
    EXPECT_EQ(reason(convert::decimal(number("1e131073"))),
              "the exponent of the number is beyond 131072");
    EXPECT_FALSE(convert::decimal(number("1e-131073")));
    EXPECT_FALSE(convert::decimal(string("1e99999999999999999999")));
    EXPECT_FALSE(convert::decimal(string("NaN")));
    EXPECT_FALSE(convert::decimal(string("1,5")));
    EXPECT_FALSE(convert::decimal(boolean(true)));
    EXPECT_FALSE(convert::decimal(time_ms(1)));
}

}  // namespace
}  // namespace sluice
