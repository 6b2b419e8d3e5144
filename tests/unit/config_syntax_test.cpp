// What is not YAML, or more of it than a configuration needs: where it is reported, and how.
#include <gtest/gtest.h>

#include "config_fixture.hpp"

namespace sluice {
namespace {

using test::fake_checks;
using test::messages;
using test::minimal;
using test::Mistake;

class ConfigSyntax : public testing::TestWithParam<Mistake> {};

TEST_P(ConfigSyntax, IsNamedWithItsPlace) { test::expect_reported(GetParam()); }

const std::vector<Mistake> syntax{
    {"tab", "kafka:\n\tbrokers: k1\n", {"f:2:1: a tab in the indentation; indent with spaces"}},
    {"too_deep",
     "kafka:\n  brokers: k1\n   start: latest\n",
     {"f:3:9: a ':' that can't stand here; check the indentation, and quote a value that holds "}},
    {"not_deep_enough",
     "kafka:\n  brokers: k1\n start: latest\n",
     {"f:3:2: the indentation does not fit what stands above"}},
    {"colon_in_value", "pipeline: it's: fine\n", {"f:1:15: a ':' that can't stand here"}},
    {"columns_count_characters", "# é\nключ: é: x\n", {"f:2:8: a ':' that can't stand here"}},
    {"bracket_open", "a: [1, 2\nb: c\n", {"f:1:4: this [ is not closed"}},
    {"brace_open", "kafka: {brokers: [k1]\nroutes: []\n", {"f:1:8: this { is not closed"}},
    {"reference_in_flow",
     "kafka: {brokers: ${B}}\n",
     {"f:1:19: this { is not closed, or something in it is not YAML; put \"${…}\" in quotes"}},
    {"quote_open", "pipeline: \"x\nroutes: []\n", {"f:1:11: the file ends inside these quotes"}},
    {"single_quote_open", "pipeline: 'it''s\n", {"f:1:11: the file ends inside these quotes"}},
    {"bad_escape", "pipeline: \"\\q\"\n", {"f:1:14: a backslash before a letter that has no "}},
    {"reserved_character", "pipeline: @x\n", {"f:1:11: a value can't begin with this character"}},
    {"alias_bomb",
     "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
     {"f:1:4: anchors (&name) and aliases (*name) are not accepted"}},
    {"alias_alone",
     "pipeline: *x\n",
     {"f:1:11: anchors (&name) and aliases (*name) are not accepted; write the value out, or "}},
    {"tag", "pipeline: !!binary x\n", {"f:1:11: tags (!name) are not accepted"}},
    {"two_documents", "a: b\n---\nc: d\n", {"f:2:1: a second document begins here"}},
    {"deep_flow", std::string(1000, '['), {"f:1:17: lists and maps are nested deeper than 32"}},
    {"deep_block",
     [] {
         std::string text;
         for (int depth = 0; depth < 40; ++depth) {
             text.append(static_cast<std::size_t>(depth), ' ').append("a:\n");
         }
         return text;
     }(),
     {"f:33:33: lists and maps are nested deeper than 32"}},
    {"many_values",
     "a: [" +
         [] {
             std::string text;
             for (int i = 0; i < 100'001; ++i) {
                 text.append("x,");
             }
             return text;
         }() +
         "]\n",
     {"f:1:200003: the file has more than 100000 values; split it"}},
    {"empty", "", {"f:1:1: the file says nothing"}},
    {"only_comment", "# x\n", {"f:1:1: the file says nothing"}},
    {"not_utf8", "a: b\nc: \xff\n", {"f:2:1: this line is not text; save the file as UTF-8"}},
    {"nul", std::string("a: b\nc: \0\n", 10), {"f:2:1: this line is not text"}},
    {"list_as_name", "? [a]\n: b\n", {"f:1:3: the name of a setting must be a word"}},
};

INSTANTIATE_TEST_SUITE_P(Mistakes, ConfigSyntax, testing::ValuesIn(syntax), test::name_of);

TEST(ConfigLines, WindowsLineEndsAreNone) {
    std::string yaml = minimal;
    for (auto at = yaml.find('\n'); at != std::string::npos; at = yaml.find('\n', at + 2)) {
        yaml.insert(at, "\r");
    }
    const auto result = parse_config(yaml, "f", fake_checks());
    EXPECT_TRUE(result) << messages(result);
}

}  // namespace
}  // namespace sluice
