// Goal: waits grow to a bound, and never in step.
#include "base/backoff.hpp"

#include <gtest/gtest.h>

#include <set>

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesUpToItsBoundWithJitter) {
    Backoff backoff(100ms, 5000ms);
    for (const auto& [attempt, full] :
         {std::pair{1U, 100ms}, {2U, 200ms}, {5U, 1600ms}, {7U, 5000ms}, {1'000'000U, 5000ms}}) {
        std::set<std::chrono::milliseconds> seen;
        for (int i = 0; i < 100; ++i) {
            seen.insert(backoff.wait(attempt));
        }
        EXPECT_GE(*seen.begin(), full / 2) << attempt;
        EXPECT_LE(*seen.rbegin(), full) << attempt;
        EXPECT_GT(seen.size(), 10U) << attempt;
    }
}

}  // namespace
}  // namespace sluice
