// What has parts: arrays, points, bits.
#include "base/text.hpp"
#include "model/convert.hpp"
#include "model/convert_parts.hpp"

namespace sluice::convert {

Fit<std::vector<Cell>> elements(const Cell& cell) {
    if (!is_array(cell)) {
        return parts::wrong_kind(cell, "an array");
    }
    std::vector<Cell> all;
    const auto& nodes = cell.document->nodes;
    const auto first = static_cast<std::uint32_t>(cell.node - nodes.data()) + 1;
    for (std::uint32_t i = first; i < cell.node->end; i = nodes[i].end) {
        all.push_back(json_cell(nodes[i], *cell.document));
        all.back().reading = cell.reading;
    }
    return all;
}

bool is_array(const Cell& cell) {
    return cell.kind == CellKind::json && cell.node != nullptr &&
           cell.node->type == JsonType::array;
}

Fit<Point> point(const Cell& cell) {
    const bool object = cell.kind == CellKind::json && cell.node != nullptr &&
                        cell.node->type == JsonType::object;
    if (!object) {
        return parts::wrong_kind(cell, "a point");
    }
    Point out;
    for (const auto& [name, to] : {std::pair{"x", &out.x}, std::pair{"y", &out.y}}) {
        const JsonNode* node = cell.document->member(*cell.node, name);
        if (node == nullptr) {
            return misfit("the object has no `x` or no `y`", "a point is {\"x\": 1.5, \"y\": 2}");
        }
        const auto value = float64(json_cell(*node, *cell.document));
        if (!value) {
            return tl::unexpected(value.error());
        }
        *to = *value;
    }
    return out;
}

Fit<std::string_view> bits(const Cell& cell, std::optional<std::size_t> size,
                           std::string& scratch) {
    const bool encoded = cell.reading.encoding == BytesEncoding::base64 ||
                         cell.reading.encoding == BytesEncoding::hex;
    if (cell.kind == CellKind::boolean) {  // Debezium's of bit(1).
        return std::string_view(cell.boolean ? "1" : "0");
    }
    if (!encoded) {
        if ((cell.kind != CellKind::string && cell.kind != CellKind::text) ||
            cell.text.find_first_not_of("01") != std::string_view::npos) {
            return misfit(std::string(to_string(cell.kind)) + " is no row of bits",
                          "write them as 0 and 1, or declare an encoding of Debezium's Bits");
        }
        return cell.text;
    }
    if (!size) {
        return misfit("bytes do not tell how many bits they hold", "use a column bit(n)");
    }
    std::string held;
    const auto bytes = convert::bytes(cell, held);
    if (!bytes) {
        return bytes;
    }
    scratch.assign(*size, '0');
    for (std::size_t i = 0; i < bytes->size() * 8; ++i) {
        if (((*bytes)[i / 8] >> (i % 8) & 1) == 0) {
            continue;
        }
        if (i >= *size) {
            return misfit("the bytes hold more bits than the column", "widen the column");
        }
        scratch[*size - 1 - i] = '1';
    }
    return std::string_view(scratch);
}

}  // namespace sluice::convert
