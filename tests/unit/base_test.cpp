// The small shared parts: UUIDs and texts.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "base/big_endian.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "base/uuid.hpp"

namespace sluice {
namespace {

TEST(Uuid, SpellsAndReadsTheSame) {
    const auto id = parse_uuid("6BA7B810-9dad-11d1-80b4-00c04fd430c8");
    ASSERT_TRUE(id);
    EXPECT_EQ(id->to_string(), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    EXPECT_EQ(parse_uuid("00000000-0000-0000-0000-000000000000"), Uuid{});
}

TEST(Uuid, RefusesEveryOtherSpelling) {
    for (const auto* bad : {
             "",
             "6ba7b8109dad11d180b400c04fd430c8",
             "6ba7b810-9dad-11d1-80b4-00c04fd430c",
             "6ba7b810-9dad-11d1-80b4-00c04fd430c88",
             "6ba7b810-9dad-11d1-80b4_00c04fd430c8",
             "6ba7b81-09dad-11d1-80b4-00c04fd430c8",
             "6ba7b810-9dad-11d1-80b4-00c04fd430cg",
             "{6ba7b810-9dad-11d1-80b4-00c04fd430c}",
         }) {
        EXPECT_FALSE(parse_uuid(bad)) << bad;
    }
}

// The vector of RFC 9562, appendix A.4; it must never change, as ids stand in tables.
TEST(Uuid, NamesGiveTheIdsOfTheStandard) {
    const Uuid dns = *parse_uuid("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
    EXPECT_EQ(uuid_v5(dns, "www.example.com").to_string(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    EXPECT_NE(uuid_v5(dns, "3:120"), uuid_v5(dns, "31:20"));
    EXPECT_NE(uuid_v5(dns, "3:120"), uuid_v5(Uuid{}, "3:120"));
}

TEST(Uuid, RandomIdsAreOfVersionFourAndDiffer) {
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto text = uuid_random().to_string();
        EXPECT_EQ(text[14], '4');
        EXPECT_NE(std::string_view("89ab").find(text[19]), std::string_view::npos);
        EXPECT_TRUE(seen.insert(text).second);
    }
}

TEST(BigEndian, MostSignificantByteFirst) {
    std::string bytes;
    append_big_endian(bytes, std::uint16_t{0x0102});
    append_big_endian(bytes, std::int32_t{-2});
    EXPECT_EQ(bytes, std::string("\x01\x02\xff\xff\xff\xfe"));
    EXPECT_EQ(read_big_endian<std::uint16_t>(bytes.data()), 0x0102);
    EXPECT_EQ(read_big_endian<std::int32_t>(bytes.data() + 2), -2);
}

TEST(Text, FindsTheNearestNameOrNone) {
    constexpr std::string_view names[] = {"brokers", "topic", "postgres", "cassandra"};
    EXPECT_EQ(nearest("broker", names), "brokers");
    EXPECT_EQ(nearest("topci", names), "topic");
    EXPECT_EQ(nearest("postgers", names), "postgres");
    EXPECT_EQ(nearest("kafka", names), std::nullopt);
    EXPECT_EQ(nearest("topic", {}), std::nullopt);
}

TEST(Text, JoinsNames) {
    constexpr std::string_view names[] = {"a", "b", "c"};
    EXPECT_EQ(join(names), "a, b, c");
    EXPECT_EQ(join(names, "|"), "a|b|c");
    EXPECT_EQ(join(std::vector<std::string>{"a", "b"}), "a, b");
    EXPECT_EQ(join(std::vector<std::string>{}), "");
}

TEST(Text, KnowsWellFormedUtf8) {
    using namespace std::string_view_literals;
    for (const auto good : {""sv, "abc"sv, "gr\xc3\xbcn"sv, "\xe2\x82\xac"sv, "\xf0\x9f\x98\x80"sv,
                            "\xf4\x8f\xbf\xbf"sv, "\xef\xbf\xbf"sv, "a\0b"sv}) {
        EXPECT_TRUE(is_utf8(good)) << good;
    }
    for (const auto bad : {"\x80"sv, "\xc3"sv, "\xc0\xaf"sv, "\xe0\x80\xaf"sv, "\xed\xa0\x80"sv,
                           "\xf4\x90\x80\x80"sv, "\xf8\x88\x80\x80\x80"sv, "\xff"sv, "\xe2\x82"sv,
                           "\xf0\x9f\x98"sv}) {
        EXPECT_FALSE(is_utf8(bad));
    }
    EXPECT_EQ(count_characters("gr\xc3\xbcn \xf0\x9f\x98\x80"), 6U);
}

TEST(Text, ReadsDurations) {
    EXPECT_EQ(parse_duration_ms("20ms"), 20);
    EXPECT_EQ(parse_duration_ms("30s"), 30'000);
    EXPECT_EQ(parse_duration_ms("5m"), 300'000);
    EXPECT_EQ(parse_duration_ms("2h"), 7'200'000);
    EXPECT_EQ(parse_duration_ms("30d"), 2'592'000'000);
    for (const auto* bad : {"", "5", "-5s", "5 s", "1.5s", "s", "5S", "5w", "+5s",
                            "9223372036854775807d", "99999999999999999999ms"}) {
        EXPECT_FALSE(parse_duration_ms(bad)) << bad;
    }
}

TEST(Error, ReadsAsOneLine) {
    const Error full{.action = Action::reject,
                     .op = "postgres.copy",
                     .where = "orders[3]@120",
                     .code = "22003",
                     .detail = "out of range",
                     .hint = "use bigint"};
    EXPECT_EQ(full.message(), "orders[3]@120: out of range (postgres.copy, 22003); use bigint");
    Error bare;
    bare.detail = "broken";
    EXPECT_EQ(bare.message(), "broken");
}

}  // namespace
}  // namespace sluice
