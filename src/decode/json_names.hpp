// Names that stand twice in one object, which RFC 8259 (4.) leaves open and databases read
// differently: jsonb keeps the last, json both.
#pragma once

#include <cstdint>
#include <vector>

#include "model/json.hpp"

namespace sluice {

// One per thread: it keeps its memory.
class RepeatedNames {
public:
    // The second member of a name in one object, in the whole document; null where there is none.
    // Names are the same where their characters are, escaped or not. One pass, and n·log n for
    // the members of an object whose names look alike.
    const JsonNode* find(const JsonDocument& document);

private:
    const JsonNode* find_in(const JsonDocument& document, std::uint32_t object);

    std::vector<const JsonNode*> members_;
};

}  // namespace sluice
