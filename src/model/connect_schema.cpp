#include "model/connect_schema.hpp"

#include <algorithm>

namespace sluice {

const ConnectSchema* ConnectSchema::find(std::string_view wanted) const {
    if (type != ConnectType::structure) {
        return nullptr;
    }
    const auto found = std::ranges::find(parts, wanted, &ConnectSchema::field);
    return found == parts.end() ? nullptr : &*found;
}

std::string_view to_string(ConnectType type) {
    switch (type) {
        case ConnectType::int8:
            return "int8";
        case ConnectType::int16:
            return "int16";
        case ConnectType::int32:
            return "int32";
        case ConnectType::int64:
            return "int64";
        case ConnectType::float32:
            return "float";
        case ConnectType::float64:
            return "double";
        case ConnectType::boolean:
            return "boolean";
        case ConnectType::string:
            return "string";
        case ConnectType::bytes:
            return "bytes";
        case ConnectType::array:
            return "array";
        case ConnectType::map:
            return "map";
        case ConnectType::structure:
            return "struct";
    }
    return "?";
}

}  // namespace sluice
