// Cells become CQL's bytes exactly, or are refused with a reason (native_protocol_v4.spec, 6).
#include "sinks/cassandra/encode.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace sluice::cassandra {
namespace {

Cell cell_of(CellKind kind, std::string_view text) {
    Cell cell;
    cell.kind = kind;
    cell.text = text;
    cell.raw = text;
    return cell;
}
Cell number(std::string_view token) { return cell_of(CellKind::number, token); }
Cell text(std::string_view text) { return cell_of(CellKind::text, text); }
Cell time_ms(std::int64_t ms) {
    Cell cell;
    cell.kind = CellKind::time_ms;
    cell.integer = ms;
    return cell;
}

Column column(Type type, ColumnKind kind = ColumnKind::regular) {
    return {.name = "c", .type_name = "t", .type = type, .kind = kind, .position = 0};
}

// The value's bytes in hexadecimal, after its length was checked; "refused: " and why else.
std::string encoded(const Column& column, Cell cell, Reading reading = {}) {
    std::string out;
    cell.reading = reading;
    const auto done = encode(column, cell, out);
    if (!done) {
        return "refused: " + done.error().reason;
    }
    std::int32_t length = 0;
    std::memcpy(&length, out.data(), sizeof(length));
    EXPECT_EQ(static_cast<std::size_t>(length), out.size() - sizeof(length));
    std::string hex;
    for (const char byte : out.substr(sizeof(length))) {
        constexpr std::string_view digits = "0123456789abcdef";
        hex.push_back(digits[static_cast<unsigned char>(byte) >> 4]);
        hex.push_back(digits[static_cast<unsigned char>(byte) & 15]);
    }
    return hex;
}
std::string encoded(Type type, const Cell& cell, Reading reading = {}) {
    return encoded(column(type), cell, reading);
}
bool refused(Type type, const Cell& cell, Reading reading = {}) {
    return encoded(type, cell, reading).starts_with("refused");
}

TEST(CassandraEncode, IntegersAreBigEndianAndBounded) {
    EXPECT_EQ(encoded(Type::tinyint, number("-128")), "80");
    EXPECT_EQ(encoded(Type::tinyint, number("127")), "7f");
    EXPECT_TRUE(refused(Type::tinyint, number("128")));
    EXPECT_EQ(encoded(Type::smallint, number("-2")), "fffe");
    EXPECT_TRUE(refused(Type::smallint, number("32768")));
    EXPECT_EQ(encoded(Type::int32, number("2147483647")), "7fffffff");
    EXPECT_TRUE(refused(Type::int32, number("2147483648")));
    EXPECT_EQ(encoded(Type::bigint, number("-9223372036854775808")), "8000000000000000");
    EXPECT_TRUE(refused(Type::bigint, number("9223372036854775808")));
    EXPECT_TRUE(refused(Type::int32, number("1.5")));
}

TEST(CassandraEncode, FloatsAreIeee) {
    EXPECT_EQ(encoded(Type::float32, number("1.5")), "3fc00000");
    EXPECT_EQ(encoded(Type::float64, number("-2")), "c000000000000000");
    EXPECT_TRUE(refused(Type::float64, number("9007199254740993")));  // 2^53 + 1
}

TEST(CassandraEncode, DecimalIsAScaleAndTheShortestTwosComplement) {
    EXPECT_EQ(encoded(Type::decimal, number("0")), "0000000000");
    EXPECT_EQ(encoded(Type::decimal, number("1")), "0000000001");
    EXPECT_EQ(encoded(Type::decimal, number("127")), "000000007f");
    EXPECT_EQ(encoded(Type::decimal, number("128")), "000000000080");
    EXPECT_EQ(encoded(Type::decimal, number("-128")), "0000000080");
    EXPECT_EQ(encoded(Type::decimal, number("-129")), "00000000ff7f");
    EXPECT_EQ(encoded(Type::decimal, number("-1")), "00000000ff");
    EXPECT_EQ(encoded(Type::decimal, number("255")), "0000000000ff");
    EXPECT_EQ(encoded(Type::decimal, number("-256")), "00000000ff00");
    EXPECT_EQ(encoded(Type::decimal, number("12.34")), "0000000204d2");
    EXPECT_EQ(encoded(Type::decimal, number("1e3")), "fffffffd01");
    EXPECT_EQ(encoded(Type::decimal, number("18446744073709551616")),  // 2^64
              "00000000010000000000000000");
    EXPECT_EQ(encoded(Type::decimal, number("-18446744073709551616")),
              "00000000ff0000000000000000");
    EXPECT_EQ(encoded(Type::decimal, number("-9223372036854775808")), "000000008000000000000000");
}

TEST(CassandraEncode, DecimalKeepsItsZerosButNotInAKey) {
    EXPECT_EQ(encoded(Type::decimal, number("1.50")), "0000000200"
                                                      "96");
    const Column key = column(Type::decimal, ColumnKind::partition_key);
    EXPECT_EQ(encoded(key, number("1.50")), encoded(key, number("1.5")));
    EXPECT_EQ(encoded(key, number("0.00")), encoded(key, number("0")));
    EXPECT_EQ(encoded(key, number("100")), encoded(key, number("1e2")));
}

TEST(CassandraEncode, ADecimalOfMoreDigitsThanPostgresTakesIsRefused) {
    EXPECT_FALSE(refused(Type::decimal, number(std::string(147'455, '7'))));
    EXPECT_TRUE(refused(Type::decimal, number(std::string(147'456, '7'))));
}

TEST(CassandraEncode, AsciiHasSevenBits) {
    EXPECT_EQ(encoded(Type::ascii, text("a\x7f")), "617f");
    EXPECT_EQ(encoded(Type::ascii, text("\xc3\xa9")),
              "refused: the text holds characters that are not ASCII");
    EXPECT_EQ(encoded(Type::text, text("\xc3\xa9")), "c3a9");
    EXPECT_EQ(encoded(Type::text, text("")), "");
}

TEST(CassandraEncode, DatesCountFromTwoToThe31) {
    EXPECT_EQ(encoded(Type::date, text("1970-01-01")), "80000000");
    EXPECT_EQ(encoded(Type::date, text("1969-12-31")), "7fffffff");
    EXPECT_EQ(encoded(Type::date, text("2026-11-22")), "8000512b");
}

TEST(CassandraEncode, TimestampsAreWholeMilliseconds) {
    EXPECT_EQ(encoded(Type::timestamp, time_ms(1)), "0000000000000001");
    EXPECT_EQ(encoded(Type::timestamp, text("1969-12-31T23:59:59.999Z")), "ffffffffffffffff");
    EXPECT_EQ(encoded(Type::timestamp, text("1970-01-01T00:00:00.000001Z")),
              "refused: a time with microseconds; Cassandra's timestamp holds milliseconds");
    EXPECT_TRUE(refused(Type::timestamp, text("1970-01-01T00:00:00")));  // Which instant?
    EXPECT_EQ(encoded(Type::timestamp, number("2"), {.unit = TimeUnit::seconds}),
              "00000000000007d0");
}

TEST(CassandraEncode, BytesAndIds) {
    EXPECT_EQ(
        encoded(Type::blob, cell_of(CellKind::string, "AAE="), {.encoding = BytesEncoding::base64}),
        "0001");
    EXPECT_EQ(encoded(Type::uuid, text("00010203-0405-0607-0809-0a0b0c0d0e0f")),
              "000102030405060708090a0b0c0d0e0f");
    EXPECT_TRUE(refused(Type::uuid, text("00010203")));
    Cell yes = cell_of(CellKind::boolean, "true");
    yes.boolean = true;
    EXPECT_EQ(encoded(Type::boolean, yes), "01");
}

TEST(CassandraEncode, JsonKeepsItsQuotes) {
    std::string out;
    Cell cell = cell_of(CellKind::string, "a");
    cell.raw = "\"a\"";
    ASSERT_TRUE(encode_json(column(Type::text), cell, out));
    EXPECT_EQ(out.substr(4), "\"a\"");
}

}  // namespace
}  // namespace sluice::cassandra
