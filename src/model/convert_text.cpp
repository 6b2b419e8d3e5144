#include <array>
#include <charconv>
#include <cstdint>

#include "base/text.hpp"
#include "model/convert.hpp"
#include "model/convert_parts.hpp"

namespace sluice::convert {
namespace {

constexpr std::string_view encoding_hint =
    "declare its encoding: {from: value.data, encoding: base64 | hex | utf8}";

std::string_view put_integer(std::int64_t value, std::string& scratch) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    scratch.assign(digits.data(), end);
    return scratch;
}

void append_json_string(std::string_view text, std::string& out) {
    constexpr std::string_view escaped = "\b\f\n\r\t\"\\";
    constexpr std::string_view letters = "bfnrt\"\\";
    out.push_back('"');
    std::size_t copied = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            continue;
        }
        out.append(text.substr(copied, i - copied));
        copied = i + 1;
        out.push_back('\\');
        if (const auto at = escaped.find(text[i]); at != std::string_view::npos) {
            out.push_back(letters[at]);
        } else {
            out.append("u00");
            out.push_back(hex_digits[byte >> 4]);
            out.push_back(hex_digits[byte & 0x0f]);
        }
    }
    out.append(text.substr(copied));
    out.push_back('"');
}

// The value of each base64 digit, of both alphabets; -1 for anything else.
constexpr std::array<std::int8_t, 256> base64_values = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
    }
    values['-'] = 62;
    values['_'] = 63;
    return values;
}();

// RFC 4648, sections 4 and 5. Bits after the last byte must be zero, so that a text and its
// bytes belong to each other both ways.
bool decode_base64(std::string_view text, std::string& out) {
    if (text.size() % 4 == 0) {
        for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) {
            text.remove_suffix(1);
        }
    }
    out.clear();
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const std::int8_t value = base64_values[static_cast<unsigned char>(c)];
        if (value < 0) {
            return false;
        }
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<char>(bits >> count & 0xff));
        }
    }
    // A lone digit at the end leaves six bits over: it holds no byte.
    return count < 6 && (bits & ((1U << count) - 1)) == 0;
}

bool decode_hex(std::string_view text, std::string& out) {
    if (text.starts_with("\\x") || text.starts_with("0x")) {
        text.remove_prefix(2);
    }
    if (text.size() % 2 != 0) {
        return false;
    }
    out.clear();
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out.push_back(static_cast<char>(high << 4 | low));
    }
    return true;
}

}  // namespace

Fit<std::string_view> text(const Cell& cell, std::string& scratch) {
    switch (cell.kind) {
        case CellKind::boolean:
            return std::string_view(cell.boolean ? "true" : "false");
        case CellKind::number:
        case CellKind::string:
        case CellKind::text:
            return cell.text;
        case CellKind::json:
            return cell.raw;
        case CellKind::integer:
            return put_integer(cell.integer, scratch);
        case CellKind::uuid:
            scratch.clear();
            cell.uuid.append_to(scratch);
            return std::string_view(scratch);
        default:
            return parts::wrong_kind(cell, "a text");
    }
}

Fit<std::string_view> json(const Cell& cell, std::string& scratch) {
    switch (cell.kind) {
        case CellKind::boolean:
        case CellKind::number:
        case CellKind::string:
        case CellKind::json:
            return cell.raw;
        case CellKind::text:
            scratch.clear();
            append_json_string(cell.text, scratch);
            return std::string_view(scratch);
        case CellKind::integer:
            return put_integer(cell.integer, scratch);
        case CellKind::uuid:
            scratch.assign(1, '"');
            cell.uuid.append_to(scratch);
            scratch.push_back('"');
            return std::string_view(scratch);
        default:
            return parts::wrong_kind(cell, "JSON");
    }
}

Fit<std::string_view> bytes(const Cell& cell, Reading reading, std::string& scratch) {
    const bool own_type = cell.kind == CellKind::string;
    if (!own_type && cell.kind != CellKind::text && cell.kind != CellKind::bytes) {
        return parts::wrong_kind(cell, "bytes");
    }
    switch (reading.encoding) {
        case BytesEncoding::none:
            if (own_type) {
                return misfit("a JSON string stands for bytes in an unknown encoding",
                              std::string(encoding_hint));
            }
            return cell.text;
        case BytesEncoding::utf8:
            return cell.text;
        case BytesEncoding::base64:
            if (!decode_base64(cell.text, scratch)) {
                return misfit(std::string(to_string(cell.kind)) + " is not base64",
                              "base64 is declared; the others are hex and utf8");
            }
            return std::string_view(scratch);
        case BytesEncoding::hex:
            if (!decode_hex(cell.text, scratch)) {
                return misfit(std::string(to_string(cell.kind)) +
                                  " is not a row of hexadecimal digit pairs",
                              "hex is declared; the others are base64 and utf8");
            }
            return std::string_view(scratch);
    }
    return parts::wrong_kind(cell, "bytes");
}

}  // namespace sluice::convert
