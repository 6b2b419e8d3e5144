// A second opinion on what RFC 8259 allows: slow, plain, written from the grammar alone. It
// shares nothing with the parser under test.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::test {

class JsonChecker {
public:
    JsonChecker(std::string_view text, std::size_t depth_max)
        : text_(text), depth_max_(depth_max) {}

    bool accepts() {
        space();
        if (!value(0)) {
            return false;
        }
        space();
        return at_ == text_.size() && utf8();
    }

private:
    int peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }
    bool take(char c) {
        if (peek() != static_cast<unsigned char>(c)) {
            return false;
        }
        ++at_;
        return true;
    }
    bool word(std::string_view w) {
        if (text_.substr(at_, w.size()) != w) {
            return false;
        }
        at_ += w.size();
        return true;
    }
    void space() {
        while (peek() == 0x20 || peek() == 0x09 || peek() == 0x0a || peek() == 0x0d) {
            ++at_;
        }
    }
    bool digit() const { return peek() >= '0' && peek() <= '9'; }
    bool digits() {
        if (!digit()) {
            return false;
        }
        while (digit()) {
            ++at_;
        }
        return true;
    }
    bool number() {
        (void)take('-');
        if (!take('0') && !digits()) {
            return false;
        }
        if (take('.') && !digits()) {
            return false;
        }
        if (take('e') || take('E')) {
            if (!take('+')) {
                (void)take('-');
            }
            return digits();
        }
        return true;
    }
    bool hex4(unsigned& unit) {
        unit = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
            const int c = peek();
            unit *= 16;
            if (c >= '0' && c <= '9') {
                unit += static_cast<unsigned>(c - '0');
            } else if (c >= 'a' && c <= 'f') {
                unit += static_cast<unsigned>(c - 'a' + 10);
            } else if (c >= 'A' && c <= 'F') {
                unit += static_cast<unsigned>(c - 'A' + 10);
            } else {
                return false;
            }
        }
        return true;
    }
    bool escape() {
        if (take('u')) {
            unsigned first = 0;
            if (!hex4(first) || (first >= 0xdc00 && first <= 0xdfff)) {
                return false;
            }
            if (first < 0xd800 || first > 0xdbff) {
                return true;
            }
            unsigned second = 0;
            return take('\\') && take('u') && hex4(second) && second >= 0xdc00 && second <= 0xdfff;
        }
        for (const char c : std::string_view("\"\\/bfnrt")) {
            if (take(c)) {
                return true;
            }
        }
        return false;
    }
    bool string() {
        if (!take('"')) {
            return false;
        }
        for (;;) {
            if (take('"')) {
                return true;
            }
            if (take('\\')) {
                if (!escape()) {
                    return false;
                }
            } else if (peek() < 0x20) {
                return false;  // A control character, or the end.
            } else {
                ++at_;
            }
        }
    }
    bool value(std::size_t depth) {
        if (peek() == '{') {
            return depth < depth_max_ && object(depth + 1);
        }
        if (peek() == '[') {
            return depth < depth_max_ && array(depth + 1);
        }
        if (peek() == '"') {
            return string();
        }
        return word("true") || word("false") || word("null") || number();
    }
    bool array(std::size_t depth) {
        (void)take('[');
        space();
        if (take(']')) {
            return true;
        }
        for (;;) {
            space();
            if (!value(depth)) {
                return false;
            }
            space();
            if (take(']')) {
                return true;
            }
            if (!take(',')) {
                return false;
            }
        }
    }
    bool object(std::size_t depth) {
        (void)take('{');
        space();
        if (take('}')) {
            return true;
        }
        for (;;) {
            space();
            if (!string()) {
                return false;
            }
            space();
            if (!take(':')) {
                return false;
            }
            space();
            if (!value(depth)) {
                return false;
            }
            space();
            if (take('}')) {
                return true;
            }
            if (!take(',')) {
                return false;
            }
        }
    }
    // Decodes each code point and asks whether this is its only, shortest, allowed spelling.
    bool utf8() const {
        for (std::size_t i = 0; i < text_.size();) {
            const auto lead = static_cast<unsigned char>(text_[i]);
            const int size = lead < 0x80           ? 1
                             : (lead >> 5) == 0x06 ? 2
                             : (lead >> 4) == 0x0e ? 3
                             : (lead >> 3) == 0x1e ? 4
                                                   : 0;
            if (size == 0 || i + static_cast<std::size_t>(size) > text_.size()) {
                return false;
            }
            unsigned code = size == 1 ? lead : lead & (0xffU >> (size + 1));
            for (int k = 1; k < size; ++k) {
                const auto byte = static_cast<unsigned char>(
                    text_[i + static_cast<std::size_t>(k)]);
                if ((byte & 0xc0) != 0x80) {
                    return false;
                }
                code = code << 6 | (byte & 0x3f);
            }
            constexpr unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};
            if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
                return false;
            }
            i += static_cast<std::size_t>(size);
        }
        return true;
    }

    std::string_view text_;
    std::size_t depth_max_;
    std::size_t at_ = 0;
};

}  // namespace sluice::test
