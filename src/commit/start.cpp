#include "commit/start.hpp"

#include <algorithm>

namespace sluice::commit {

std::optional<Start> start_known(const Known& known) {
    if (known.group && known.group->metadata && known.group->metadata->clock) {
        return Start{.pair = {known.group->next, *known.group->metadata->clock},
                     .commit_first = false};
    }
    if (known.stored) {
        return Start{.pair = *known.stored, .commit_first = true};
    }
    return std::nullopt;
}

std::optional<Start> start_new(Offset beginning, std::span<const Other> others) {
    ClockMicros largest{0};
    for (const auto& other : others) {
        const bool has_pair = other.group && other.group->metadata && other.group->metadata->clock;
        if (!has_pair || other.group->next < other.seen_end) {
            return std::nullopt;
        }
        largest = std::max(largest, *other.group->metadata->clock);
    }
    return Start{.pair = {beginning, largest}, .commit_first = true};
}

}  // namespace sluice::commit
