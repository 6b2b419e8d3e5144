// A value reaches its column exactly, or is refused with a reason that gives no text away.
#include "model/convert.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

namespace sluice {
namespace {

using convert::Fit;
using convert::Zone;

Cell cell_of(CellKind kind, std::string_view text = {}) {
    Cell cell;
    cell.kind = kind;
    cell.text = text;
    cell.raw = text;
    return cell;
}
Cell number(std::string_view token) { return cell_of(CellKind::number, token); }
Cell string(std::string_view text) { return cell_of(CellKind::string, text); }
Cell text(std::string_view text) { return cell_of(CellKind::text, text); }
Cell bytes(std::string_view text) { return cell_of(CellKind::bytes, text); }
Cell json(std::string_view raw) { return cell_of(CellKind::json, raw); }
Cell boolean(bool value) {
    Cell cell = cell_of(CellKind::boolean);
    cell.boolean = value;
    cell.raw = value ? "true" : "false";
    return cell;
}
Cell integer(std::int64_t value) {
    Cell cell = cell_of(CellKind::integer);
    cell.integer = value;
    return cell;
}
Cell time_ms(std::int64_t value) {
    Cell cell = integer(value);
    cell.kind = CellKind::time_ms;
    return cell;
}
Cell uuid_cell() {
    Cell cell = cell_of(CellKind::uuid);
    cell.uuid = *parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    return cell;
}

template <class T>
std::string outcome(const Fit<T>& fit) {
    return fit ? "a value" : fit.error().reason + " | " + fit.error().hint;
}

// The reason of a refusal; a test failure where there is none.
template <class T>
std::string reason(const Fit<T>& fit) {
    EXPECT_FALSE(fit.has_value());
    return fit ? "" : fit.error().reason;
}
template <class T>
std::string hint(const Fit<T>& fit) {
    EXPECT_FALSE(fit.has_value());
    return fit ? "" : fit.error().hint;
}

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
        {number("128"), 8, "128 does not fit 8 bits"},
        {number("-129"), 8, "-129 does not fit 8 bits"},
        {number("32768"), 16, "32768 does not fit 16 bits"},
        {number("2147483648"), 32, "2147483648 does not fit 32 bits"},
        {number("9223372036854775808"), 64, "9223372036854775808 does not fit 64 bits"},
        {number("-9223372036854775809"), 64, "-9223372036854775809 does not fit 64 bits"},
        {number("9999999999999999999"), 64, "9999999999999999999 does not fit 64 bits"},
        {number("18446744073709551617"), 64, "18446744073709551617 does not fit 64 bits"},
        {number("1e400"), 64, "1e400 does not fit 64 bits"},
        {number("1e99999999999999999999"), 64, "1e99999999999999999999 does not fit 64 bits"},
        {number("1.5"), 32, "1.5 is not an integer"},
        {number("1e-1"), 32, "1e-1 is not an integer"},
        {number("1e-99999999999"), 32, "1e-99999999999 is not an integer"},
        {integer(2147483648), 32, "2147483648 does not fit 32 bits"},
        {time_ms(1517363399650), 32, "1517363399650 does not fit 32 bits"},
        {string("1"), 32, "a JSON string is not read as an integer"},
        {boolean(true), 32, "a JSON boolean is not read as an integer"},
        {json("[1]"), 32, "a JSON object or array is not read as an integer"},
        {bytes("1"), 32, "raw bytes is not read as an integer"},
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

TEST(ConvertReasons, QuoteNumbersUpToFortyCharactersAndTextsNever) {
    const std::string digits(100, '7');
    EXPECT_EQ(reason(convert::integer(number(digits), 64)),
              std::string(40, '7') + "... does not fit 64 bits");
    EXPECT_EQ(reason(convert::integer(text("99999999999"), 32)),
              "the number in a text does not fit 32 bits");
    const std::string secret = "4111111111111111-hunter2";
    std::string scratch;
    const std::string all =
        outcome(convert::integer(text(secret), 64)) + outcome(convert::float64(text(secret))) +
        outcome(convert::decimal(string(secret))) + outcome(convert::boolean(text(secret))) +
        outcome(convert::uuid(string(secret))) + outcome(convert::date(string(secret), {})) +
        outcome(convert::timestamp_us(text(secret), {}, Zone::required)) +
        outcome(convert::bytes(string(secret), {}, scratch));
    EXPECT_EQ(all.find("hunter2"), std::string::npos) << all;
    EXPECT_EQ(all.find("4111"), std::string::npos) << all;
}

TEST(ConvertReasons, NameWhatToChange) {
    EXPECT_EQ(hint(convert::timestamp_us(number("1517363399650"), {}, Zone::required)),
              "declare its unit: {from: value.ts, unit: ms} (s, ms, us, ns or days)");
    EXPECT_NE(hint(convert::integer(string("1"), 32)).find("without quotes"), std::string::npos);
    std::string scratch;
    EXPECT_NE(
        hint(convert::bytes(string("AA=="), {}, scratch)).find("encoding: base64 | hex | utf8"),
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
              "1e400 is beyond the range of a 64-bit floating-point number");
    EXPECT_EQ(reason(convert::float64(number("-1.8e308"))),
              "-1.8e308 is beyond the range of a 64-bit floating-point number");
    EXPECT_EQ(reason(convert::float64(number("9007199254740993"))),
              "9007199254740993 is an integer that a 64-bit floating-point number can't hold "
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
              "1e39 is beyond the range of a 32-bit floating-point number");
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
              "the exponent of 1e131073 is beyond 131072");
    EXPECT_FALSE(convert::decimal(number("1e-131073")));
    EXPECT_FALSE(convert::decimal(string("1e99999999999999999999")));
    EXPECT_FALSE(convert::decimal(string("NaN")));
    EXPECT_FALSE(convert::decimal(string("1,5")));
    EXPECT_FALSE(convert::decimal(boolean(true)));
    EXPECT_FALSE(convert::decimal(time_ms(1)));
}

TEST(ConvertBoolean, TakesBooleansAndTheirWordsInUntypedText) {
    EXPECT_TRUE(*convert::boolean(boolean(true)));
    EXPECT_FALSE(*convert::boolean(boolean(false)));
    EXPECT_TRUE(*convert::boolean(text("true")));
    EXPECT_FALSE(*convert::boolean(text("false")));
    for (const auto& bad : {text("1"), text("True"), text(""), string("true"), number("1")}) {
        EXPECT_FALSE(convert::boolean(bad)) << bad.text;
    }
}

TEST(ConvertText, GivesTheTokenOrTheTextItself) {
    std::string scratch;
    EXPECT_EQ(*convert::text(number("1.50"), scratch), "1.50");
    EXPECT_EQ(*convert::text(string("a\"b"), scratch), "a\"b");
    EXPECT_EQ(*convert::text(json(R"({"a": 1})"), scratch), R"({"a": 1})");
    EXPECT_EQ(*convert::text(boolean(true), scratch), "true");
    EXPECT_EQ(*convert::text(integer(-12), scratch), "-12");
    EXPECT_EQ(*convert::text(uuid_cell(), scratch), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    // Cassandra stores a NUL; refusing it is the business of PostgreSQL's encoder.
    EXPECT_EQ(convert::text(text(std::string_view("a\0b", 3)), scratch)->size(), 3U);
    EXPECT_FALSE(convert::text(bytes("a"), scratch));
    EXPECT_FALSE(convert::text(time_ms(1), scratch));
}

TEST(ConvertJson, GivesRawJsonAndQuotesUntypedText) {
    std::string scratch;
    Cell escaped = string("a\nb");
    escaped.raw = R"("a\nb")";
    EXPECT_EQ(*convert::json(escaped, scratch), R"("a\nb")");
    EXPECT_EQ(*convert::json(number("1e400"), scratch), "1e400");
    EXPECT_EQ(*convert::json(boolean(false), scratch), "false");
    EXPECT_EQ(*convert::json(json("[1, 2]"), scratch), "[1, 2]");
    EXPECT_EQ(*convert::json(integer(5), scratch), "5");
    EXPECT_EQ(*convert::json(uuid_cell(), scratch), "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"");
    EXPECT_EQ(*convert::json(text(""), scratch), "\"\"");
    EXPECT_EQ(*convert::json(text("grün \"x\" \\ \b\f\n\r\t\x01\x1f\x7f"), scratch),
              "\"grün \\\"x\\\" \\\\ \\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    EXPECT_EQ(*convert::json(text(std::string_view("\0", 1)), scratch), R"("\u0000")");
    EXPECT_FALSE(convert::json(bytes("{}"), scratch));
    EXPECT_FALSE(convert::json(time_ms(1), scratch));
}

TEST(ConvertBytes, DecodesOnlyWhatIsDeclared) {
    std::string scratch;
    const Reading base64{.encoding = BytesEncoding::base64};
    const Reading hex{.encoding = BytesEncoding::hex};
    const Reading utf8{.encoding = BytesEncoding::utf8};
    EXPECT_EQ(*convert::bytes(bytes("\xff\x01"), {}, scratch), "\xff\x01");
    EXPECT_EQ(*convert::bytes(text("abc"), {}, scratch), "abc");
    EXPECT_FALSE(convert::bytes(string("abc"), {}, scratch));
    EXPECT_EQ(*convert::bytes(string("abc"), utf8, scratch), "abc");
    const std::pair<std::string_view, std::string_view> good_base64[] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zg", "f"},
        {"Zm8=", "fo"},
        {"Zm8", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"+/+/", "\xfb\xff\xbf"},
        {"-_-_", "\xfb\xff\xbf"},
    };
    for (const auto& [in, out] : good_base64) {
        const auto got = convert::bytes(string(in), base64, scratch);
        ASSERT_TRUE(got) << in;
        EXPECT_EQ(*got, out) << in;
    }
    for (const auto* bad : {"Z", "Zg=", "Zg===", "====", "=", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n",
                            "Zm9v=", "Zm8=Zm8=", "Zm9v.A=="}) {
        EXPECT_FALSE(convert::bytes(string(bad), base64, scratch)) << bad;
    }
    for (const auto* good : {"00fFa0", "\\x00ffa0", "0x00FFA0"}) {
        EXPECT_EQ(*convert::bytes(string(good), hex, scratch), std::string_view("\0\xff\xa0", 3));
    }
    for (const auto* bad : {"0", "0x0", "0g", "\\x\\x00", " 00", "00 "}) {
        EXPECT_FALSE(convert::bytes(string(bad), hex, scratch)) << bad;
    }
    EXPECT_EQ(*convert::bytes(text("Zm9v"), base64, scratch), "foo");
    EXPECT_FALSE(convert::bytes(number("1"), hex, scratch));
    EXPECT_FALSE(convert::bytes(json("{}"), utf8, scratch));
}

TEST(ConvertBytes, TakesBackWhatItIsGiven) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string scratch;
    for (int i = 0; i < 2000; ++i) {
        std::string in(random() % 50, ' ');
        for (char& c : in) {
            c = static_cast<char>(random());
        }
        std::string out;
        unsigned bits = 0;
        int count = 0;
        for (const char c : in) {
            bits = bits << 8 | static_cast<unsigned char>(c);
            for (count += 8; count >= 6;) {
                count -= 6;
                out.push_back(alphabet[bits >> count & 63]);
            }
        }
        if (count > 0) {
            out.push_back(alphabet[bits << (6 - count) & 63]);
        }
        const auto got = convert::bytes(string(out), {.encoding = BytesEncoding::base64}, scratch);
        ASSERT_TRUE(got) << out;
        ASSERT_EQ(*got, in) << out;
    }
}

TEST(ConvertUuid, TakesTheCustomarySpellingOnly) {
    EXPECT_EQ(*convert::uuid(string("6BA7B810-9dad-11d1-80b4-00c04fd430c8")), uuid_cell().uuid);
    EXPECT_EQ(*convert::uuid(text("6ba7b810-9dad-11d1-80b4-00c04fd430c8")), uuid_cell().uuid);
    EXPECT_EQ(*convert::uuid(uuid_cell()), uuid_cell().uuid);
    for (const auto* bad :
         {"", "6ba7b8109dad11d180b400c04fd430c8", "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
          "6ba7b810-9dad-11d1-80b4-00c04fd430cg"}) {
        EXPECT_FALSE(convert::uuid(string(bad))) << bad;
    }
    EXPECT_FALSE(convert::uuid(number("1")));
}

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
            const auto got = convert::timestamp_us(cell, {}, Zone::required);
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
        const auto got = reason(convert::timestamp_us(string(c.text), {}, Zone::required));
        EXPECT_NE(got.find(c.reason), std::string::npos) << c.text << ": " << got;
    }
    EXPECT_EQ(*convert::timestamp_us(string("1970-01-01T00:00:01"), {}, Zone::optional), 1000000);
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
        const auto got = convert::timestamp_us(c.cell, {.unit = c.unit}, Zone::required);
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
        {number("1.0000001"), TimeUnit::seconds, "1.0000001 s has digits below a microsecond"},
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
        const auto got = reason(convert::timestamp_us(c.cell, {.unit = c.unit}, Zone::required));
        EXPECT_NE(got.find(c.reason), std::string::npos) << c.reason << ": " << got;
    }
}

TEST(ConvertDate, ReadsCalendarDaysAndDeclaredDayCounts) {
    EXPECT_EQ(*convert::date(string("1970-01-01"), {}), 0);
    EXPECT_EQ(*convert::date(string("1969-12-31"), {}), -1);
    EXPECT_EQ(*convert::date(text("2000-03-01"), {}), 11017);
    EXPECT_EQ(*convert::date(string("0001-01-01"), {}), -719162);
    EXPECT_EQ(*convert::date(string("9999-12-31"), {}), 2932896);
    EXPECT_EQ(*convert::date(number("11017"), {.unit = TimeUnit::days}), 11017);
    EXPECT_EQ(*convert::date(text("-1"), {.unit = TimeUnit::days}), -1);
    EXPECT_EQ(*convert::date(integer(7), {.unit = TimeUnit::days}), 7);
    EXPECT_FALSE(convert::date(number("11017"), {}));
    EXPECT_FALSE(convert::date(number("11017"), {.unit = TimeUnit::millis}));
    EXPECT_FALSE(convert::date(number("0.5"), {.unit = TimeUnit::days}));
    EXPECT_FALSE(convert::date(number("2147483648"), {.unit = TimeUnit::days}));
    for (const auto* bad : {"", "2026-02-30", "2026-1-1", "01.02.2026", "2026-01-02T00:00:00Z",
                            "0000-01-01", "2026-01-02 "}) {
        EXPECT_FALSE(convert::date(string(bad), {})) << bad;
    }
    EXPECT_FALSE(convert::date(time_ms(0), {}));
}

// Every day of 400 years, against counting.
TEST(ConvertDate, CountsEveryDayOfTheCalendarOnce) {
    std::int32_t expected = *convert::date(string("1800-01-01"), {});
    for (int year = 1800; year < 2200; ++year) {
        for (int month = 1; month <= 12; ++month) {
            for (int day = 1; day <= 31; ++day) {
                char buffer[40];
                std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02d", year, month, day);
                if (const auto got = convert::date(string(buffer), {})) {
                    ASSERT_EQ(*got, expected) << buffer;
                    ++expected;
                } else {
                    ASSERT_GT(day, 28) << buffer;
                }
            }
        }
    }
    EXPECT_EQ(expected, *convert::date(string("2200-01-01"), {}));
}

}  // namespace
}  // namespace sluice
