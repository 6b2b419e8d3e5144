// How long to wait before the nth attempt: exponential, with jitter, so that many processes that
// lost one server do not return in step.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace sluice {

class Backoff {
public:
    explicit Backoff(std::chrono::milliseconds first = std::chrono::milliseconds{100},
                     std::chrono::milliseconds longest = std::chrono::milliseconds{5'000})
        : first_(first), longest_(longest), random_(std::random_device{}()) {}

    // `attempt` counts from 1. Between half and all of the doubled wait.
    std::chrono::milliseconds wait(unsigned attempt) {
        const unsigned doublings = std::min(attempt == 0 ? 0 : attempt - 1, 16u);
        const auto full = std::min(longest_, first_ * (1 << doublings));
        std::uniform_int_distribution<std::int64_t> jitter(full.count() / 2, full.count());
        return std::chrono::milliseconds{jitter(random_)};
    }

private:
    std::chrono::milliseconds first_;
    std::chrono::milliseconds longest_;
    std::minstd_rand random_;
};

}  // namespace sluice
