#include "sinks/cassandra/encode.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "base/check.hpp"

namespace sluice::cassandra {
namespace {

using convert::Fit;
using convert::misfit;

// As many digits as PostgreSQL's numeric takes, so that both databases refuse the same numbers.
constexpr std::size_t decimal_digits_max = 131'072 + 16'383;

// Appends what `wire` makes of a value that fits.
template <class T, class Wire>
Fit<void> append_fit(const Fit<T>& value, std::string& out, Wire wire) {
    if (!value) {
        return tl::unexpected(value.error());
    }
    append_number(out, wire(*value));
    return {};
}

template <class T>
Fit<void> encode_integer(const Cell& cell, std::string& out) {
    return append_fit(convert::integer(cell, sizeof(T) * 8), out,
                      [](std::int64_t value) { return static_cast<T>(value); });
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

Fit<void> encode_timestamp(const Cell& cell, std::string& out) {
    // An instant: a text without an offset does not say which.
    const auto us = convert::timestamp_us(cell, convert::Zone::required);
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

Fit<void> encode_date(const Cell& cell, std::string& out) {
    const auto days = convert::date(cell);
    if (!days) {
        return tl::unexpected(days.error());
    }
    // Days counted from 2^31, so that the bytes sort like the dates.
    append_number(out, static_cast<std::uint32_t>(*days) + 0x8000'0000u);
    return {};
}

Fit<void> encode_bytes(const Cell& cell, std::string& out) {
    thread_local std::string scratch;
    const auto value = convert::bytes(cell, scratch);
    if (!value) {
        return tl::unexpected(value.error());
    }
    append_bytes(out, *value);
    return {};
}

Fit<void> encode_uuid(const Column& column, const Cell& cell, std::string& out) {
    const auto value = convert::uuid(cell);
    if (!value) {
        return tl::unexpected(value.error());
    }
    constexpr unsigned by_time = 1;  // RFC 9562, version 1.
    if (column.type == Type::timeuuid && value->bytes[6] >> 4 != by_time) {
        return misfit("the UUID is not of version 1, which timeuuid is", "use a uuid column");
    }
    append_bytes(out, {reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size()});
    return {};
}

// Nanoseconds since midnight, less than a day.
Fit<void> encode_time(const Cell& cell, std::string& out) {
    const auto time = convert::time_of_day(cell);
    if (!time) {
        return tl::unexpected(time.error());
    }
    constexpr std::int64_t us_per_day = 86'400'000'000;
    if (time->offset_s || time->us == us_per_day) {
        return misfit(time->offset_s ? "a time of day with an offset from UTC, which would be lost"
                                     : "the time 24:00 has no place in Cassandra's time",
                      "use a text column");
    }
    append_number(out, time->us * 1000);
    return {};
}

// Zigzag, then as many bytes as the leading ones of the first say (native_protocol_v5.spec, 6.5).
void append_vint(std::string& out, std::int64_t value) {
    const auto zigzag = static_cast<std::uint64_t>(value) << 1 ^
                        static_cast<std::uint64_t>(value >> 63);
    const auto bits = static_cast<unsigned>(64 - std::countl_zero(zigzag | 1));
    const unsigned more = std::min((bits - 1) / 7, 8U);
    const auto mark = static_cast<unsigned char>(0xff00U >> more);
    out.push_back(static_cast<char>(more == 8 ? 0xff : mark | (zigzag >> 8 * more & 0xff)));
    for (unsigned i = more; i-- > 0;) {
        out.push_back(static_cast<char>(zigzag >> 8 * i & 0xff));
    }
}

// Months, days and nanoseconds, all of one sign.
Fit<void> encode_duration(const Cell& cell, std::string& out) {
    const auto span = convert::span(cell);
    if (!span) {
        return tl::unexpected(span.error());
    }
    std::int64_t nanos = 0;
    const bool negative = span->months < 0 || span->days < 0 || span->us < 0;
    const bool positive = span->months > 0 || span->days > 0 || span->us > 0;
    if ((negative && positive) || __builtin_mul_overflow(span->us, 1000, &nanos)) {
        return misfit("a span whose parts have different signs, or that is too long for a duration",
                      "use a text column");
    }
    std::string bytes;
    for (const std::int64_t part : {std::int64_t{span->months}, std::int64_t{span->days}, nanos}) {
        append_vint(bytes, part);
    }
    append_bytes(out, bytes);
    return {};
}

Fit<void> encode_varint(const Cell& cell, std::string& out) {
    auto value = convert::decimal(cell);
    if (!value) {
        return tl::unexpected(value.error());
    }
    while (value->scale > 0 && value->digits.ends_with('0')) {
        value->digits.pop_back();
        --value->scale;
    }
    if (value->scale > 0 && !value->digits.empty()) {
        return misfit("a number with digits behind its point is no integer",
                      "use a decimal column");
    }
    if (!value->digits.empty()) {
        value->digits.append(static_cast<std::size_t>(std::max(-value->scale, 0)), '0');
    }
    if (value->digits.size() > decimal_digits_max) {
        return misfit("a number with " + std::to_string(value->digits.size()) + " digits",
                      "use a text column");
    }
    append_bytes(out, to_varint(value->digits, value->negative));
    return {};
}

// The number of elements, then each with its length.
Fit<void> encode_collection(const Column& column, const Cell& cell, std::string& out) {
    const auto elements = convert::elements(cell);
    if (!elements) {
        return tl::unexpected(elements.error());
    }
    std::string bytes;
    append_big_endian(bytes, static_cast<std::int32_t>(elements->size()));
    std::string one;
    for (const Cell& element : *elements) {
        if (element.kind == CellKind::null) {
            return misfit("an element is null, which Cassandra's collections can't hold",
                          "leave it out, or use a text column");
        }
        one.clear();
        if (auto done = encode(column.element.front(), element, one); !done) {
            done.error().reason = "an element: " + done.error().reason;
            return done;
        }
        const auto value = std::string_view(one).substr(sizeof(std::int32_t));
        append_big_endian(bytes, static_cast<std::int32_t>(value.size()));
        bytes.append(value);
    }
    append_bytes(out, bytes);
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

convert::Fit<void> encode(const Column& column, const Cell& cell, std::string& out) {
    check(column.type.has_value(), "only columns of supported types are encoded");
    switch (*column.type) {
        case Type::boolean:
            return append_fit(convert::boolean(cell), out,
                              [](bool value) { return static_cast<std::uint8_t>(value); });
        case Type::tinyint:
            return encode_integer<std::int8_t>(cell, out);
        case Type::smallint:
            return encode_integer<std::int16_t>(cell, out);
        case Type::int32:
            return encode_integer<std::int32_t>(cell, out);
        case Type::bigint:
            return encode_integer<std::int64_t>(cell, out);
        case Type::float32:
            return append_fit(convert::float32(cell), out,
                              [](float value) { return std::bit_cast<std::uint32_t>(value); });
        case Type::float64:
            return append_fit(convert::float64(cell), out,
                              [](double value) { return std::bit_cast<std::uint64_t>(value); });
        case Type::decimal:
            return encode_decimal(column, cell, out);
        case Type::text:
        case Type::ascii:
            return encode_text(column, cell, out);
        case Type::blob:
            return encode_bytes(cell, out);
        case Type::date:
            return encode_date(cell, out);
        case Type::timestamp:
            return encode_timestamp(cell, out);
        case Type::uuid:
        case Type::timeuuid:
            return encode_uuid(column, cell, out);
        case Type::time:
            return encode_time(cell, out);
        case Type::duration:
            return encode_duration(cell, out);
        case Type::varint:
            return encode_varint(cell, out);
        case Type::list:
        case Type::set:
            return encode_collection(column, cell, out);
    }
    return misfit("a column of an unknown type");
}

}  // namespace sluice::cassandra
