// How far ahead the clock of a compacted topic is let go.
#include <gtest/gtest.h>

#include "commit/bound.hpp"

namespace sluice::commit {
namespace {

constexpr std::int64_t minute = 60'000'000;
constexpr std::int64_t day = 1440 * minute;

TEST(ClockBound, CoversWhatWasAcknowledged) {
    ClockBound bound(ClockMicros{100});
    EXPECT_TRUE(bound.covers(ClockMicros{100}));
    EXPECT_FALSE(bound.covers(ClockMicros{101}));
    bound.acknowledge(ClockMicros{200});
    EXPECT_TRUE(bound.covers(ClockMicros{200}));
    EXPECT_EQ(bound.acknowledged(), ClockMicros{200});
}

TEST(ClockBound, LeadsByWhatTheClockHasMovedFromAMinuteToADay) {
    ClockBound bound(ClockMicros{0});
    const std::int64_t start = 1'700'000'000'000'000;
    const auto lead = [&](std::int64_t at) { return bound.beyond(ClockMicros{at}).value() - at; };
    EXPECT_EQ(lead(start), minute);
    EXPECT_EQ(lead(start + minute), minute);
    EXPECT_EQ(lead(start + 10 * minute), 10 * minute);
    EXPECT_EQ(lead(start + 1000 * day), day);
}

}  // namespace
}  // namespace sluice::commit
