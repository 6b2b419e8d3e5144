#include "model/json.hpp"

namespace sluice {

const JsonNode* JsonDocument::member(const JsonNode& object, std::string_view name) const {
    if (object.type != JsonType::object) {
        return nullptr;
    }
    const JsonNode* found = nullptr;
    for (std::uint32_t i = index_of(object) + 1; i < object.end; i = nodes[i].end) {
        if (nodes[i].name == name) {
            found = &nodes[i];
        }
    }
    return found;
}

const JsonNode* JsonDocument::element(const JsonNode& array, std::uint32_t index) const {
    if (array.type != JsonType::array) {
        return nullptr;
    }
    for (std::uint32_t i = index_of(array) + 1; i < array.end; i = nodes[i].end) {
        if (index-- == 0) {
            return &nodes[i];
        }
    }
    return nullptr;
}

}  // namespace sluice
