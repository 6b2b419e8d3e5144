// Goal: over any second and longer, no more rows than allowed and no fewer, however the caller is
// delayed.
#include "app/rate_limit.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <vector>

namespace sluice {
namespace {

using namespace std::chrono_literals;
using Clock = RateLimit::Clock;

// Rows in each tenth of a second, taken by a caller that comes late by up to `late`.
std::vector<std::size_t> tenths(RateLimit& limit, Clock::time_point from, int count,
                                std::chrono::microseconds late, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::size_t> taken(static_cast<std::size_t>(count), 0);
    Clock::time_point now = from;
    while (true) {
        now = std::max(now, limit.next()) + late * (random() % 1000) / 1000;
        const auto tenth = static_cast<std::size_t>((now - from) / 100ms);
        if (tenth >= taken.size()) {
            return taken;
        }
        taken[tenth] += limit.step();
        limit.took(limit.step(), now);
    }
}

TEST(RateLimit, GivesWhatIsAllowedAndNoMore) {
    for (const int rate : {1, 7, 50, 1000, 250'000}) {
        RateLimit limit(rate);
        const auto taken = tenths(limit, Clock::time_point{1h}, 600, 30ms, 1);
        const auto sum = std::accumulate(taken.begin(), taken.end(), std::size_t{0});
        EXPECT_LE(static_cast<double>(sum), rate * 60 * 1.01 + 1) << rate;
        EXPECT_GE(static_cast<double>(sum), rate * 60 * 0.97 - 1) << rate;
    }
}

TEST(RateLimit, IsEvenAndMakesUpForNoPause) {
    RateLimit limit(10'000);
    const auto start = Clock::time_point{1h};
    (void)tenths(limit, start, 10, 5ms, 2);
    // An hour without rows.
    const auto later = tenths(limit, start + 1h, 20, 5ms, 3);
    for (const auto rows : later) {
        EXPECT_LE(rows, 2000 + limit.step()) << "a burst";
    }
    const auto sum = std::accumulate(later.begin(), later.end(), std::size_t{0});
    EXPECT_LE(sum, 21'000 + limit.step());
}

}  // namespace
}  // namespace sluice
