// The escapes of JSON strings, and where a text stops being UTF-8. For decode/json.cpp.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

struct UnescapedString {
    std::size_t size = 0;      // Bytes written.
    bool has_nul = false;      // One of them is \u0000.
    std::string_view reason;   // What is wrong; empty where nothing is.
    std::size_t position = 0;  // Where in the text it is wrong.
};

// `text` is what stands between the quotes; `out` has room for text.size() bytes.
UnescapedString unescape_json(std::string_view text, char* out);

// The index of the first byte that can't be part of well-formed UTF-8 (RFC 3629), or the size.
std::size_t utf8_end(std::string_view bytes);

}  // namespace sluice
