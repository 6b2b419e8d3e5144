// Base64 as RFC 4648 has it.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// With padding, in the alphabet of section 4.
std::string encode_base64(std::string_view bytes);

// Either alphabet (sections 4 and 5), with or without padding. Bits after the last byte must be
// zero, so that a text and its bytes belong to each other both ways. False, and `out` is worth
// nothing, where it is no base64.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace sluice
