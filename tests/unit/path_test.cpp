// Paths of the configuration: what they mean, and what is said about those that mean nothing.
#include "map/path.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

std::string show(const Path& path) {
    std::string out = std::to_string(static_cast<int>(path.source));
    if (!path.name.empty()) {
        out += " name<" + path.name + ">";
    }
    for (const auto& step : path.steps) {
        if (const auto* name = std::get_if<std::string>(&step)) {
            out += " <" + *name + ">";
        } else {
            out += " " + std::to_string(std::get<std::uint32_t>(step));
        }
    }
    return out;
}

std::string with(Source source, std::string_view rest = "") {
    return std::to_string(static_cast<int>(source)) + std::string(rest);
}

TEST(Path, ReadsEveryForm) {
    const std::pair<std::string_view, std::string> cases[] = {
        {"value", with(Source::value)},
        {"key", with(Source::key)},
        {"value.a", with(Source::value, " <a>")},
        {"value.a.b[0].c", with(Source::value, " <a> <b> 0 <c>")},
        {"value[2][4294967295]", with(Source::value, " 2 4294967295")},
        {"key.id", with(Source::key, " <id>")},
        {"value.value", with(Source::value, " <value>")},
        {"value.snake_case-name9", with(Source::value, " <snake_case-name9>")},
        {"value.0", with(Source::value, " <0>")},
        {"value.größe", with(Source::value, " <größe>")},
        {R"(value."a.b"[1]."c d")", with(Source::value, " <a.b> 1 <c d>")},
        {R"(value."say \"x\" \\")", with(Source::value, R"( <say "x" \>)")},
        {R"(value."")", with(Source::value, " <>")},
        {R"(key."$id")", with(Source::key, " <$id>")},
        {"headers.trace-id", with(Source::header, " name<trace-id>")},
        {R"(headers."x.y")", with(Source::header, " name<x.y>")},
        {"item", with(Source::item)},
        {"item.a[1]", with(Source::item, " <a> 1")},
        {"meta.item", with(Source::meta_item)},
        {"meta.topic", with(Source::meta_topic)},
        {"meta.partition", with(Source::meta_partition)},
        {"meta.offset", with(Source::meta_offset)},
        {"meta.timestamp", with(Source::meta_timestamp)},
        {"meta.id", with(Source::meta_id)},
    };
    for (const auto& [text, expected] : cases) {
        const auto path = parse_path(text);
        ASSERT_TRUE(path) << text << ": " << path.error().message();
        EXPECT_EQ(show(*path), expected) << text;
        EXPECT_EQ(path->spelling, text);
    }
}

TEST(Path, SaysWhereAndWhyItIsNone) {
    struct Case {
        std::string_view text;
        std::string_view detail;  // Parts of them.
        std::string_view hint;
    };
    const Case cases[] = {
        {"", "empty", "starts with value, key"},
        {"valeu.a", "known root (character 1)", "did you mean `value`?"},
        {"Value", "known root (character 1)", "did you mean `value`?"},
        {"header.x", "known root (character 1)", "did you mean `headers`?"},
        {"customer.name", "known root (character 1)", "a path starts with value, key"},
        {".a", "known root (character 1)", "a path starts with"},
        {"value.", "a name is missing (character 7)", "double quotes"},
        {"value..a", "a name is missing (character 7)", "double quotes"},
        {"value.a b", "neither .name nor [index] follows (character 8)", "double quotes"},
        {"value.$id", "a name is missing (character 7)", "double quotes"},
        {"value.ä b", "neither .name nor [index] follows (character 8)", "double quotes"},
        {"value[", "an index is missing (character 7)", "[0]"},
        {"value[]", "an index is missing (character 7)", "[0]"},
        {"value[-1]", "an index is missing (character 7)", "[0]"},
        {"value[a]", "an index is missing (character 7)", "[0]"},
        {"value[1", "a bracket is not closed (character 6)", "[0]"},
        {"value[4294967296]", "above 4294967295 (character 7)", ""},
        {"value[0]a", "neither .name nor [index] follows (character 9)", ""},
        {R"(value."a)", "a quote is not closed (character 7)", ""},
        {R"(value."a\n")", "a backslash in a quoted name (character 9)", R"(\")"},
        {R"(value."a\)", "a backslash in a quoted name (character 9)", R"(\")"},
        {"headers", "a header's name is missing (character 8)", "headers.NAME"},
        {"headers[0]", "a header's name is missing (character 8)", "headers.NAME"},
        {"headers.a.b", "a header has no parts (character 10)", R"(headers."a.b")"},
        {"meta", "what of meta is missing (character 5)", "topic, partition, offset"},
        {"meta.ofset", "no such part (character 6)", "did you mean `meta.offset`?"},
        {"meta.colour", "no such part (character 6)", "meta has topic"},
        {"meta.offset.x", "it has no parts (character 12)", "meta has topic"},
    };
    for (const auto& c : cases) {
        const auto path = parse_path(c.text);
        ASSERT_FALSE(path) << c.text;
        EXPECT_EQ(path.error().action, Action::configure);
        const std::string& detail = path.error().detail;
        EXPECT_NE(detail.find(c.detail), std::string::npos) << c.text << ": " << detail;
        if (!c.text.empty()) {
            EXPECT_TRUE(detail.starts_with("`" + std::string(c.text) + "`")) << detail;
        }
        EXPECT_NE(path.error().hint.find(c.hint), std::string::npos)
            << c.text << ": " << path.error().hint;
    }
}

}  // namespace
}  // namespace sluice
