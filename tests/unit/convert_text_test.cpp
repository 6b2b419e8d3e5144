// What reaches a column that is no number and no time: booleans, texts, JSON, bytes, UUIDs.
#include "model/convert.hpp"

#include <gtest/gtest.h>

#include <random>

#include "convert_fixture.hpp"

namespace sluice {
namespace {

using test::as;
using test::boolean;
using test::bytes;
using test::integer;
using test::json;
using test::number;
using test::string;
using test::text;
using test::time_ms;
using test::uuid_cell;

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
    EXPECT_EQ(*convert::bytes(bytes("\xff\x01"), scratch), "\xff\x01");
    EXPECT_EQ(*convert::bytes(text("abc"), scratch), "abc");
    EXPECT_FALSE(convert::bytes(string("abc"), scratch));
    EXPECT_EQ(*convert::bytes(as(utf8, string("abc")), scratch), "abc");
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
        const auto got = convert::bytes(as(base64, string(in)), scratch);
        ASSERT_TRUE(got) << in;
        EXPECT_EQ(*got, out) << in;
    }
    for (const auto* bad : {"Z", "Zg=", "Zg===", "====", "=", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n",
                            "Zm9v=", "Zm8=Zm8=", "Zm9v.A=="}) {
        EXPECT_FALSE(convert::bytes(as(base64, string(bad)), scratch)) << bad;
    }
    for (const auto* good : {"00fFa0", "\\x00ffa0", "0x00FFA0"}) {
        EXPECT_EQ(*convert::bytes(as(hex, string(good)), scratch),
                  std::string_view("\0\xff\xa0", 3));
    }
    for (const auto* bad : {"0", "0x0", "0g", "\\x\\x00", " 00", "00 "}) {
        EXPECT_FALSE(convert::bytes(as(hex, string(bad)), scratch)) << bad;
    }
    EXPECT_EQ(*convert::bytes(as(base64, text("Zm9v")), scratch), "foo");
    EXPECT_FALSE(convert::bytes(as(hex, number("1")), scratch));
    EXPECT_FALSE(convert::bytes(as(utf8, json("{}")), scratch));
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
        const auto got = convert::bytes(as({.encoding = BytesEncoding::base64}, string(out)),
                                        scratch);
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

}  // namespace
}  // namespace sluice
