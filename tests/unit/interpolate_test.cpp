// References in configured values.
#include "app/interpolate.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "temporary_folder.hpp"

namespace sluice {
namespace {

std::optional<std::string> environment(const std::string& name) {
    if (name == "A") {
        return "one";
    }
    if (name == "EMPTY") {
        return "";
    }
    return name == "NESTED" ? std::optional<std::string>("${A}") : std::nullopt;
}

std::string value(std::string_view raw) {
    const auto result = interpolate(raw, environment);
    return result ? result->text : "error: " + result.error().detail;
}

class Files : public testing::Test {
protected:
    std::string write(const std::string& name, const std::string& content) {
        std::ofstream(folder_ / name, std::ios::binary) << content;
        return folder_ / name;
    }
    TemporaryFolder temporary_;
    const std::filesystem::path& folder_ = temporary_.path();
};

TEST(Interpolate, ReplacesVariables) {
    EXPECT_EQ(value("${A}"), "one");
    EXPECT_EQ(value("<${A}-${A}>"), "<one-one>");
    EXPECT_EQ(value("${EMPTY}"), "");
    EXPECT_EQ(value("${NO:-a:- b}"), "a:- b");
    EXPECT_EQ(value("${EMPTY:-default}"), "default");
    EXPECT_EQ(value("${A:-default}"), "one");
    EXPECT_EQ(value("${NO:-}"), "");
}

TEST(Interpolate, LeavesOtherDollarsAlone) {
    for (const std::string text : {"", "$", "$A", "$$", "a$", "{A}", "$ {A}", "100$}"}) {
        EXPECT_EQ(value(text), text);
    }
    EXPECT_EQ(value("$${A}"), "${A}");
    EXPECT_EQ(value("$$${A}"), "$${A}");
}

TEST(Interpolate, ReplacedTextIsNotSearchedAgain) { EXPECT_EQ(value("${NESTED}"), "${A}"); }

TEST(Interpolate, KnowsWhatCameFromOutside) {
    EXPECT_TRUE(interpolate("${A}", environment)->references);
    EXPECT_TRUE(interpolate("${NO:-x}", environment)->references);
    EXPECT_FALSE(interpolate("$${A}", environment)->references);
}

TEST(Interpolate, RefusesWhatIsNoReference) {
    EXPECT_EQ(value("${NO}"), "error: the environment variable NO is not set");
    EXPECT_EQ(value("${A"), "error: a ${ without its }");
    EXPECT_EQ(value("${A:-${A}}"), "error: a reference ${…} inside another");
    for (const auto* bad : {"${}", "${1A}", "${A-x}", "${A:?x}", "${ A}", "${:-x}", "${A.B}"}) {
        EXPECT_EQ(value(bad), "error: a reference ${…} that names no variable") << bad;
    }
}

TEST(Interpolate, EscapedTextInterpolatesToItself) {
    for (const std::string text : {"${A}", "$${A}", "$$${", "a${", "$", "plain"}) {
        EXPECT_EQ(value(escape_references(text)), text);
    }
}

TEST(Interpolate, BareReferencesMayStandForSecrets) {
    for (const auto* bare : {"${A}", "${A:-}", "${file:/run/x}"}) {
        EXPECT_TRUE(is_bare_reference(bare)) << bare;
    }
    for (const auto* other :
         {"", "x", "${A:-secret}", "${A}x", "x${A}", "${A}${A}", "$${A}", "${"}) {
        EXPECT_FALSE(is_bare_reference(other)) << other;
    }
}

TEST_F(Files, GiveTheirContentWithoutTheLastNewline) {
    EXPECT_EQ(value("${file:" + write("a", "secret\n") + "}"), "secret");
    EXPECT_EQ(value("${file:" + write("b", "two\n\n") + "}"), "two\n");
    EXPECT_EQ(value("${file:" + write("c", "dos\r\n") + "}"), "dos");
    EXPECT_EQ(value("${file:" + write("d", "") + "}"), "");
    std::filesystem::create_symlink(folder_ / "a", folder_ / "link");
    EXPECT_EQ(value("${file:" + (folder_ / "link").string() + "}"), "secret");
    EXPECT_EQ(value("${file:" + write("max", std::string(65536, 'x')) + "}").size(), 65536U);
}

TEST_F(Files, OfOtherKindsAreRefusedWithoutWaiting) {
    const auto message = [&](const std::string& name) {
        return value("${file:" + (folder_ / name).string() + "}");
    };
    EXPECT_NE(message("none").find("can't be read: No such file"), std::string::npos);
    EXPECT_NE(value("${file:" + folder_.string() + "}").find("is a directory"), std::string::npos);
    ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    EXPECT_NE(message("pipe").find("is a pipe"), std::string::npos);
    EXPECT_NE(value("${file:/dev/zero}").find("is not a regular file"), std::string::npos);
    EXPECT_NE(value("${file:relative}").find("needs an absolute path"), std::string::npos);
    write("large", std::string(65537, 'x'));
    EXPECT_NE(message("large").find("is larger than 64 KiB"), std::string::npos);
    write("nul", std::string("a\0b", 3));
    EXPECT_NE(message("nul").find("holds a NUL byte"), std::string::npos);
}

}  // namespace
}  // namespace sluice
