// The JSON parser against a second one that knows the grammar alone, and against the end of its
// memory.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "decode/json.hpp"
#include "json_checker.hpp"

namespace sluice {
namespace {

using namespace std::string_view_literals;

// A record ends where its memory ends: not one byte further may be read.
TEST(Json, ReadsNothingBeyondTheRecord) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* const memory = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    char* const end = static_cast<char*>(memory) + page;
    ASSERT_EQ(mprotect(end, page, PROT_NONE), 0);
    const std::string document =
        R"({"id":12345678901234567890,"text":"gr\u00fcn €","list":[true,false,null,-1.5e3]})";
    JsonParser parser;
    JsonDocument out;
    for (std::size_t size = 1; size <= document.size(); ++size) {
        for (std::size_t padding = 0; padding < 70; ++padding) {
            const auto text = std::string(padding, ' ') + document.substr(0, size);
            std::memcpy(end - text.size(), text.data(), text.size());
            const bool whole = size == document.size();
            EXPECT_EQ(parser.parse({end - text.size(), text.size()}, out).has_value(), whole);
        }
    }
    for (const auto text : {"1"sv, "-"sv, "1e"sv, "1.5"sv, "tru"sv, "true"sv, "\""sv, "\"\\"sv,
                            "\"\\u12"sv, "\"a\""sv, "["sv, "{\"a\""sv, "\xf0\x9f"sv, "\xe2"sv}) {
        std::memcpy(end - text.size(), text.data(), text.size());
        EXPECT_EQ(parser.parse({end - text.size(), text.size()}, out).has_value(),
                  test::JsonChecker(text, 512).accepts())
            << text;
    }
    munmap(memory, 2 * page);
}

// Parser and checker must agree; where they accept, the nodes must tile the document.
void compare(JsonParser& parser, JsonDocument& document, const std::string& text) {
    const bool accepted = parser.parse(text, document).has_value();
    ASSERT_EQ(accepted, test::JsonChecker(text, 512).accepts()) << text;
    if (!accepted) {
        return;
    }
    ASSERT_EQ(document.root().end, document.nodes.size()) << text;
    for (std::size_t i = 0; i < document.nodes.size(); ++i) {
        const JsonNode& node = document.nodes[i];
        ASSERT_TRUE(test::JsonChecker(node.raw, 512).accepts()) << text;
        ASSERT_FALSE(node.raw.front() == ' ' || node.raw.back() == ' ') << text;
        const char* before = node.raw.data();
        for (std::size_t k = i + 1; k < node.end; k = document.nodes[k].end) {
            ASSERT_GT(document.nodes[k].raw.data(), before) << text;
            before = document.nodes[k].raw.data() + document.nodes[k].raw.size();
        }
        ASSERT_LE(before, node.raw.data() + node.raw.size()) << text;
    }
}

// All short texts over the letters that matter, so that no corner of the grammar is left out.
TEST(Json, AgreesWithASecondParserOnAllShortTexts) {
    constexpr std::string_view letters = "[]{},:\"\\ 01-.eu\n\x0c";
    JsonParser parser;
    JsonDocument document;
    std::vector<std::size_t> digits;
    for (std::size_t length = 1; length <= 5; ++length) {
        digits.assign(length, 0);
        for (bool more = true; more;) {
            std::string text;
            for (const auto d : digits) {
                text.push_back(letters[d]);
            }
            compare(parser, document, text);
            if (HasFatalFailure()) {
                return;
            }
            more = false;
            for (auto& d : digits) {
                if (++d < letters.size()) {
                    more = true;
                    break;
                }
                d = 0;
            }
        }
    }
}

TEST(Json, AgreesWithASecondParserOnMutatedDocuments) {
    const std::string seeds[] = {
        R"({"type":"Feature","properties":{"mag":0.31,"place":"37km NNE of Amboy","time":1517363399650,"tz":-480,"felt":null,"tsunami":0,"ok":true},"geometry":{"type":"Point","coordinates":[-122.28,46.2,-0.74]},"id":"uw61345682"})",
        R"([ "\u00e9\ud83d\ude00 \"quoted\\\" \/ \n", "grün €😀", {"a\tb": [1e-5, 2E+7, -0.0]}, [], {}, [[[]]] ])",
        "{\r\n\t\"empty\" : \"\" ,\r\n\t\"nested\" : { \"x\" : [ ] , \"y\" : { } }\r\n}\n",
        R"("a single string with \\ and \u0000 inside that is longer than one block of sixty-four bytes \\\\")",
        "-12345678901234567890.0123456789e-308",
    };
    constexpr std::string_view letters = "[]{},:\"\\ 0123-+.eEutfn\n\t\x01\x7f\x80\xc3\xe2\xff/a";
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    JsonParser parser;
    JsonDocument document;
    const auto below = [&random](std::size_t n) { return random() % n; };
    int accepted = 0;
    for (int i = 0; i < 100'000; ++i) {
        std::string text = seeds[below(std::size(seeds))];
        for (auto changes = below(4); changes-- > 0 && !text.empty();) {
            const auto at = below(text.size());
            switch (below(6)) {
                case 0:
                    text[at] = letters[below(letters.size())];
                    break;
                case 1:
                    text.insert(at, 1, letters[below(letters.size())]);
                    break;
                case 2:
                    text.erase(at, 1 + below(3));
                    break;
                case 3:
                    text.resize(at);
                    break;
                case 4:
                    text.insert(at, text.substr(below(text.size()), below(12)));
                    break;
                default:
                    text[at] = static_cast<char>(random());
            }
        }
        compare(parser, document, text);
        if (HasFatalFailure()) {
            return;
        }
        accepted += document.nodes.empty() ? 0 : 1;
    }
    EXPECT_GT(accepted, 10'000) << "too few documents survive to compare anything";
}

}  // namespace
}  // namespace sluice
