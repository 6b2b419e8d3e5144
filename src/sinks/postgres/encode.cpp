#include "sinks/postgres/encode.hpp"

#include <algorithm>
#include <bit>
#include <vector>

#include "base/big_endian.hpp"
#include "base/check.hpp"
#include "base/text.hpp"
#include "sinks/postgres/encode_kinds.hpp"

namespace sluice::postgres {
namespace {

using convert::Fit;
using convert::misfit;

// PostgreSQL counts time from 2000-01-01, the rest of the world from 1970-01-01.
constexpr std::int32_t epoch_days = 10'957;
constexpr std::int64_t epoch_us = std::int64_t{epoch_days} * 86'400'000'000;
// timestamp.h: MIN_TIMESTAMP and END_TIMESTAMP, 4713 BC to 294276 AD, from 2000-01-01.
constexpr std::int64_t timestamp_min_us = -211'813'488'000'000'000;
constexpr std::int64_t timestamp_end_us = 9'223'371'331'200'000'000;
// date.h, IS_VALID_DATE: 4713 BC to 5874897 AD, from 2000-01-01. Beyond are -infinity and infinity.
constexpr std::int64_t date_min_days = -2'451'545;
constexpr std::int64_t date_end_days = 2'145'031'949;
// numeric.c: a typmod is ((precision << 16) | (scale & 0x7ff)) + VARHDRSZ.
constexpr std::int32_t modifier_header = 4;
constexpr std::int32_t numeric_digits_before_max = 131'072;
constexpr std::int32_t numeric_digits_after_max = 16'383;

void append_value(std::string& out, std::string_view bytes) {
    append_big_endian(out, static_cast<std::int32_t>(bytes.size()));
    out.append(bytes);
}

template <class T>
void append_number(std::string& out, T value) {
    append_big_endian(out, static_cast<std::int32_t>(sizeof(T)));
    append_big_endian(out, value);
}

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

Fit<void> encode_bytes(const Cell& cell, std::string& out) {
    thread_local std::string scratch;
    const auto value = convert::bytes(cell, scratch);
    if (!value) {
        return tl::unexpected(value.error());
    }
    append_value(out, *value);
    return {};
}

Fit<void> encode_uuid(const Cell& cell, std::string& out) {
    const auto value = convert::uuid(cell);
    if (!value) {
        return tl::unexpected(value.error());
    }
    append_value(out, {reinterpret_cast<const char*>(value->bytes.data()), value->bytes.size()});
    return {};
}

// The length that varchar(n) and char(n) allow, in characters; nothing without a limit.
std::optional<std::size_t> characters_max(const Column& column) {
    const bool limited = column.type == Type::varchar || column.type == Type::bpchar;
    if (!limited || column.modifier < modifier_header) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(column.modifier - modifier_header);
}

Fit<void> encode_text(const Column& column, const Cell& cell, std::string& out) {
    thread_local std::string scratch;
    auto text = convert::text(cell, scratch);
    if (!text) {
        return tl::unexpected(text.error());
    }
    if (column.json_text && cell.kind == CellKind::string) {
        text = cell.raw;
    }
    if (text->find('\0') != std::string_view::npos) {
        return misfit("the text holds a NUL character, which PostgreSQL can't store",
                      "use a bytea column");
    }
    const auto limit = characters_max(column);
    if (limit && text->size() > *limit && count_characters(*text) > *limit) {
        return misfit("a text of " + std::to_string(count_characters(*text)) +
                          " characters does not fit " + column.type_name,
                      "widen the column, or use text");
    }
    append_value(out, *text);
    return {};
}

// A backslash stands in strings only, and one that is escaped begins nothing.
bool holds_nul(std::string_view json) {
    for (auto at = json.find('\\'); at != std::string_view::npos; at = json.find('\\', at + 2)) {
        if (json.substr(at + 1, 5) == "u0000") {
            return true;
        }
    }
    return false;
}

Fit<void> encode_json(const Column& column, const Cell& cell, std::string& out) {
    thread_local std::string scratch;
    const auto text = convert::json(cell, scratch);
    if (!text) {
        return tl::unexpected(text.error());
    }
    if (column.type == Type::json) {
        append_value(out, *text);
        return {};
    }
    const bool untyped_nul = cell.kind == CellKind::text &&
                             cell.text.find('\0') != std::string_view::npos;
    // The document's marks hold for all of its fields: this one may be innocent.
    const JsonDocument* document = cell.document;
    if (untyped_nul || (document != nullptr && document->has_nul && holds_nul(cell.raw)) ||
        (cell.reading.encoding == BytesEncoding::json && holds_nul(*text))) {
        return misfit("a string holds \\u0000, which jsonb can't store", "use a json column");
    }
    // jsonb_recv: a version byte before the text.
    append_big_endian(out, static_cast<std::int32_t>(text->size() + 1));
    out.push_back(1);
    out.append(*text);
    return {};
}

struct NumericLimit {
    std::int32_t precision;
    std::int32_t scale;  // May be negative since PostgreSQL 15.
};

std::optional<NumericLimit> numeric_limit(const Column& column) {
    if (column.modifier < modifier_header) {
        return std::nullopt;
    }
    const std::int32_t packed = column.modifier - modifier_header;
    // The scale is an 11-bit two's complement number (numeric_typmod_scale).
    const std::int32_t scale = ((packed & 0x7ff) ^ 1024) - 1024;
    return NumericLimit{packed >> 16 & 0xffff, scale};
}

// Trailing zeros behind the point say nothing: 1.50 fits a scale of 1.
void strip_zeros(convert::Decimal& value, std::int32_t scale_max) {
    while (value.scale > scale_max && !value.digits.empty() && value.digits.back() == '0') {
        value.digits.pop_back();
        --value.scale;
    }
}

Fit<void> check_limits(const Column& column, convert::Decimal& value) {
    const auto limit = numeric_limit(column);
    const std::int32_t scale_max = limit ? limit->scale : numeric_digits_after_max;
    strip_zeros(value, scale_max);
    if (value.digits.empty()) {
        value.scale = 0;
        return {};
    }
    if (value.scale > scale_max) {
        return misfit("a number with " + std::to_string(value.scale) +
                          " digits after the point would be rounded by " + column.type_name,
                      "widen the column's scale");
    }
    const auto before = static_cast<std::int32_t>(value.digits.size()) - value.scale;
    const std::int32_t before_max = limit ? limit->precision - limit->scale
                                          : numeric_digits_before_max;
    if (before > before_max) {
        return misfit("a number with " + std::to_string(before) +
                          " digits before the point does not fit " + column.type_name,
                      "widen the column's precision");
    }
    return {};
}

// numeric_recv: groups of four decimal digits, the first one worth 10000^weight.
Fit<void> encode_numeric(const Column& column, const Cell& cell, std::string& out) {
    auto value = convert::decimal(cell);
    if (!value) {
        return tl::unexpected(value.error());
    }
    const std::int32_t display_scale = std::max(value->scale, 0);
    if (auto fits = check_limits(column, *value); !fits) {
        return fits;
    }
    // Pad so that the point falls between two groups.
    std::string& digits = value->digits;
    if (value->scale < 0) {
        digits.append(static_cast<std::size_t>(-value->scale), '0');
        value->scale = 0;
    }
    const auto scale = static_cast<std::size_t>(value->scale);
    digits.append((4 - scale % 4) % 4, '0');
    const std::size_t groups_after = (scale + 3) / 4;
    digits.insert(0, (4 - digits.size() % 4) % 4, '0');

    std::vector<std::uint16_t> groups;
    for (std::size_t i = 0; i < digits.size(); i += 4) {
        std::uint16_t group = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            group = static_cast<std::uint16_t>(group * 10 + (digits[i + k] - '0'));
        }
        groups.push_back(group);
    }
    auto weight = static_cast<std::int32_t>(groups.size()) -
                  static_cast<std::int32_t>(groups_after) - 1;
    const auto first = std::ranges::find_if(groups, [](auto group) { return group != 0; });
    weight -= static_cast<std::int32_t>(first - groups.begin());
    groups.erase(groups.begin(), first);
    while (!groups.empty() && groups.back() == 0) {
        groups.pop_back();
    }
    const auto limit = numeric_limit(column);
    const std::int32_t shown = limit ? std::max(limit->scale, 0)
                                     : std::min(display_scale, numeric_digits_after_max);

    append_big_endian(out, static_cast<std::int32_t>(8 + groups.size() * 2));
    append_big_endian(out, static_cast<std::int16_t>(groups.size()));
    append_big_endian(out, static_cast<std::int16_t>(groups.empty() ? 0 : weight));
    append_big_endian(out,
                      static_cast<std::uint16_t>(value->negative && !groups.empty() ? 0x4000 : 0));
    append_big_endian(out, static_cast<std::int16_t>(shown));
    for (const auto group : groups) {
        append_big_endian(out, group);
    }
    return {};
}

Fit<void> encode_timestamp(const Column& column, const Cell& cell, std::string& out) {
    const auto zone = column.type == Type::timestamptz ? convert::Zone::required
                                                       : convert::Zone::optional;
    const auto us = convert::timestamp_us(cell, zone);
    if (!us) {
        return tl::unexpected(us.error());
    }
    // The lower bound first: the difference behind it can't overflow then.
    if (*us < timestamp_min_us + epoch_us || *us - epoch_us >= timestamp_end_us) {
        return misfit("a time outside of what PostgreSQL can store");
    }
    append_number(out, *us - epoch_us);
    return {};
}

Fit<void> encode_date(const Cell& cell, std::string& out) {
    const auto days = convert::date(cell);
    if (!days) {
        return tl::unexpected(days.error());
    }
    const std::int64_t from_2000 = std::int64_t{*days} - epoch_days;
    if (from_2000 < date_min_days || from_2000 >= date_end_days) {
        return misfit("a date outside of what PostgreSQL can store");
    }
    append_number(out, static_cast<std::int32_t>(from_2000));
    return {};
}

}  // namespace

convert::Fit<void> encode(const Column& column, const Cell& cell, std::string& out) {
    check(column.type.has_value(), "only columns of supported types are encoded");
    const auto same = [](auto value) { return value; };
    switch (*column.type) {
        case Type::boolean:
            return append_fit(convert::boolean(cell), out,
                              [](bool value) { return static_cast<std::uint8_t>(value); });
        case Type::int2:
            return encode_integer<std::int16_t>(cell, out);
        case Type::int4:
            return encode_integer<std::int32_t>(cell, out);
        case Type::int8:
            return append_fit(convert::integer(cell, 64), out, same);
        case Type::float4:
            return append_fit(convert::float32(cell), out,
                              [](float value) { return std::bit_cast<std::uint32_t>(value); });
        case Type::float8:
            return append_fit(convert::float64(cell), out,
                              [](double value) { return std::bit_cast<std::uint64_t>(value); });
        case Type::numeric:
            return encode_numeric(column, cell, out);
        case Type::text:
        case Type::varchar:
        case Type::bpchar:
        case Type::xml:
        case Type::enumeration:  // enum_recv takes the label.
            return encode_text(column, cell, out);
        case Type::time:
        case Type::timetz:
            return encode_time(column, cell, out);
        case Type::interval:
            return encode_interval(cell, out);
        case Type::bit:
        case Type::varbit:
            return encode_bits(column, cell, out);
        case Type::point:
            return encode_point(cell, out);
        case Type::array:
            return encode_array(column, cell, out);
        case Type::bytea:
            return encode_bytes(cell, out);
        case Type::date:
            return encode_date(cell, out);
        case Type::timestamp:
        case Type::timestamptz:
            return encode_timestamp(column, cell, out);
        case Type::uuid:
            return encode_uuid(cell, out);
        case Type::json:
        case Type::jsonb:
            return encode_json(column, cell, out);
    }
    return misfit("a column of an unknown type");
}

}  // namespace sluice::postgres
