// A JSON document as a flat list of nodes in document order. Numbers stay text, so that no
// digit is lost on the way to a column; see decode/json.hpp for the parser.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

enum class JsonType : std::uint8_t { null, boolean, number, string, array, object };

struct JsonNode {
    JsonType type = JsonType::null;
    bool boolean = false;
    std::uint32_t end = 0;  // The index after this node's last descendant.
    std::string_view name;  // The member's name, unescaped; empty in arrays and at the root.
    std::string_view raw;   // The value's own text in the document, quotes and braces included.
    std::string_view text;  // Strings only: unescaped.
};

// Views into the record's bytes and into `unescaped`; valid while both are untouched.
struct JsonDocument {
    std::vector<JsonNode> nodes;  // nodes[0] is the root.
    bool has_nul = false;         // Some string holds \u0000, which PostgreSQL can't store.

    [[nodiscard]] const JsonNode& root() const { return nodes.front(); }
    // The member or element, or nothing. Of repeated names the last counts, as in jsonb.
    [[nodiscard]] const JsonNode* member(const JsonNode& object, std::string_view name) const;
    [[nodiscard]] const JsonNode* element(const JsonNode& array, std::uint32_t index) const;

private:
    [[nodiscard]] std::uint32_t index_of(const JsonNode& node) const {
        return static_cast<std::uint32_t>(&node - nodes.data());
    }
};

}  // namespace sluice
