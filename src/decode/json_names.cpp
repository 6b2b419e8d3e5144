#include "decode/json_names.hpp"

#include <algorithm>
#include <cstring>

namespace sluice {
namespace {

template <class Number>
std::uint64_t read(const char* from) {
    Number number{};
    std::memcpy(&number, from, sizeof(number));
    return number;
}

// Of the first and the last eight bytes and the length, which tell most names apart.
std::uint64_t hash_of(std::string_view name) {
    const char* const begin = name.data();
    const std::size_t size = name.size();
    std::uint64_t bytes = 0;
    if (size >= 8) {
        const auto last = read<std::uint64_t>(begin + size - 8);
        bytes = read<std::uint64_t>(begin) ^ (last << 7 | last >> 57);
    } else if (size >= 4) {
        bytes = read<std::uint32_t>(begin) << 32 | read<std::uint32_t>(begin + size - 4);
    } else if (size > 0) {
        bytes = read<std::uint8_t>(begin) << 16 | read<std::uint8_t>(begin + size / 2) << 8 |
                read<std::uint8_t>(begin + size - 1);
    }
    // Fibonacci hashing: the upper bits are the mixed ones.
    return (bytes ^ size << 24) * 0x9e37'79b9'7f4a'7c15;
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
    const auto& nodes = document.nodes;
    const std::uint32_t end = nodes[object].end;
    ++generation_;
    std::size_t members = 0;
    for (std::uint32_t i = object + 1; i < end; i = nodes[i].end) {
        if (++members > members_max) {
            return find_among_many(document, object);
        }
        std::size_t at = hash_of(nodes[i].name) >> (64 - slot_bits);
        for (; slots_[at].generation == generation_; at = (at + 1) % slots_.size()) {
            if (nodes[slots_[at].node].name == nodes[i].name) [[unlikely]] {
                return &nodes[i];
            }
        }
        slots_[at] = {generation_, i};
    }
    return nullptr;
}

const JsonNode* RepeatedNames::find_among_many(const JsonDocument& document, std::uint32_t object) {
    std::vector<const JsonNode*> members;
    const std::uint32_t end = document.nodes[object].end;
    for (std::uint32_t i = object + 1; i < end; i = document.nodes[i].end) {
        members.push_back(&document.nodes[i]);
    }
    // Of one name, in the order of the document: nodes stand in it.
    std::ranges::sort(members, [](const JsonNode* a, const JsonNode* b) {
        return a->name != b->name ? a->name < b->name : a < b;
    });
    const auto first = std::ranges::adjacent_find(members, {}, &JsonNode::name);
    return first == members.end() ? nullptr : *(first + 1);
}

}  // namespace sluice
