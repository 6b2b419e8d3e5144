// Numbers that are written as bytes, as Kafka Connect's Decimal and Debezium's
// VariableScaleDecimal.
#include <gtest/gtest.h>

#include "convert_fixture.hpp"
#include "decode/json.hpp"

namespace sluice {
namespace {

using test::as;
using test::reason;
using test::string;

Reading unscaled(std::int32_t scale) { return {.encoding = BytesEncoding::base64, .scale = scale}; }

TEST(ConvertUnscaled, AreTheNumberInEveryKindOfColumn) {
    struct Case {
        std::string_view base64;
        std::int32_t scale;
        std::string_view text;
    };
    const Case cases[] = {
        {"J0I=", 2, "100.50"},
        {"/w==", 0, "-1"},
        {"gA==", 0, "-128"},
        {"AA==", 3, "0.000"},
        {"BQ==", 3, "0.005"},
        {"+w==", 3, "-0.005"},
        {"Bw==", -3, "7000"},
        {"AA==", -3, "0"},
        {"CUmw9vACMxPESZBQ3jjzTg==", 10, "1234567890123456789012345678.9012345678"},
        {"9rZPCQ/9zOw7tm+vIccMsg==", 10, "-1234567890123456789012345678.9012345678"},
        {"AIAAAAAAAAAA", 0, "9223372036854775808"},
        {"/wAAAAAAAAAA", 1, "-1844674407370955161.6"},
        {"HWMp8cNcpL+rufVhAAAAAAA=", 0, "10000000000000000000000000000000000000000"},
        {"O5rKAA==", 0, "1000000000"},
        {"DeC2s6dkAAE=", 0, "1000000000000000001"},
    };
    std::string scratch;
    for (const auto& c : cases) {
        const Cell cell = as(unscaled(c.scale), string(c.base64));
        EXPECT_EQ(*convert::text(cell, scratch), c.text);
        EXPECT_EQ(*convert::json(cell, scratch), c.text);
        const auto decimal = convert::decimal(cell);
        ASSERT_TRUE(decimal) << c.text;
        EXPECT_EQ(decimal->scale, c.scale);
        EXPECT_EQ(decimal->negative, c.text.starts_with('-'));
    }
    EXPECT_EQ(*convert::integer(as(unscaled(0), string("gA==")), 8), -128);
    EXPECT_FALSE(convert::integer(as(unscaled(2), string("J0I=")), 32)) << "100.50 is no integer";
    EXPECT_EQ(*convert::float64(as(unscaled(2), string("J0I="))), 100.5);
}

TEST(ConvertUnscaled, RefusesWhatIsNoNumber) {
    EXPECT_NE(reason(convert::decimal(as(unscaled(2), string("?")))).find("not base64"),
              std::string::npos);
    EXPECT_NE(reason(convert::decimal(as(unscaled(2), string("")))).find("the bytes are no number"),
              std::string::npos);
    EXPECT_NE(reason(convert::decimal(as(unscaled(200'000), string("AQ==")))).find("no number"),
              std::string::npos);
}

TEST(ConvertUnscaled, AnObjectMayBringItsScale) {
    JsonParser parser;
    JsonDocument document;
    const auto decimal = [&](std::string_view text) {
        EXPECT_TRUE(parser.parse(text, document));
        Cell cell = json_cell(document.root(), document);
        cell.reading.encoding = BytesEncoding::base64;
        std::string scratch;
        const auto out = convert::text(cell, scratch);
        return out ? std::string(*out) : "refused: " + out.error().reason;
    };
    EXPECT_EQ(decimal(R"({"scale":2,"value":"J0I="})"), "100.50");
    EXPECT_EQ(decimal(R"({"scale":0,"value":"/w=="})"), "-1");
    for (const auto* bad : {"{}", R"({"scale":2})", R"({"scale":"2","value":"AQ=="})",
                            R"({"scale":2,"value":7})", R"({"scale":2.5,"value":"AQ=="})"}) {
        EXPECT_TRUE(decimal(bad).starts_with("refused: ")) << bad;
    }
}

}  // namespace
}  // namespace sluice
