// Names that stand twice in one object, which RFC 8259 (4.) leaves open and databases read
// differently: jsonb keeps the last, json both.
#pragma once

#include <array>
#include <cstdint>

#include "model/json.hpp"

namespace sluice {

// One per thread: it keeps its memory.
class RepeatedNames {
public:
    // The second member of a name in one object, in the whole document; null where there is none.
    // Names are the same where their characters are, escaped or not. One pass; names that were
    // made to have one hash cost 128 comparisons each, and n·log n where an object has more.
    const JsonNode* find(const JsonDocument& document);

private:
    static constexpr unsigned slot_bits = 9;
    static constexpr std::size_t members_max = 128;

    // Of an earlier object where the generation is another one.
    struct Slot {
        std::uint64_t generation = 0;
        std::uint32_t node = 0;
    };

    const JsonNode* find_in(const JsonDocument& document, std::uint32_t object);
    static const JsonNode* find_among_many(const JsonDocument& document, std::uint32_t object);

    std::uint64_t generation_ = 0;
    std::array<Slot, std::size_t{1} << slot_bits> slots_{};
};

}  // namespace sluice
