// Cells to CQL's binary formats (native_protocol_v4.spec, section 6). Pure.
//
// A bound value is a 32-bit length in native byte order, as the bridge takes it, and then the
// value's bytes, most significant first.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/big_endian.hpp"
#include "model/cell.hpp"
#include "model/convert.hpp"
#include "sinks/cassandra/schema.hpp"

namespace sluice::cassandra {

// In place of a value's length.
inline constexpr std::int32_t length_null = -1;
inline constexpr std::int32_t length_unset = -2;

inline void append_length(std::string& out, std::int32_t length) {
    char bytes[sizeof(length)];
    std::memcpy(bytes, &length, sizeof(length));
    out.append(bytes, sizeof(length));
}

template <class T>
void append_number(std::string& out, T value) {
    append_length(out, sizeof(T));
    append_big_endian(out, value);
}

inline void append_bytes(std::string& out, std::string_view bytes) {
    append_length(out, static_cast<std::int32_t>(bytes.size()));
    out.append(bytes);
}

// Appends the value's length and bytes. Null and absent are the caller's business. In a column
// of the primary key 1.50 and 1.5 become the same bytes, since Cassandra finds rows by them.
// On failure `out` may have grown: the caller cuts it back.
convert::Fit<void> encode(const Column& column, const Cell& cell, std::string& out);
// JSON text as it came, strings with their quotes, for a text column.
convert::Fit<void> encode_json(const Column& column, const Cell& cell, std::string& out);

}  // namespace sluice::cassandra
