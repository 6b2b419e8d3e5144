#include "sinks/cassandra/encode.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "base/check.hpp"

namespace sluice::cassandra {
namespace {

using convert::Fit;
using convert::misfit;

// As many digits as PostgreSQL's numeric takes, so that both databases refuse the same numbers.
constexpr std::size_t decimal_digits_max = 131'072 + 16'383;

template <class T>
Fit<void> encode_integer(const Cell& cell, std::string& out) {
    const auto value = convert::integer(cell, sizeof(T) * 8);
    if (!value) {
        return tl::unexpected(value.error());
    }
    append_number(out, static_cast<T>(*value));
    return {};
}

Fit<void> append_text(const Column& column, std::string_view text, std::string& out) {
    const bool seven_bits = column.type != Type::ascii || std::ranges::all_of(text, [](char c) {
                                return static_cast<unsigned char>(c) < 0x80;
                            });
    if (!seven_bits) {
        return misfit("the text holds characters that are not ASCII", "use a text column");
    }
    append_bytes(out, text);
    return {};
}

Fit<void> encode_text(const Column& column, const Cell& cell, std::string& out) {
    thread_local std::string scratch;
    const auto text = convert::text(cell, scratch);
    if (!text) {
        return tl::unexpected(text.error());
    }
    return append_text(column, *text, out);
}

// Decimal digits to a magnitude in base 2^32, least significant limb first.
std::vector<std::uint32_t> to_limbs(std::string_view digits) {
    std::vector<std::uint32_t> limbs;
    while (!digits.empty()) {
        // Nine digits at a time: 10^9 fits a limb.
        const auto part = digits.substr(0, (digits.size() - 1) % 9 + 1);
        digits.remove_prefix(part.size());
        std::uint64_t carry = 0;
        std::uint64_t power = 1;
        for (const char digit : part) {
            carry = carry * 10 + static_cast<std::uint64_t>(digit - '0');
            power *= 10;
        }
        for (auto& limb : limbs) {
            carry += limb * power;
            limb = static_cast<std::uint32_t>(carry);
            carry >>= 32;
        }
        if (carry != 0) {
            limbs.push_back(static_cast<std::uint32_t>(carry));
        }
    }
    return limbs;
}

// varint: two's complement in as few bytes as hold the sign too (Java's BigInteger).
std::string to_varint(std::string_view digits, bool negative) {
    std::string bytes;  // Least significant first, until the end.
    for (const auto limb : to_limbs(digits)) {
        for (unsigned shift = 0; shift < 32; shift += 8) {
            bytes.push_back(static_cast<char>(limb >> shift & 0xff));
        }
    }
    bytes.push_back(0);
    if (negative) {
        unsigned carry = 1;
        for (char& byte : bytes) {
            const unsigned sum = static_cast<unsigned char>(~byte) + carry;
            byte = static_cast<char>(sum & 0xff);
            carry = sum >> 8;
        }
    }
    const auto high_bit = [](char byte) { return (static_cast<unsigned char>(byte) & 0x80) != 0; };
    while (bytes.size() > 1) {
        const char last = bytes.back();
        const bool redundant = (last == 0 && !high_bit(bytes[bytes.size() - 2])) ||
                               (last == static_cast<char>(0xff) &&
                                high_bit(bytes[bytes.size() - 2]));
        if (!redundant) {
            break;
        }
        bytes.pop_back();
    }
    std::ranges::reverse(bytes);
    return bytes;
}

Fit<void> encode_decimal(const Column& column, const Cell& cell, std::string& out) {
    auto value = convert::decimal(cell);
    if (!value) {
        return tl::unexpected(value.error());
    }
    if (column.is_key()) {
        while (!value->digits.empty() && value->digits.back() == '0') {
            value->digits.pop_back();
            --value->scale;
        }
        value->scale = value->digits.empty() ? 0 : value->scale;
    }
    if (value->digits.size() > decimal_digits_max) {
        return misfit("a number with " + std::to_string(value->digits.size()) +
                          " digits; at most " + std::to_string(decimal_digits_max) + " are taken",
                      "use a text column");
    }
    const auto varint = to_varint(value->digits, value->negative);
    append_length(out, static_cast<std::int32_t>(sizeof(value->scale) + varint.size()));
    append_big_endian(out, value->scale);
    out.append(varint);
    return {};
}

Fit<void> encode_timestamp(const Cell& cell, Reading reading, std::string& out) {
    // An instant: a text without an offset does not say which.
    const auto us = convert::timestamp_us(cell, reading, convert::Zone::required);
    if (!us) {
        return tl::unexpected(us.error());
    }
    if (*us % 1000 != 0) {
        return misfit("a time with microseconds; Cassandra's timestamp holds milliseconds",
                      "use a text column, or a bigint column if the field is a number");
    }
    append_number(out, *us / 1000);
    return {};
}

Fit<void> encode_date(const Cell& cell, Reading reading, std::string& out) {
    const auto days = convert::date(cell, reading);
    if (!days) {
        return tl::unexpected(days.error());
    }
    // Days counted from 2^31, so that the bytes sort like the dates.
    append_number(out, static_cast<std::uint32_t>(*days) + 0x8000'0000u);
    return {};
}

Fit<void> encode_bytes(const Cell& cell, Reading reading, std::string& out) {
    thread_local std::string scratch;
    const auto value = convert::bytes(cell, reading, scratch);
    if (!value) {
        return tl::unexpected(value.error());
    }
    append_bytes(out, *value);
    return {};
}

Fit<void> encode_uuid(const Cell& cell, std::string& out) {
    const auto value = convert::uuid(cell);
    if (!value) {
        return tl::unexpected(value.error());
    }
    append_bytes(out, {reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size()});
    return {};
}

}  // namespace

convert::Fit<void> encode_json(const Column& column, const Cell& cell, std::string& out) {
    thread_local std::string scratch;
    const auto text = convert::json(cell, scratch);
    if (!text) {
        return tl::unexpected(text.error());
    }
    return append_text(column, *text, out);
}

convert::Fit<void> encode(const Column& column, const Cell& cell, Reading reading,
                          std::string& out) {
    check(column.type.has_value(), "only columns of supported types are encoded");
    switch (*column.type) {
        case Type::boolean: {
            const auto value = convert::boolean(cell);
            if (!value) {
                return tl::unexpected(value.error());
            }
            append_number(out, static_cast<std::uint8_t>(*value));
            return {};
        }
        case Type::tinyint:
            return encode_integer<std::int8_t>(cell, out);
        case Type::smallint:
            return encode_integer<std::int16_t>(cell, out);
        case Type::int32:
            return encode_integer<std::int32_t>(cell, out);
        case Type::bigint:
            return encode_integer<std::int64_t>(cell, out);
        case Type::float32: {
            const auto value = convert::float32(cell);
            if (!value) {
                return tl::unexpected(value.error());
            }
            append_number(out, std::bit_cast<std::uint32_t>(*value));
            return {};
        }
        case Type::float64: {
            const auto value = convert::float64(cell);
            if (!value) {
                return tl::unexpected(value.error());
            }
            append_number(out, std::bit_cast<std::uint64_t>(*value));
            return {};
        }
        case Type::decimal:
            return encode_decimal(column, cell, out);
        case Type::text:
        case Type::ascii:
            return encode_text(column, cell, out);
        case Type::blob:
            return encode_bytes(cell, reading, out);
        case Type::date:
            return encode_date(cell, reading, out);
        case Type::timestamp:
            return encode_timestamp(cell, reading, out);
        case Type::uuid:
            return encode_uuid(cell, out);
    }
    return misfit("a column of an unknown type");
}

}  // namespace sluice::cassandra
