#include "decode/json_string.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "base/text.hpp"

namespace sluice {
namespace {

// The byte that a one-letter escape stands for, or 0.
constexpr std::array<char, 256> one_letter = [] {
    std::array<char, 256> values{};
    values['"'] = '"';
    values['\\'] = '\\';
    values['/'] = '/';
    values['b'] = '\b';
    values['f'] = '\f';
    values['n'] = '\n';
    values['r'] = '\r';
    values['t'] = '\t';
    return values;
}();

// The four hexadecimal digits at text[at], or -1.
std::int32_t code_unit(std::string_view text, std::size_t at) {
    if (text.size() < at + 4) {
        return -1;
    }
    std::int32_t value = 0;
    for (const char c : text.substr(at, 4)) {
        const int digit = hex_value(c);
        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

std::size_t put_utf8(std::int32_t code, char* out) {
    const auto tail = [code](int shift) {
        return static_cast<char>(0x80 | (code >> shift & 0x3f));
    };
    if (code < 0x80) {
        out[0] = static_cast<char>(code);
        return 1;
    }
    if (code < 0x800) {
        out[0] = static_cast<char>(0xc0 | code >> 6);
        out[1] = tail(0);
        return 2;
    }
    if (code < 0x10000) {
        out[0] = static_cast<char>(0xe0 | code >> 12);
        out[1] = tail(6);
        out[2] = tail(0);
        return 3;
    }
    out[0] = static_cast<char>(0xf0 | code >> 18);
    out[1] = tail(12);
    out[2] = tail(6);
    out[3] = tail(0);
    return 4;
}

bool is_high_surrogate(std::int32_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low_surrogate(std::int32_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

// One \uXXXX, or two that make a pair; `at` is behind the backslash and moves behind the last.
std::string_view take_code(std::string_view text, std::size_t& at, std::int32_t& code) {
    code = code_unit(text, at + 1);
    if (code < 0) {
        return "an escape \\u lacks its four hexadecimal digits";
    }
    at += 5;
    if (is_high_surrogate(code)) {
        const bool escape = text.substr(at, 2) == "\\u";
        const std::int32_t low = escape ? code_unit(text, at + 2) : -1;
        if (!is_low_surrogate(low)) {
            return "half of a surrogate pair stands alone";
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    } else if (is_low_surrogate(code)) {
        return "half of a surrogate pair stands alone";
    }
    return {};
}

// How many bytes follow `lead`, and the range of the first of them (RFC 3629, section 4).
struct Tail {
    std::size_t size;
    unsigned char low;
    unsigned char high;
};
Tail tail_of(unsigned char lead) {
    if (lead < 0x80) return {0, 0, 0};
    if (lead >= 0xc2 && lead <= 0xdf) return {1, 0x80, 0xbf};
    if (lead == 0xe0) return {2, 0xa0, 0xbf};
    if (lead == 0xed) return {2, 0x80, 0x9f};
    if (lead >= 0xe1 && lead <= 0xef) return {2, 0x80, 0xbf};
    if (lead == 0xf0) return {3, 0x90, 0xbf};
    if (lead >= 0xf1 && lead <= 0xf3) return {3, 0x80, 0xbf};
    if (lead == 0xf4) return {3, 0x80, 0x8f};
    return {1, 0xff, 0x00};  // No lead byte at all: nothing can follow it.
}

}  // namespace

UnescapedString unescape_json(std::string_view text, char* out) {
    UnescapedString done;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t escape = std::min(text.find('\\', at), text.size());
        std::memcpy(out + done.size, text.data() + at, escape - at);
        done.size += escape - at;
        at = escape + 1;
        if (at >= text.size()) {
            // The first stage takes no quote behind a backslash for the closing one.
            break;
        }
        const char letter = text[at];
        if (letter == 'u') {
            std::int32_t code = 0;
            done.reason = take_code(text, at, code);
            if (!done.reason.empty()) {
                done.position = escape;
                return done;
            }
            done.has_nul = done.has_nul || code == 0;
            done.size += put_utf8(code, out + done.size);
            continue;
        }
        const char byte = one_letter[static_cast<unsigned char>(letter)];
        if (byte == 0) {
            done.reason = "a backslash escapes a letter that has no meaning";
            done.position = escape;
            return done;
        }
        out[done.size++] = byte;
        ++at;
    }
    return done;
}

std::size_t utf8_end(std::string_view bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        const Tail tail = tail_of(static_cast<unsigned char>(bytes[at]));
        if (tail.size > bytes.size() - at - 1) {
            return at;
        }
        for (std::size_t i = 1; i <= tail.size; ++i) {
            const auto byte = static_cast<unsigned char>(bytes[at + i]);
            const bool fits = i == 1 ? byte >= tail.low && byte <= tail.high
                                     : byte >= 0x80 && byte <= 0xbf;
            if (!fits) {
                return at;
            }
        }
        at += tail.size + 1;
    }
    return at;
}

}  // namespace sluice
