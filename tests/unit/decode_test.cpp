// Bytes become events: exactly the documents of RFC 8259, no digit lost, no record quoted.
#include "decode/decode.hpp"

#include <gtest/gtest.h>

#include "decode/json_string.hpp"
#include "json_checker.hpp"

namespace sluice {
namespace {

using namespace std::string_view_literals;

std::string show(const JsonDocument& document, const JsonNode& node) {
    std::string out;
    const auto first = static_cast<std::size_t>(&node - document.nodes.data()) + 1;
    switch (node.type) {
        case JsonType::null:
            return "null";
        case JsonType::boolean:
            return node.boolean ? "true" : "false";
        case JsonType::number:
            return std::string(node.raw);
        case JsonType::string:
            return "<" + std::string(node.text) + ">";
        case JsonType::array:
        case JsonType::object:
            out = node.type == JsonType::array ? "[" : "{";
            for (std::size_t i = first; i < node.end; i = document.nodes[i].end) {
                const JsonNode& child = document.nodes[i];
                out += i == first ? "" : " ";
                if (node.type == JsonType::object) {
                    out += "<" + std::string(child.name) + ">=";
                }
                out += show(document, child);
            }
            return out + (node.type == JsonType::array ? "]" : "}");
    }
    return out;
}

// What a reader would make of the document, or why there is none.
std::string read(std::string_view text) {
    JsonParser parser;
    JsonDocument document;
    if (const auto parsed = parser.parse(text, document); !parsed) {
        EXPECT_TRUE(document.nodes.empty());
        return "error: " + parsed.error().reason + " @" + std::to_string(parsed.error().position);
    }
    return show(document, document.root());
}

TEST(Json, ReadsEveryKindOfValue) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"null", "null"},
        {" \t\r\n true \n", "true"},
        {"false", "false"},
        {"0", "0"},
        {"-0.0e-0", "-0.0e-0"},
        {"9007199254740993", "9007199254740993"},
        {"123456789012345678901234567890.12345678901234567890",
         "123456789012345678901234567890.12345678901234567890"},
        {"1e400", "1e400"},
        {"1E+2", "1E+2"},
        {R"("")", "<>"},
        {R"("a b")", "<a b>"},
        {R"("\"\\\/\b\f\n\r\t")", "<\"\\/\b\f\n\r\t>"},
        {R"("\u0041\u00e9\u20AC\uD83D\ude00")", "<Aé€😀>"},
        {"\"gr\xc3\xbcn \xf0\x9f\x98\x80\x7f\"", "<grün 😀\x7f>"},
        {"[]", "[]"},
        {" [ ] ", "[]"},
        {"{}", "{}"},
        {R"([1,"a",null,[true],{}])", "[1 <a> null [true] {}]"},
        {R"({"a":1,"b":{"c":[2,{"d":3}]},"":4})", "{<a>=1 <b>={<c>=[2 {<d>=3}]} <>=4}"},
        {"{ \"a\" :\n1 , \"b\" : [ 2 , 3 ] }", "{<a>=1 <b>=[2 3]}"},
        {R"({"a\u0062\n":1})", "{<ab\n>=1}"},
        {R"({"a":1,"a":2,"A":3})", "{<a>=1 <a>=2 <A>=3}"},
        {"[[[[[[1]]]],2]]", "[[[[[[1]]]] 2]]"},
        {R"(["a]","b}","{","\\","\"",":"])", "[<a]> <b}> <{> <\\> <\"> <:>]"},
    };
    for (const auto& [text, expected] : cases) {
        EXPECT_EQ(read(text), expected) << text;
        EXPECT_TRUE(test::JsonChecker(text, 512).accepts()) << text;
    }
}

TEST(Json, RefusesEverythingElseAndSaysWhere) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {""sv, "it is empty (0 bytes) @0"},
        {" \n"sv, "there is nothing but white space @0"},
        {"\xef\xbb\xbf{}"sv, "it starts with a byte order mark, which JSON forbids @0"},
        {"hello"sv, "something else stands where a value is expected @0"},
        {"{\"a\":1"sv, "an object is not closed @6"},
        {"[1,2"sv, "an array is not closed @4"},
        {"[1,"sv, "the document ends where a value is missing @3"},
        {"{\"a\":"sv, "the document ends where a value is missing @5"},
        {"{\"a\""sv, "no colon follows a member's name @4"},
        {"{"sv, "a member's name is missing @1"},
        {"{\"a\":\"b"sv, "a string has no closing quote @7"},
        {"{} {}"sv, "something follows the document @3"},
        {"{}x"sv, "something follows the document @2"},
        {"1 2"sv, "something follows the document @2"},
        {"[1 2]"sv, "neither a comma nor the closing bracket follows a value @3"},
        {"[1}"sv, "neither a comma nor the closing bracket follows a value @2"},
        {"{\"a\":1]"sv, "neither a comma nor the closing bracket follows a value @6"},
        {"[1,]"sv, "something else stands where a value is expected @3"},
        {"[,1]"sv, "something else stands where a value is expected @1"},
        {"{\"a\":1,}"sv, "a member's name is missing @7"},
        {"{a:1}"sv, "a member's name is missing @1"},
        {"{'a':1}"sv, "a member's name is missing @1"},
        {"{1:1}"sv, "a member's name is missing @1"},
        {"{\"a\" 1}"sv, "no colon follows a member's name @5"},
        {"{\"a\"::1}"sv, "something else stands where a value is expected @5"},
        {"NaN"sv, "something else stands where a value is expected @0"},
        {"Infinity"sv, "something else stands where a value is expected @0"},
        {"-Infinity"sv, "a digit is missing after the minus @1"},
        {"+1"sv, "something else stands where a value is expected @0"},
        {"01"sv, "a number has leading zeros @0"},
        {"-01"sv, "a number has leading zeros @1"},
        {"1."sv, "a digit is missing after the point of a number @2"},
        {"[1.e5]"sv, "a digit is missing after the point of a number @3"},
        {".5"sv, "something else stands where a value is expected @0"},
        {"1e"sv, "a digit is missing in the exponent of a number @2"},
        {"1e+"sv, "a digit is missing in the exponent of a number @3"},
        {"0x10"sv, "a number has a character that belongs to none @1"},
        {"1_000"sv, "a number has a character that belongs to none @1"},
        {"1\"a\""sv, "a number has a character that belongs to none @1"},
        {"1 \f"sv, "something follows the document @2"},
        {"1\0"sv, "a number has a character that belongs to none @1"},
        {"truex"sv, "something else stands where a value is expected @0"},
        {"True"sv, "something else stands where a value is expected @0"},
        {"nul"sv, "something else stands where a value is expected @0"},
        {"[1] // x"sv, "something follows the document @4"},
        {"\"a\nb\""sv, "a control character stands unescaped in a string @2"},
        {"{\n\"a\":\"\\\"\x01\"}"sv, "a control character stands unescaped in a string @9"},
        {"\"\0\""sv, "a control character stands unescaped in a string @1"},
        {R"(["\x41"])"sv, "a backslash escapes a letter that has no meaning @2"},
        {R"("\u12g4")"sv, "an escape \\u lacks its four hexadecimal digits @1"},
        {R"("\u12")"sv, "an escape \\u lacks its four hexadecimal digits @1"},
        {R"("ab\ud800")"sv, "half of a surrogate pair stands alone @3"},
        {R"("\ud800\u0041")"sv, "half of a surrogate pair stands alone @1"},
        {R"("\ud800x\udc00")"sv, "half of a surrogate pair stands alone @1"},
        {R"("\udc00")"sv, "half of a surrogate pair stands alone @1"},
        {R"({"\udfff":1})"sv, "half of a surrogate pair stands alone @2"},
        {"\"\xc0\xaf\""sv, "the bytes are not UTF-8 @1"},
        {"\"\xed\xa0\x80\""sv, "the bytes are not UTF-8 @1"},
        {"\"abc\xff\""sv, "the bytes are not UTF-8 @4"},
        {"\"\xe2\x82\""sv, "the bytes are not UTF-8 @1"},
        {"1\\\"\"a\""sv, "a number has a character that belongs to none @1"},
        {"\\\"\"a\""sv, "something else stands where a value is expected @0"},
    };
    for (const auto& [text, expected] : cases) {
        const auto got = read(text);
        EXPECT_EQ(got, "error: " + std::string(expected)) << text;
        EXPECT_FALSE(test::JsonChecker(text, 512).accepts()) << text;
    }
}

TEST(Json, NamesTheSchemaOfARegistry) {
    JsonParser parser;
    JsonDocument document;
    const auto parsed = parser.parse("\0\x00\x01\xe2\x40{}"sv, document);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().schema_id, 123456U);
    EXPECT_NE(parsed.error().reason.find("schema id 123456"), std::string::npos);
    const auto shorter = parser.parse("\0\x00\x01\xe2"sv, document);
    ASSERT_FALSE(shorter);
    EXPECT_EQ(shorter.error().schema_id, std::nullopt);
}

TEST(Json, GivesTheExactSourceOfEachValue) {
    const std::string_view text = R"( { "a" : [ 1 , { "b" : "x\ty" } ] , "c" : { } } )";
    JsonParser parser;
    JsonDocument document;
    ASSERT_TRUE(parser.parse(text, document));
    EXPECT_EQ(document.root().raw, R"({ "a" : [ 1 , { "b" : "x\ty" } ] , "c" : { } })");
    const JsonNode* a = document.member(document.root(), "a");
    EXPECT_EQ(a->raw, R"([ 1 , { "b" : "x\ty" } ])");
    EXPECT_EQ(document.element(*a, 1)->raw, R"({ "b" : "x\ty" })");
    const JsonNode* b = document.member(*document.element(*a, 1), "b");
    EXPECT_EQ(b->raw, R"("x\ty")");
    EXPECT_EQ(b->text, "x\ty");
    EXPECT_EQ(document.member(document.root(), "c")->raw, "{ }");
    EXPECT_EQ(document.element(*a, 2), nullptr);
    EXPECT_EQ(document.member(*a, "b"), nullptr);
    EXPECT_GE(a->raw.data(), text.data());
    EXPECT_LE(a->raw.data() + a->raw.size(), text.data() + text.size());
}

TEST(Json, OfRepeatedNamesTheLastCounts) {
    JsonParser parser;
    JsonDocument document;
    ASSERT_TRUE(parser.parse(R"({"a":1,"b":2,"a":{"x":3}})", document));
    EXPECT_EQ(document.member(document.root(), "a")->raw, R"({"x":3})");
}

TEST(Json, ReportsNul) {
    struct Case {
        std::string_view text;
        bool has_nul;
    };
    const Case cases[] = {
        {R"(["a", 1])", false},
        {R"(["a\u0000b", 1e5])", true},
        {R"({"\u0000": 1})", true},
        {R"(["\\u0000"])", false},
    };
    JsonParser parser;
    JsonDocument document;
    for (const auto& c : cases) {
        ASSERT_TRUE(parser.parse(c.text, document)) << c.text;
        EXPECT_EQ(document.has_nul, c.has_nul) << c.text;
    }
}

TEST(Json, StopsAtItsOwnDepth) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    JsonParser parser;
    JsonDocument document;
    EXPECT_TRUE(parser.parse(nested(512), document));
    EXPECT_EQ(document.nodes.size(), 512U);
    EXPECT_EQ(read(nested(513)), "error: arrays and objects are nested more than 512 deep @512");
    EXPECT_EQ(read(nested(100'000)),
              "error: arrays and objects are nested more than 512 deep @512");
    std::string wide = "[";
    for (int i = 0; i < 1000; ++i) {
        wide += "[{}],";
    }
    EXPECT_TRUE(parser.parse(wide + "0]", document)) << "depth counts what is open";
}

TEST(Json, IsReusableAfterErrorsAndAfterLargeDocuments) {
    std::string large = "[";
    while (large.size() < 10'000'000) {
        large += R"({"name":"some\ttext","value":12345.678},)";
    }
    large += "null]";
    JsonParser parser;
    JsonDocument document;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(parser.parse(large, document));
        EXPECT_EQ(document.root().raw.size(), large.size());
        EXPECT_EQ(document.member(document.nodes[1], "name")->text, "some\ttext");
        ASSERT_TRUE(parser.parse(R"({"a":"\u0041"})", document));
        EXPECT_EQ(document.nodes[1].text, "A");
        EXPECT_LT(document.nodes.capacity(), 100'000U) << "a large document's memory is kept";
        ASSERT_FALSE(parser.parse(R"({"a":"\u004"})", document));
        ASSERT_TRUE(parser.parse("7", document));
        EXPECT_EQ(document.root().raw, "7");
    }
}

TEST(Json, FindsWhereUtf8Ends) {
    EXPECT_EQ(utf8_end("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"), 10U);
    EXPECT_EQ(utf8_end("ab\xff"), 2U);
    EXPECT_EQ(utf8_end("ab\xe2\x82"), 2U);
    EXPECT_EQ(utf8_end("a\xed\xa0\x80"), 1U);
}

class DecoderTest : public ::testing::Test {
protected:
    Result<void> decode(std::optional<std::string_view> key, std::optional<std::string_view> value,
                        Format key_format, Format value_format,
                        DuplicateNames names = DuplicateNames::refused) {
        record_.partition = &partition_;
        record_.offset = Offset{120};
        record_.key = key;
        record_.value = value;
        return decoder_.decode(record_, key_format, value_format, names, event_);
    }

    TopicPartition partition_{"orders", PartitionId{3}};
    Record record_;
    Decoder decoder_;
    Event event_;
};

TEST_F(DecoderTest, KeepsViewsOfKeyAndValueSideBySide) {
    ASSERT_TRUE(decode(R"({"id":"k\u0041"})", R"({"name":"v\u0042"})", Format::json, Format::json));
    EXPECT_EQ(event_.record, &record_);
    EXPECT_EQ(event_.key.json.nodes[1].text, "kA");
    EXPECT_EQ(event_.value.json.nodes[1].text, "vB");
}

TEST_F(DecoderTest, RefusesANameThatStandsTwice) {
    struct Case {
        std::string text;
        std::size_t at;  // Of the second one's value; 0: there is none.
    };
    std::string wide = "{";
    for (int i = 0; i < 1000; ++i) {
        wide += '"' + std::to_string(i) + "\":0,";
    }
    const Case cases[] = {
        {R"({"a":1,"b":2})", 0},
        {R"({"a":1,"A":2})", 0},
        {R"([{"a":1},{"a":1}])", 0},
        {R"({"a":{"a":{"a":1}}})", 0},
        {R"({"a":1,"a":1})", 11},
        {R"({"":1,"b":[],"":1})", 16},
        {R"({"x":[{"a":1,"b":{},"\u0061":2}]})", 29},
        {wide + R"("1000":0})", 0},
        {wide + R"("7":0})", wide.size() + 4},
    };
    for (const auto& c : cases) {
        const auto decoded = decode("k", c.text, Format::string, Format::json);
        ASSERT_EQ(decoded.has_value(), c.at == 0) << c.text;
        if (!decoded) {
            EXPECT_EQ(decoded.error().action, Action::reject);
            EXPECT_NE(decoded.error().detail.find("at byte " + std::to_string(c.at)),
                      std::string::npos)
                << decoded.error().message() << "\n"
                << c.text;
        }
        EXPECT_TRUE(
            decode("k", c.text, Format::string, Format::connect_json, DuplicateNames::last));
    }
    EXPECT_FALSE(decode(R"({"id":1,"id":2})", "{}", Format::json, Format::json));
}

TEST_F(DecoderTest, TellsNullFromEmpty) {
    ASSERT_TRUE(decode(std::nullopt, std::nullopt, Format::json, Format::json));
    EXPECT_TRUE(event_.key.null);
    EXPECT_TRUE(event_.value.null);
    ASSERT_TRUE(decode("", "", Format::string, Format::bytes));
    EXPECT_FALSE(event_.key.null);
    EXPECT_FALSE(event_.value.null);
    EXPECT_EQ(event_.value.text, "");
    ASSERT_TRUE(decode("", "null", Format::string, Format::json));
    EXPECT_FALSE(event_.value.null) << "the JSON value null is no tombstone";
    const auto empty = decode("k", "", Format::string, Format::json);
    ASSERT_FALSE(empty);
    EXPECT_NE(empty.error().detail.find("empty (0 bytes)"), std::string::npos);
}

TEST_F(DecoderTest, ParsesOnlyWhatTheRouteReadsAsJson) {
    ASSERT_TRUE(decode("{", "\xff\x00"sv, Format::string, Format::bytes));
    EXPECT_EQ(event_.key.text, "{");
    EXPECT_EQ(event_.value.text, "\xff\x00"sv);
}

TEST_F(DecoderTest, RejectsOneRecordAndSaysWhichSide) {
    const auto value = decode("k", R"({"secret":"hunter2)", Format::string, Format::json);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().action, Action::reject);
    EXPECT_EQ(value.error().op, "decode");
    EXPECT_EQ(value.error().where, "orders[3]@120, value");
    EXPECT_EQ(value.error().message().find("hunter2"), std::string::npos);
    EXPECT_EQ(value.error().hint,
              "if the topic holds plain text, use `--value string` (value: string)");
    const auto key = decode("hello", "{}", Format::json, Format::json);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().where, "orders[3]@120, key");
    EXPECT_EQ(key.error().hint, "if the topic holds plain text, use `--key string` (key: string)");
    ASSERT_TRUE(decode("k", "{}", Format::string, Format::json)) << "and goes on";
}

TEST_F(DecoderTest, RejectsTextThatIsNotUtf8) {
    for (const auto bad : {"\xff"sv, "caf\xe9"sv, "\xc0\xaf"sv, "0123456789abcdef\x80"sv}) {
        const auto value = decode("k", bad, Format::string, Format::string);
        ASSERT_FALSE(value);
        EXPECT_EQ(value.error().detail, "the bytes are not UTF-8");
        EXPECT_NE(value.error().hint.find("`--value bytes`"), std::string::npos);
    }
    const std::string long_text = std::string(100, 'a') + "\xc3\xbc";
    EXPECT_TRUE(decode("sch\xc3\xb6n", long_text, Format::string, Format::string));
    EXPECT_FALSE(decode("k", long_text + "\xc3", Format::string, Format::string));
}

TEST_F(DecoderTest, NamesASchemaRegistry) {
    const auto value = decode("k", "\0\0\0\0\x07\x02"sv, Format::string, Format::json);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().detail,
              "the value starts with a schema registry's magic byte, schema id 7");
    EXPECT_NE(value.error().hint.find("Avro, Protobuf or JSON Schema"), std::string::npos);
    EXPECT_NE(value.error().hint.find("`--value bytes` (value: bytes) stores it undecoded"),
              std::string::npos);
    const auto key = decode("\0\0\0\0\x07\x02"sv, "{}", Format::json, Format::json);
    ASSERT_FALSE(key);
    EXPECT_NE(key.error().detail.find("the key starts"), std::string::npos);
}

}  // namespace
}  // namespace sluice
