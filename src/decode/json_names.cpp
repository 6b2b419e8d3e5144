#include "decode/json_names.hpp"

#include <algorithm>

namespace sluice {
namespace {

// One of 64, by what tells the names of one object apart mostly.
std::uint64_t mark_of(std::string_view name) {
    if (name.empty()) {
        return 1;
    }
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(name[at]); };
    const std::size_t mixed = name.size() * 37U + byte(0) + byte(name.size() / 2) * 5U +
                              byte(name.size() - 1) * 11U;
    return std::uint64_t{1} << (mixed & 63U);
}

}  // namespace

const JsonNode* RepeatedNames::find(const JsonDocument& document) {
    const auto count = static_cast<std::uint32_t>(document.nodes.size());
    for (std::uint32_t i = 0; i < count; ++i) {
        if (document.nodes[i].type != JsonType::object) {
            continue;
        }
        if (const JsonNode* repeated = find_in(document, i)) [[unlikely]] {
            return repeated;
        }
    }
    return nullptr;
}

const JsonNode* RepeatedNames::find_in(const JsonDocument& document, std::uint32_t object) {
    const std::uint32_t end = document.nodes[object].end;
    std::uint64_t seen = 0;
    bool alike = false;
    for (std::uint32_t i = object + 1; i < end; i = document.nodes[i].end) {
        const std::uint64_t mark = mark_of(document.nodes[i].name);
        alike = alike || (seen & mark) != 0;
        seen |= mark;
    }
    if (!alike) {
        return nullptr;
    }
    members_.clear();
    for (std::uint32_t i = object + 1; i < end; i = document.nodes[i].end) {
        members_.push_back(&document.nodes[i]);
    }
    // Of one name, in the order of the document: nodes stand in it.
    std::ranges::sort(members_, [](const JsonNode* a, const JsonNode* b) {
        return a->name != b->name ? a->name < b->name : a < b;
    });
    const auto first = std::ranges::adjacent_find(members_, {}, &JsonNode::name);
    return first == members_.end() ? nullptr : *(first + 1);
}

}  // namespace sluice
