#include "commit/durable.hpp"

#include <algorithm>
#include <iterator>

#include "base/check.hpp"

namespace sluice::commit {

void DurablePrefix::delivered(Offset from, Offset to, ClockMicros clock) {
    check(from == delivered_ && from < to, "ranges are delivered in order, without gaps");
    delivered_ = to;
    passed_ = to;
    ranges_.push_back({.to = to, .clock = clock, .durable_to = from});
}

void DurablePrefix::passed(Offset to) {
    if (to <= passed_) {
        return;
    }
    passed_ = to;
    if (ranges_.empty()) {
        durable_.next = to;
    } else {
        ranges_.push_back({.to = to, .clock = ranges_.back().clock, .durable_to = to});
    }
}

void DurablePrefix::durable(Offset from, Offset to) {
    for (auto& range : ranges_) {
        if (from <= range.durable_to && to > range.durable_to) {
            range.durable_to = std::min(to, range.to);
        }
    }
    advance();
}

void DurablePrefix::cut(Pair end) {
    const auto first = std::ranges::find_if(
        ranges_, [&](const Range& range) { return range.to > end.next; });
    if (first == ranges_.end()) {
        return;
    }
    first->to = end.next;
    first->clock = end.clock;
    first->durable_to = std::min(first->durable_to, end.next);
    ranges_.erase(std::next(first), ranges_.end());
    advance();
}

void DurablePrefix::advance() {
    // A range that is durable in part is not counted: the pair's clock is known at its end only.
    while (!ranges_.empty() && ranges_.front().durable_to == ranges_.front().to) {
        durable_ = {ranges_.front().to, ranges_.front().clock};
        ranges_.pop_front();
    }
}

}  // namespace sluice::commit
