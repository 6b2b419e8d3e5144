#include "simulator/sql.hpp"

#include <algorithm>
#include <cctype>

namespace sluice::sim {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// What stands in quotes from `at` on, which is moved behind them.
std::string quoted(std::string_view text, std::size_t& at, bool escapes) {
    const char quote = text[at++];
    std::string out;
    while (at < text.size()) {
        if (escapes && text[at] == '\\') {
            ++at;
        } else if (text[at] == quote) {
            if (at + 1 >= text.size() || text[at + 1] != quote) {
                break;
            }
            ++at;
        }
        out.push_back(text[at++]);
    }
    ++at;
    return out;
}

Token next(std::string_view text, std::size_t& at) {
    using Kind = Token::Kind;
    const char c = text[at];
    if (c == '"') {
        return {Kind::name, quoted(text, at, false)};
    }
    const bool escapes = c == 'E' && at + 1 < text.size() && text[at + 1] == '\'';
    if (c == '\'' || escapes) {
        at += escapes ? 1 : 0;
        return {Kind::text, quoted(text, at, escapes)};
    }
    const bool negative = c == '-' && at + 1 < text.size() &&
                          std::isdigit(static_cast<unsigned char>(text[at + 1])) != 0;
    if (is_word(c) || negative) {
        const std::size_t begin = at++;
        while (at < text.size() && is_word(text[at])) {
            ++at;
        }
        const bool number = negative || std::isdigit(static_cast<unsigned char>(c)) != 0;
        return {number ? Kind::number : Kind::word, std::string(text.substr(begin, at - begin))};
    }
    ++at;
    return {Kind::sign, std::string(1, c)};
}

}  // namespace

std::vector<Sentence> parse(std::string_view script) {
    std::vector<Sentence> sentences(1);
    for (std::size_t at = 0; at < script.size();) {
        if (script[at] == ' ') {
            ++at;
            continue;
        }
        Token token = next(script, at);
        if (token.kind == Token::Kind::sign && token.text == ";") {
            sentences.emplace_back();
        } else {
            sentences.back().push_back(std::move(token));
        }
    }
    std::erase_if(sentences, [](const Sentence& sentence) { return sentence.empty(); });
    return sentences;
}

std::size_t find(const Sentence& sentence, std::initializer_list<std::string_view> words,
                 std::size_t from) {
    if (from > sentence.size()) {
        return nowhere;
    }
    const auto found = std::search(
        sentence.begin() + static_cast<std::ptrdiff_t>(from), sentence.end(), words.begin(),
        words.end(), [](const Token& token, std::string_view word) { return token.text == word; });
    return found == sentence.end() ? nowhere : static_cast<std::size_t>(found - sentence.begin());
}

bool has(const Sentence& sentence, std::initializer_list<std::string_view> words) {
    return find(sentence, words) != nowhere;
}

bool starts(const Sentence& sentence, std::initializer_list<std::string_view> words) {
    return find(sentence, words) == 0;
}

std::vector<std::string> list_after(const Sentence& sentence, std::size_t from) {
    const auto lists = lists_after(sentence, find(sentence, {"("}, from));
    return lists.empty() ? std::vector<std::string>{} : lists.front();
}

std::vector<std::vector<std::string>> lists_after(const Sentence& sentence, std::size_t from) {
    std::vector<std::vector<std::string>> lists;
    std::size_t at = from;
    while (at < sentence.size() && sentence[at].text == "(") {
        auto& list = lists.emplace_back();
        for (++at; at < sentence.size() && sentence[at].text != ")"; ++at) {
            if (sentence[at].kind != Token::Kind::sign) {
                list.push_back(sentence[at].text);
            }
        }
        if (at + 1 >= sentence.size() || sentence[at + 1].text != ",") {
            break;
        }
        at += 2;
    }
    return lists;
}

std::string to_string(const Sentence& sentence) {
    std::string out;
    for (const auto& token : sentence) {
        out.append(out.empty() ? "" : " ").append(token.text);
    }
    return out;
}

}  // namespace sluice::sim
