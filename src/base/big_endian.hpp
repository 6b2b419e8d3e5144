// Integers with the most significant byte first, as protocols have them.
#pragma once

#include <cstdint>
#include <string>

namespace sluice {

template <class T>
void append_big_endian(std::string& out, T value) {
    char bytes[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        bytes[i] = static_cast<char>(
            static_cast<std::uint64_t>(value) >> (8 * (sizeof(T) - 1 - i)) & 0xff);
    }
    out.append(bytes, sizeof(T));
}

// Reads sizeof(T) bytes.
template <class T>
T read_big_endian(const char* at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        value = value << 8 | static_cast<unsigned char>(at[i]);
    }
    return static_cast<T>(value);
}

}  // namespace sluice
