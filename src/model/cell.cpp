#include "model/cell.hpp"

namespace sluice {

std::string_view to_string(CellKind kind) {
    switch (kind) {
        case CellKind::absent:
            return "an absent field";
        case CellKind::null:
            return "a null";
        case CellKind::boolean:
            return "a JSON boolean";
        case CellKind::number:
            return "a JSON number";
        case CellKind::string:
            return "a JSON string";
        case CellKind::json:
            return "a JSON object or array";
        case CellKind::text:
            return "a text";
        case CellKind::bytes:
            return "a string of raw bytes";
        case CellKind::integer:
            return "an integer";
        case CellKind::time_ms:
            return "a timestamp";
        case CellKind::uuid:
            return "a UUID";
    }
    return "an unknown value";
}

Cell json_cell(const JsonNode& node, const JsonDocument& document) {
    Cell cell;
    cell.raw = node.raw;
    cell.document = &document;
    cell.node = &node;
    switch (node.type) {
        case JsonType::null:
            cell.kind = CellKind::null;
            break;
        case JsonType::boolean:
            cell.kind = CellKind::boolean;
            cell.boolean = node.boolean;
            break;
        case JsonType::number:
            cell.kind = CellKind::number;
            cell.text = node.raw;
            break;
        case JsonType::string:
            cell.kind = CellKind::string;
            cell.text = node.text;
            break;
        case JsonType::array:
        case JsonType::object:
            cell.kind = CellKind::json;
            break;
    }
    return cell;
}

}  // namespace sluice
