// Goal: values become the bytes that PostgreSQL's receive functions read, or are refused. The
// bytes are those that `COPY (SELECT …) TO STDOUT (FORMAT binary)` gives.
#include <gtest/gtest.h>

#include "sinks/postgres/encode.hpp"

namespace sluice::postgres {
namespace {

Column column(Type type, std::int32_t modifier = -1) {
    return {.name = "c",
            .type_name = "some type",
            .type = type,
            .modifier = modifier,
            .not_null = false,
            .has_default = false,
            .generated = false,
            .json_text = false};
}

Cell number(std::string_view token) {
    return {.kind = CellKind::number, .text = token, .raw = token, .uuid = {}};
}
Cell untyped(std::string_view text) {
    return {.kind = CellKind::text, .text = text, .raw = {}, .uuid = {}};
}

std::string hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        constexpr std::string_view digits = "0123456789abcdef";
        out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
        out.push_back(digits[static_cast<unsigned char>(c) & 15]);
    }
    return out;
}

// Length and value in hexadecimal, or the reason for the refusal.
std::string encoded(const Column& to, Cell cell, Reading reading = {}) {
    std::string out;
    cell.reading = reading;
    if (const auto fits = encode(to, cell, out); !fits) {
        return "refused: " + fits.error().reason;
    }
    return hex(out);
}

constexpr std::int32_t numeric_modifier(std::int32_t precision, std::int32_t scale) {
    return (precision << 16 | (scale & 0x7ff)) + 4;
}

TEST(PostgresEncode, Numerics) {
    struct Case {
        std::string_view token;
        std::string_view bytes;  // digits, weight, sign, display scale, groups
    };
    const std::vector<Case> cases{
        {"0", "00000008"
              "0000"
              "0000"
              "0000"
              "0000"},
        {"-0", "00000008"
               "0000"
               "0000"
               "0000"
               "0000"},
        {"1", "0000000a"
              "0001"
              "0000"
              "0000"
              "0000"
              "0001"},
        {"-1", "0000000a"
               "0001"
               "0000"
               "4000"
               "0000"
               "0001"},
        {"10000", "0000000a"
                  "0001"
                  "0001"
                  "0000"
                  "0000"
                  "0001"},
        {"12345", "0000000c"
                  "0002"
                  "0001"
                  "0000"
                  "0000"
                  "0001"
                  "0929"},
        {"0.5", "0000000a"
                "0001"
                "ffff"
                "0000"
                "0001"
                "1388"},
        {"0.00001", "0000000a"
                    "0001"
                    "fffe"
                    "0000"
                    "0005"
                    "03e8"},
        {"123.4567", "0000000c"
                     "0002"
                     "0000"
                     "0000"
                     "0004"
                     "007b"
                     "11d7"},
        {"1.50", "0000000c"
                 "0002"
                 "0000"
                 "0000"
                 "0002"
                 "0001"
                 "1388"},
        {"1e3", "0000000a"
                "0001"
                "0000"
                "0000"
                "0000"
                "03e8"},
        {"1e4", "0000000a"
                "0001"
                "0001"
                "0000"
                "0000"
                "0001"},
    };
    for (const auto& [token, bytes] : cases) {
        EXPECT_EQ(encoded(column(Type::numeric), number(token)), bytes) << token;
    }
}

TEST(PostgresEncode, NumericsThatWouldBeRoundedOrDoNotFitAreRefused) {
    const Column money = column(Type::numeric, numeric_modifier(10, 2));
    EXPECT_EQ(encoded(money, number("1.500")), "0000000c"
                                               "0002"
                                               "0000"
                                               "0000"
                                               "0002"
                                               "0001"
                                               "1388");
    EXPECT_NE(encoded(money, number("1.005")).find("would be rounded"), std::string::npos);
    EXPECT_EQ(encoded(money, number("99999999.99")).find("refused"), std::string::npos);
    EXPECT_NE(encoded(money, number("100000000")).find("does not fit"), std::string::npos);
    const Column thousands = column(Type::numeric, numeric_modifier(3, -3));
    EXPECT_EQ(encoded(thousands, number("999000")).find("refused"), std::string::npos);
    EXPECT_NE(encoded(thousands, number("999001")).find("would be rounded"), std::string::npos);
    EXPECT_NE(encoded(thousands, number("1000000")).find("does not fit"), std::string::npos);
}

TEST(PostgresEncode, TimesCountFromTheYear2000) {
    EXPECT_EQ(encoded(column(Type::timestamptz), number("946684800000"),
                      {.unit = TimeUnit::millis, .encoding = {}}),
              "00000008"
              "0000000000000000");
    EXPECT_EQ(encoded(column(Type::timestamptz), untyped("1999-12-31T23:59:59.999999Z")),
              "00000008"
              "ffffffffffffffff");
    EXPECT_EQ(encoded(column(Type::date), untyped("2000-01-02")), "00000004"
                                                                  "00000001");
    EXPECT_EQ(encoded(column(Type::timestamp), untyped("2000-01-01 00:00:01")), "00000008"
                                                                                "00000000000f4240");
    EXPECT_NE(encoded(column(Type::timestamptz), untyped("2000-01-01T00:00:00")).find("refused"),
              std::string::npos);
}

TEST(PostgresEncode, TextsKeepToTheColumnsLengthInCharacters) {
    const Column short_text = column(Type::varchar, 3 + 4);
    EXPECT_EQ(encoded(short_text, untyped("äöü")), "00000006"
                                                   "c3a4c3b6c3bc");
    EXPECT_NE(encoded(short_text, untyped("abcd")).find("4 characters"), std::string::npos);
    EXPECT_EQ(encoded(column(Type::varchar), untyped("abcd")), "00000004"
                                                               "61626364");
    EXPECT_NE(encoded(column(Type::text), untyped(std::string_view("a\0b", 3))).find("NUL"),
              std::string::npos);
}

TEST(PostgresEncode, JsonbHasAVersionByteAndNoNul) {
    const Cell one = number("1");
    EXPECT_EQ(encoded(column(Type::jsonb), one), "00000002"
                                                 "01"
                                                 "31");
    EXPECT_EQ(encoded(column(Type::json), one), "00000001"
                                                "31");
    JsonDocument document;
    document.has_nul = true;
    Cell bad{.kind = CellKind::json, .text = {}, .raw = R"({"a":"\u0000"})", .uuid = {}};
    bad.document = &document;
    EXPECT_NE(encoded(column(Type::jsonb), bad).find("refused"), std::string::npos);
    EXPECT_EQ(encoded(column(Type::json), bad).find("refused"), std::string::npos);
    EXPECT_NE(encoded(column(Type::jsonb), untyped(std::string_view("\0", 1))).find("refused"),
              std::string::npos);
}

TEST(PostgresEncode, IntegersAtTheirLimits) {
    EXPECT_EQ(encoded(column(Type::int2), number("-32768")), "00000002"
                                                             "8000");
    EXPECT_NE(encoded(column(Type::int2), number("32768")).find("refused"), std::string::npos);
    EXPECT_EQ(encoded(column(Type::int8), number("9007199254740993")), "00000008"
                                                                       "0020000000000001");
    EXPECT_EQ(encoded(column(Type::int8), number("-9223372036854775808")), "00000008"
                                                                           "8000000000000000");
}

// Beyond them PostgreSQL has infinity and -infinity, and a 32-bit count of days overflows.
TEST(PostgresEncode, DatesAtTheirLimits) {
    const Reading days{.unit = TimeUnit::days, .encoding = {}};
    const auto date = [&](std::string_view token) {
        return encoded(column(Type::date), number(token), days);
    };
    EXPECT_EQ(date("-2440588"), "00000004"
                                "ffda97a7");
    EXPECT_EQ(date("2145042905"), "00000004"
                                  "7fda970c")
        << "5874897-12-31";
    for (const auto* beyond :
         {"-2440589", "2145042906", "-2147483648", "-2147472692", "2147483647"}) {
        EXPECT_NE(date(beyond).find("refused"), std::string::npos) << beyond;
    }
}

TEST(PostgresEncode, AFieldIsNotRefusedForAnotherFieldOfItsDocument) {
    JsonDocument document;
    document.has_nul = true;
    const auto refused = [&](std::string_view raw) {
        Cell cell{.kind = CellKind::json, .text = {}, .raw = raw, .uuid = {}};
        cell.document = &document;
        return encoded(column(Type::jsonb), cell).starts_with("refused");
    };
    EXPECT_FALSE(refused(R"({"a": "\\u0000", "b": "u0000"})"));
    EXPECT_TRUE(refused(R"({"a": "\\\u0000"})"));
    EXPECT_TRUE(refused(R"({"\u0000": 1})"));
}

}  // namespace
}  // namespace sluice::postgres
