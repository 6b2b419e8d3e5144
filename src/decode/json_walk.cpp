#include "decode/json_walk.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "decode/json.hpp"
#include "decode/json_string.hpp"

namespace sluice {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

[[gnu::cold, gnu::noinline]] void note(JsonProblem& problem, std::string_view reason,
                                       std::size_t position) {
    problem = {reason, position};
}

// Undoes the escapes of `text`, which stands at `at` in its document, if it has any.
[[gnu::noinline]] bool unescape(std::size_t at, std::string_view& text, UnescapedMemory& unescaped,
                                JsonDocument& document, JsonProblem& problem) {
    if (std::memchr(text.data(), '\\', text.size()) == nullptr) {
        return true;
    }
    char* const to = unescaped.next();
    const auto done = unescape_json(text, to);
    if (!done.reason.empty()) {
        note(problem, done.reason, at + done.position);
        return false;
    }
    document.has_nul = document.has_nul || done.has_nul;
    text = {to, done.size};
    unescaped.advance(done.size);
    return true;
}

// The second stage: one walk over the places where tokens begin. Between the end of a token and
// the beginning of the next there is white space only, or the token itself is wrong: the first
// stage reports every structural character outside strings, every opening quote and every other
// character that follows a space, a structural character or a closing quote.
class Walk {
public:
    Walk(std::string_view bytes, std::span<const std::uint32_t> tokens, JsonDocument& document,
         UnescapedMemory& unescaped, JsonProblem& problem)
        : base_(bytes.data()),
          size_(bytes.size()),
          token_(tokens.data()),
          last_(tokens.data() + tokens.size()),
          document_(document),
          unescaped_(unescaped),
          escapes_(std::memchr(base_, '\\', size_) != nullptr),
          problem_(problem) {}

    bool run() {
        do {
            if (!value() || !after_value()) {
                return false;
            }
        } while (depth_ > 0);
        return token_ == last_ || fail("something follows the document", *token_);
    }

private:
    bool fail(std::string_view reason, std::size_t position) {
        note(problem_, reason, position);
        return false;
    }
    // Where the token that was taken last must have ended.
    [[nodiscard]] std::size_t limit() const { return token_ == last_ ? size_ : *token_; }
    [[nodiscard]] char next_char() const { return token_ == last_ ? '\0' : base_[*token_]; }
    [[nodiscard]] bool ends_at(std::size_t at) const {
        return at == limit() || is_space(base_[at]);
    }
    [[nodiscard]] std::string_view slice(std::size_t from, std::size_t to) const {
        return {base_ + from, to - from};
    }

    // Takes a value, or opens arrays and objects down to the first value that is neither.
    bool value() {
        for (;;) {
            if (token_ == last_) {
                return fail("the document ends where a value is missing", size_);
            }
            const std::size_t at = *token_++;
            JsonNode& node = document_.nodes.emplace_back();
            ++count_;
            node.name = std::exchange(name_, {});
            const char first = base_[at];
            if (first == '"') {
                node.type = JsonType::string;
                return string(at, node.text, &node.raw) && close_scalar(node);
            }
            if (first == '-' || is_digit(first)) {
                node.type = JsonType::number;
                return number(at, node) && close_scalar(node);
            }
            if (first != '{' && first != '[') {
                return literal(at, node) && close_scalar(node);
            }
            if (!open(at, node)) {
                return false;
            }
            if (next_char() == closing_) {
                return true;
            }
            if (closing_ == '}' && !name()) {
                return false;
            }
        }
    }

    // Takes what stands between a value and the next: commas, a name, closing brackets.
    bool after_value() {
        while (depth_ > 0) {
            if (token_ == last_) {
                return fail(closing_ == '}' ? "an object is not closed" : "an array is not closed",
                            size_);
            }
            const std::size_t at = *token_++;
            const char c = base_[at];
            if (c == ',') {
                return closing_ == ']' || name();
            }
            if (c != closing_) {
                return fail("neither a comma nor the closing bracket follows a value", at);
            }
            close(at);
        }
        return true;
    }

    bool open(std::size_t at, JsonNode& node) {
        if (depth_ == JsonParser::depth_max) {
            return fail("arrays and objects are nested more than 512 deep", at);
        }
        const bool object = base_[at] == '{';
        node.type = object ? JsonType::object : JsonType::array;
        node.raw = slice(at, at + 1);  // Its end is set when it closes.
        closing_ = object ? '}' : ']';
        open_[depth_++] = count_ - 1;
        return true;
    }
    void close(std::size_t at) {
        JsonNode& node = document_.nodes[open_[--depth_]];
        node.end = count_;
        node.raw = {node.raw.data(), static_cast<std::size_t>(base_ + at + 1 - node.raw.data())};
        if (depth_ > 0) {
            const JsonNode& outer = document_.nodes[open_[depth_ - 1]];
            closing_ = outer.type == JsonType::object ? '}' : ']';
        }
    }
    bool close_scalar(JsonNode& node) {
        node.end = count_;
        return true;
    }

    [[gnu::always_inline]] bool name() {
        if (next_char() != '"') {
            return fail("a member's name is missing", limit());
        }
        const std::size_t at = *token_++;
        if (!string(at, name_, nullptr)) {
            return false;
        }
        if (next_char() != ':') {
            return fail("no colon follows a member's name", limit());
        }
        ++token_;
        return true;
    }

    [[gnu::always_inline]] bool string(std::size_t at, std::string_view& text,
                                       std::string_view* raw) {
        std::size_t end = limit();
        while (is_space(base_[end - 1])) {
            --end;
        }
        // The first stage has seen the closing quote, so these hold; see the class.
        if (end < at + 2 || base_[end - 1] != '"') {
            return fail("a string has no closing quote", at);
        }
        if (raw != nullptr) {
            *raw = slice(at, end);
        }
        text = slice(at + 1, end - 1);
        if (!escapes_) {
            return true;
        }
        std::string_view unescaped = text;
        const bool good = unescape(at + 1, unescaped, unescaped_, document_, problem_);
        text = unescaped;
        return good;
    }

    std::size_t digits(std::size_t at, std::size_t end) const {
        while (at < end && is_digit(base_[at])) {
            ++at;
        }
        return at;
    }

    bool number(std::size_t begin, JsonNode& node) {
        const std::size_t end = limit();
        std::size_t at = begin + (base_[begin] == '-' ? 1 : 0);
        const std::size_t whole = at;
        at = digits(at, end);
        if (at == whole) {
            return fail("a digit is missing after the minus", at);
        }
        if (base_[whole] == '0' && at > whole + 1) {
            return fail("a number has leading zeros", whole);
        }
        if (at < end && base_[at] == '.') {
            const std::size_t fraction = ++at;
            at = digits(at, end);
            if (at == fraction) {
                return fail("a digit is missing after the point of a number", at);
            }
        }
        if (at < end && (base_[at] | 0x20) == 'e') {
            ++at;
            at += at < end && (base_[at] == '+' || base_[at] == '-') ? 1U : 0U;
            const std::size_t exponent = at;
            at = digits(at, end);
            if (at == exponent) {
                return fail("a digit is missing in the exponent of a number", at);
            }
        }
        if (!ends_at(at)) {
            return fail("a number has a character that belongs to none", at);
        }
        node.raw = slice(begin, at);
        return true;
    }

    bool literal(std::size_t at, JsonNode& node) {
        const std::string_view rest = slice(at, limit());
        std::string_view word;
        if (rest.starts_with("true")) {
            word = "true";
            node.type = JsonType::boolean;
            node.boolean = true;
        } else if (rest.starts_with("false")) {
            word = "false";
            node.type = JsonType::boolean;
        } else if (rest.starts_with("null")) {
            word = "null";
        }
        if (word.empty() || !ends_at(at + word.size())) {
            return fail("something else stands where a value is expected", at);
        }
        node.raw = rest.substr(0, word.size());
        return true;
    }

    const char* base_;
    std::size_t size_;
    const std::uint32_t* token_;
    const std::uint32_t* last_;
    JsonDocument& document_;
    UnescapedMemory& unescaped_;
    // One search of the document is much cheaper than one in each of its strings.
    bool escapes_;
    std::string_view name_;  // Of the member whose value comes next.
    std::size_t depth_ = 0;
    char closing_ = 0;         // The bracket that closes the innermost open node.
    std::uint32_t count_ = 0;  // Nodes so far.
    JsonProblem& problem_;
    std::array<std::uint32_t, JsonParser::depth_max> open_;  // Indexes of open nodes.
};

}  // namespace

bool walk_json(std::string_view bytes, std::span<const std::uint32_t> tokens,
               JsonDocument& document, UnescapedMemory& unescaped, JsonProblem& problem) {
    return Walk(bytes, tokens, document, unescaped, problem).run();
}

}  // namespace sluice
