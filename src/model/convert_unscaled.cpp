// Numbers that are written as bytes: Kafka Connect's Decimal, Debezium's VariableScaleDecimal.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/base64.hpp"
#include "model/convert_parts.hpp"

namespace sluice::convert::parts {
namespace {

// numeric's 131,072 digits before the point and 16,383 after it.
constexpr std::size_t bytes_max = 64u << 10;

// The magnitude's digits. `bytes` is a two's complement integer, most significant byte first.
std::string digits_of(std::string_view bytes, bool negative) {
    std::string magnitude(bytes);
    if (negative) {
        unsigned carry = 1;
        for (std::size_t i = magnitude.size(); i-- > 0;) {
            const unsigned sum = static_cast<unsigned char>(~magnitude[i]) + carry;
            magnitude[i] = static_cast<char>(sum & 0xff);
            carry = sum >> 8;
        }
    }
    std::vector<std::uint32_t> limbs;  // Of nine digits, the least significant first.
    constexpr std::uint32_t limb = 1'000'000'000;
    for (const char byte : magnitude) {
        std::uint64_t more = static_cast<unsigned char>(byte);
        for (auto& each : limbs) {
            const std::uint64_t value = (std::uint64_t{each} << 8) + more;
            each = static_cast<std::uint32_t>(value % limb);
            more = value / limb;
        }
        if (more != 0) {
            limbs.push_back(static_cast<std::uint32_t>(more));
        }
    }
    std::string digits;
    for (std::size_t i = limbs.size(); i-- > 0;) {
        const std::string part = std::to_string(limbs[i]);
        digits.append(digits.empty() ? 0 : 9 - part.size(), '0').append(part);
    }
    return digits;
}

Fit<Decimal> number_of(const Cell& cell, std::int32_t scale) {
    std::string scratch;
    const auto bytes = convert::bytes(cell, scratch);
    if (!bytes) {
        return tl::unexpected(bytes.error());
    }
    if (bytes->empty() || bytes->size() > bytes_max || std::abs(scale) > exponent_limit) {
        return misfit("the bytes are no number: it has 1 to 65,536 bytes and a scale within "
                      "131072",
                      {});
    }
    Decimal out;
    out.negative = (static_cast<unsigned char>(bytes->front()) & 0x80) != 0;
    out.digits = digits_of(*bytes, out.negative);
    out.scale = scale;
    return out;
}

}  // namespace

bool is_unscaled(const Cell& cell) {
    const auto encoding = cell.reading.encoding;
    if (encoding != BytesEncoding::base64 && encoding != BytesEncoding::hex) {
        return false;
    }
    if (cell.kind == CellKind::string) {
        return cell.reading.scale.has_value();
    }
    return cell.kind == CellKind::json && cell.node != nullptr &&
           cell.node->type == JsonType::object;
}

Fit<Decimal> unscaled(const Cell& cell) {
    if (cell.kind == CellKind::string) {
        return number_of(cell, *cell.reading.scale);
    }
    // {"scale": 2, "value": "J0I="}
    const JsonNode* scale = cell.document->member(*cell.node, "scale");
    const JsonNode* value = cell.document->member(*cell.node, "value");
    if (scale == nullptr || scale->type != JsonType::number || value == nullptr ||
        value->type != JsonType::string) {
        return misfit("an object with a `scale` and a `value` in base64 is expected");
    }
    Cell digits;
    digits.kind = CellKind::number;
    digits.text = scale->raw;
    const auto places = convert::integer(digits, 32);
    if (!places) {
        return tl::unexpected(places.error());
    }
    Cell bytes;
    bytes.kind = CellKind::string;
    bytes.text = value->text;
    bytes.reading.encoding = cell.reading.encoding;
    return number_of(bytes, static_cast<std::int32_t>(*places));
}

Fit<Cell> as_number(const Cell& cell, std::string& scratch) {
    auto value = unscaled(cell);
    if (!value) {
        return tl::unexpected(std::move(value).error());
    }
    std::string& digits = value->digits;
    const auto places = static_cast<std::size_t>(std::max(value->scale, 0));
    if (!digits.empty()) {
        digits.append(static_cast<std::size_t>(std::max(-value->scale, 0)), '0');
    }
    if (digits.size() <= places) {
        digits.insert(0, places + 1 - digits.size(), '0');
    }
    scratch.assign(value->negative ? "-" : "").append(digits, 0, digits.size() - places);
    if (places > 0) {
        scratch.append(".").append(digits, digits.size() - places);
    }
    Cell number;
    number.kind = CellKind::number;
    number.text = number.raw = scratch;
    return number;
}

}  // namespace sluice::convert::parts
