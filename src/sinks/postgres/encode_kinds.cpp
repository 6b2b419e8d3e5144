#include "sinks/postgres/encode_kinds.hpp"

#include <bit>
#include <vector>

#include "base/big_endian.hpp"
#include "sinks/postgres/encode.hpp"

namespace sluice::postgres {
namespace {

using convert::Fit;
using convert::misfit;

// array.h, MAXDIM.
constexpr std::size_t dimensions_max = 6;

// One array's elements in the order in which they are stored, and the sizes of its dimensions.
struct Elements {
    std::vector<std::int32_t> sizes;
    std::vector<Cell> cells;
};

// Arrays in arrays are dimensions, but where the elements are JSON themselves.
Fit<void> flatten(const Column& element, const Cell& array, std::size_t depth, Elements& out) {
    const auto cells = convert::elements(array);
    if (!cells) {
        return tl::unexpected(cells.error());
    }
    const auto size = static_cast<std::int32_t>(cells->size());
    if (depth == out.sizes.size()) {
        if (depth == dimensions_max || !out.cells.empty()) {
            return misfit("the arrays in the array are not of one depth");
        }
        out.sizes.push_back(size);
    } else if (out.sizes[depth] != size) {
        return misfit("the arrays in the array are not of one size");
    }
    const bool json = element.type == Type::json || element.type == Type::jsonb;
    for (const Cell& cell : *cells) {
        if (!json && convert::is_array(cell)) {
            if (auto done = flatten(element, cell, depth + 1, out); !done) {
                return done;
            }
            continue;
        }
        if (depth + 1 != out.sizes.size()) {
            return misfit("the arrays in the array are not of one depth");
        }
        out.cells.push_back(cell);
    }
    return {};
}

}  // namespace

// time_recv: microseconds; timetz_recv: and seconds west of UTC.
Fit<void> encode_time(const Column& column, const Cell& cell, std::string& out) {
    const auto time = convert::time_of_day(cell);
    if (!time) {
        return tl::unexpected(time.error());
    }
    const bool with_zone = column.type == Type::timetz;
    if (with_zone != time->offset_s.has_value()) {
        return misfit(with_zone ? "a time of day without an offset from UTC"
                                : "a time of day with an offset from UTC, which would be lost",
                      with_zone ? "end it with Z or +hh:mm, or use a column time"
                                : "use a column timetz");
    }
    append_big_endian(out, static_cast<std::int32_t>(with_zone ? 12 : 8));
    append_big_endian(out, time->us);
    if (with_zone) {
        append_big_endian(out, static_cast<std::int32_t>(-*time->offset_s));
    }
    return {};
}

// interval_recv.
Fit<void> encode_interval(const Cell& cell, std::string& out) {
    const auto span = convert::span(cell);
    if (!span) {
        return tl::unexpected(span.error());
    }
    append_big_endian(out, std::int32_t{16});
    append_big_endian(out, span->us);
    append_big_endian(out, span->days);
    append_big_endian(out, span->months);
    return {};
}

// bit_recv, varbit_recv: the number of bits, then bytes from the most significant bit on.
Fit<void> encode_bits(const Column& column, const Cell& cell, std::string& out) {
    thread_local std::string scratch;
    // bit(n): the modifier is n, without numeric's header.
    const bool fixed = column.type == Type::bit && column.modifier > 0;
    const auto size = fixed ? std::optional(static_cast<std::size_t>(column.modifier))
                            : std::nullopt;
    const auto bits = convert::bits(cell, size, scratch);
    if (!bits) {
        return tl::unexpected(bits.error());
    }
    if (size && bits->size() != *size) {
        return misfit(std::to_string(bits->size()) + " bits do not fit " + column.type_name, {});
    }
    const std::size_t bytes = (bits->size() + 7) / 8;
    append_big_endian(out, static_cast<std::int32_t>(4 + bytes));
    append_big_endian(out, static_cast<std::int32_t>(bits->size()));
    for (std::size_t byte = 0; byte < bytes; ++byte) {
        unsigned value = 0;
        for (std::size_t bit = 0; bit < 8; ++bit) {
            const std::size_t at = byte * 8 + bit;
            value = value << 1 | (at < bits->size() && (*bits)[at] == '1' ? 1U : 0U);
        }
        out.push_back(static_cast<char>(value));
    }
    return {};
}

// point_recv.
Fit<void> encode_point(const Cell& cell, std::string& out) {
    const auto point = convert::point(cell);
    if (!point) {
        return tl::unexpected(point.error());
    }
    append_big_endian(out, std::int32_t{16});
    append_big_endian(out, std::bit_cast<std::uint64_t>(point->x));
    append_big_endian(out, std::bit_cast<std::uint64_t>(point->y));
    return {};
}

// array_recv: dimensions, whether nulls are there, the element's type, each dimension's size and
// lower bound, the elements.
Fit<void> encode_array(const Column& column, const Cell& cell, std::string& out) {
    const Column& element = column.element.front();
    Elements elements;
    if (auto done = flatten(element, cell, 0, elements); !done) {
        return done;
    }
    if (elements.cells.empty()) {
        elements.sizes.clear();
    }
    const std::size_t begin = out.size();
    append_big_endian(out, std::int32_t{0});  // The length, when it is known.
    append_big_endian(out, static_cast<std::int32_t>(elements.sizes.size()));
    const std::size_t flags = out.size();
    append_big_endian(out, std::int32_t{0});
    append_big_endian(out, column.element_oid);
    for (const std::int32_t size : elements.sizes) {
        append_big_endian(out, size);
        append_big_endian(out, std::int32_t{1});
    }
    for (const Cell& each : elements.cells) {
        if (each.kind == CellKind::null) {
            out[flags + 3] = 1;
            append_big_endian(out, length_null);
        } else if (auto done = encode(element, each, out); !done) {
            done.error().reason = "an element: " + done.error().reason;
            return done;
        }
    }
    std::string length;
    append_big_endian(length, static_cast<std::int32_t>(out.size() - begin - 4));
    out.replace(begin, 4, length);
    return {};
}

}  // namespace sluice::postgres
