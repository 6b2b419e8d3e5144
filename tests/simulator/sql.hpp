// The SQL that the shipping code sends, taken apart as far as the model needs it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::sim {

struct Token {
    enum class Kind : std::uint8_t { word, name, text, number, sign } kind = Kind::word;
    std::string text;  // Of a name or a text: without its quotes.
    bool operator==(const Token&) const = default;
};
using Sentence = std::vector<Token>;
inline constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

// The statements of a script.
std::vector<Sentence> parse(std::string_view script);

// Where these words stand, one after the other, from `from` on; or `nowhere`. A word is matched
// by its text, whatever its kind.
std::size_t find(const Sentence& sentence, std::initializer_list<std::string_view> words,
                 std::size_t from = 0);
bool has(const Sentence& sentence, std::initializer_list<std::string_view> words);
bool starts(const Sentence& sentence, std::initializer_list<std::string_view> words);
// The items in parentheses that begin at or after `from`, without the signs between them.
std::vector<std::string> list_after(const Sentence& sentence, std::size_t from);
// All such lists from `from` on, as in VALUES (…), (…), up to a word that is none.
std::vector<std::vector<std::string>> lists_after(const Sentence& sentence, std::size_t from);
std::string to_string(const Sentence& sentence);

}  // namespace sluice::sim
