// The write clock of a compacted topic. A replay there may meet fewer records than were written,
// so counting them again gives other timestamps. The pair's clock is a bound instead: nothing is
// written above it before the group has acknowledged it, and whoever takes the partition over
// begins there, above all that was written before. Pure; docs/decisions/0011-compacted-topics.md.
#pragma once

#include <algorithm>
#include <optional>

#include "model/ids.hpp"

namespace sluice::commit {

class ClockBound {
public:
    // What the partition's pair says.
    explicit ClockBound(ClockMicros acknowledged) : acknowledged_(acknowledged) {}

    [[nodiscard]] ClockMicros acknowledged() const { return acknowledged_; }
    [[nodiscard]] bool covers(ClockMicros clock) const { return clock <= acknowledged_; }
    // What is to be committed before anything is written at `clock`. It leads by as much as the
    // clock has moved so far: a backlog asks once for each of its days, not once a poll.
    [[nodiscard]] ClockMicros beyond(ClockMicros clock) {
        first_ = first_.value_or(clock);
        const auto lead = std::clamp(clock.value() - first_->value(), lead_min, lead_max);
        return ClockMicros{clock.value() + lead};
    }
    void acknowledge(ClockMicros bound) { acknowledged_ = bound; }

private:
    // Microseconds: a minute and a day. After a crash the clock runs ahead of the records' own time
    // by no more than that.
    static constexpr std::int64_t lead_min = 60'000'000;
    static constexpr std::int64_t lead_max = 86'400'000'000;

    ClockMicros acknowledged_;
    std::optional<ClockMicros> first_;
};

}  // namespace sluice::commit
