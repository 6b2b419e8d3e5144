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

}  // namespace sluice
