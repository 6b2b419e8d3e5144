// The arguments of `sluice dlq`, and how letters are told.
#include <gtest/gtest.h>

#include "app/cli.hpp"
#include "app/dlq_text.hpp"
#include "config_fixture.hpp"

namespace sluice {
namespace {

using test::fake_checks;

std::string place(std::string_view text) {
    const auto found = parse_record_place(text);
    return found ? found->first.at(found->second) : "none";
}

std::string refusal(const std::vector<std::string>& arguments) {
    auto line = parse_command_line(arguments, "sluice 1.2.3", fake_checks({}));
    const auto* exit = std::get_if<CliExit>(&line.action);
    EXPECT_NE(exit, nullptr) << "the arguments were taken";
    return exit != nullptr ? exit->text : "";
}

StoredLetter letter_with_headers(std::string json) {
    StoredLetter letter;
    letter.info.key = {
        .partition = {"orders", PartitionId{3}}, .offset = Offset{120}, .handle = {}};
    letter.headers_json = std::move(json);
    return letter;
}

TEST(Dlq, ARecordIsNamedAsTheLogHasItOrWithASlash) {
    EXPECT_EQ(place("orders/3@120"), "orders[3]@120");
    EXPECT_EQ(place("orders[3]@120"), "orders[3]@120");
    EXPECT_EQ(place("a.b_c-1/0@9223372036854775807"), "a.b_c-1[0]@9223372036854775807");
    for (const auto* wrong :
         {"", "orders", "orders@1", "orders/@1", "orders/3", "orders/3@", "/3@1", "[3]@1",
          "orders/-3@1", "orders/3@-1", "orders/3@1x", "orders/3x@1", "orders3]@1",
          "orders/2147483648@1", "orders/3@9223372036854775808"}) {
        EXPECT_EQ(place(wrong), "none") << wrong;
    }
}

TEST(Dlq, WhatIsMissingIsNamed) {
    EXPECT_NE(refusal({"dlq", "list"}).find("-c is missing"), std::string::npos);
    EXPECT_NE(refusal({"dlq", "show", "-c", "f"}).find("the record is missing"), std::string::npos);
    EXPECT_NE(refusal({"dlq", "replay", "-c", "f"}).find("or --all"), std::string::npos);
    EXPECT_NE(refusal({"dlq", "skip", "t/0@1", "-c", "f"}).find("--lane is missing"),
              std::string::npos);
    EXPECT_NE(refusal({"dlq", "show", "t", "-c", "f"}).find("names no record"), std::string::npos);
    EXPECT_NE(refusal({"dlq", "list", "--lmit", "3"}).find("did you mean '--limit'"),
              std::string::npos);
    EXPECT_NE(refusal({"dlq"}).find("replay"), std::string::npos);
    EXPECT_EQ(refusal({"dlq", "shw", "-c", "f"}),
              "'shw' is no command; allowed: list, show, replay, skip; did you mean 'show'?\n");
    EXPECT_NE(refusal({"dlq", "list", "--lane", "mysql"}).find("`sluice dlq list --help`"),
              std::string::npos);
}

TEST(Dlq, NothingShownMakesATerminalAct) {
    EXPECT_EQ(harmless("žluť \U0001F40E"), "žluť \U0001F40E");
    EXPECT_EQ(harmless("a\x1b[31mb\r\x7f"), "a\\x1b[31mb\\x0d\\x7f");
    EXPECT_EQ(harmless("a\n\tb"), "a\\x0a\\x09b");
    EXPECT_EQ(harmless("a\n\tb\r", true), "a\n\tb\\x0d");
    EXPECT_EQ(harmless("\xc2\x9b\xc2\xa0"), "\\xc2\\x9b\xc2\xa0") << "C1, and a space";
    EXPECT_EQ(harmless("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa6"),
              "\\xe2\\x80\\xae\\xe2\\x81\\xa6\xe2\x80\xa6")
        << "turns of direction, and three dots";
    EXPECT_EQ(harmless("a\xff\x1b"), "a\\xff\\x1b") << "no UTF-8";
    EXPECT_EQ(harmless(std::string_view("\0", 1)), "\\x00");
}

TEST(Dlq, HeadersComeBackAsTheyWere) {
    auto letter = letter_with_headers(
        R"([{"name": "a", "value": "\u0000ž"}, {"name": "b", "hex": "ff00"}, )"
        R"({"name_hex": "fe", "value": null}, {"name": "a", "value": ""}])");
    ASSERT_TRUE(read_headers(letter));
    ASSERT_EQ(letter.headers.size(), 4U);
    EXPECT_EQ(letter.headers[0].value, std::string("\0ž", 3));
    EXPECT_EQ(letter.headers[1].value, std::string("\xff\0", 2));
    EXPECT_EQ(letter.headers[2].name, "\xfe");
    EXPECT_EQ(letter.headers[2].value, std::nullopt);
    EXPECT_EQ(letter.headers[3].value, "");
    std::vector<Header> views;
    EXPECT_EQ(record_of(letter, views).headers.size(), 4U);
}

TEST(Dlq, HeadersThatSomebodyChangedAreAnError) {
    for (const auto* json :
         {"{}", "[1]", "[{}]", R"([{"name": "a"}])", R"([{"name": "a", "hex": "f"}])",
          R"([{"name": "a", "hex": "zz"}])", "no JSON"}) {
        auto letter = letter_with_headers(json);
        const auto read = read_headers(letter);
        ASSERT_FALSE(read) << json;
        EXPECT_EQ(read.error().where, "orders[3]@120");
    }
}

TEST(Dlq, ALineIsCutToTheTerminal) {
    const LetterInfo letter{
        .key = {.partition = {"orders", PartitionId{3}}, .offset = Offset{120}, .handle = {}},
        .timestamp_ms = 1'700'000'000'123,
        .key_bytes = std::nullopt,
        .value_bytes = 20,
        .reason = "postgres.encode",
        .error = "žžžžžžžžžžžžžžžžžžžžžžžžžžžžžžž"};
    EXPECT_EQ(line_of("postgres", letter, 0),
              "postgres   orders[3]@120  2023-11-14T22:13:20.123Z  postgres.encode  key null, "
              "value 20 B\n           " +
                  letter.error + "\n");
    EXPECT_EQ(line_of("postgres", letter, 20), "postgres   orders[3…\n           žžžžžžžž…\n");
}

}  // namespace
}  // namespace sluice
