#include <array>
#include <charconv>
#include <cstdint>

#include "base/base64.hpp"
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
    if (parts::is_unscaled(cell)) {
        return parts::as_number(cell, scratch).map([](const Cell& number) { return number.text; });
    }
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
    if (parts::is_unscaled(cell)) {
        return parts::as_number(cell, scratch).map([](const Cell& number) { return number.raw; });
    }
    switch (cell.kind) {
        case CellKind::string:
            return cell.reading.encoding == BytesEncoding::json ? cell.text : cell.raw;
        case CellKind::boolean:
        case CellKind::number:
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

Fit<std::string_view> bytes(const Cell& cell, std::string& scratch) {
    const bool own_type = cell.kind == CellKind::string;
    if (!own_type && cell.kind != CellKind::text && cell.kind != CellKind::bytes) {
        return parts::wrong_kind(cell, "bytes");
    }
    switch (cell.reading.encoding) {
        case BytesEncoding::json:
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
