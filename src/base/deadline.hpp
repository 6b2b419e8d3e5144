// A point in time by which a wait ends. Every wait in this program takes one.
#pragma once

#include <algorithm>
#include <chrono>

namespace sluice {

class Deadline {
public:
    using Clock = std::chrono::steady_clock;

    explicit Deadline(Clock::time_point at) : at_(at) {}
    static Deadline in(std::chrono::milliseconds wait) { return Deadline(Clock::now() + wait); }
    static Deadline never() { return Deadline(Clock::time_point::max()); }

    [[nodiscard]] bool passed() const { return Clock::now() >= at_; }
    [[nodiscard]] Clock::time_point at() const { return at_; }

    // What is left, never negative and at most one hour, so that it fits a poll(2) timeout.
    [[nodiscard]] std::chrono::milliseconds left() const {
        const auto now = Clock::now();
        if (now >= at_) {
            return std::chrono::milliseconds{0};
        }
        constexpr auto hour = std::chrono::milliseconds{3'600'000};
        if (at_ - now > hour) {
            return hour;
        }
        return std::chrono::ceil<std::chrono::milliseconds>(at_ - now);
    }
    [[nodiscard]] int left_ms() const { return static_cast<int>(left().count()); }

    [[nodiscard]] Deadline sooner(Deadline other) const {
        return Deadline(std::min(at_, other.at_));
    }

private:
    Clock::time_point at_;
};

}  // namespace sluice
