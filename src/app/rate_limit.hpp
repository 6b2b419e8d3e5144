// Spreads rows over time: so many a second, evenly. Pure: the time is given.
//
// Who oversleeps may make up for a tenth of a second, no more, so that a lane which had nothing to
// write, or a database that was away, is not followed by a burst.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace sluice {

class RateLimit {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds burst{100};

    explicit RateLimit(int rows_per_s_max)
        : per_row_(std::chrono::duration<double>(1) / rows_per_s_max) {}

    // When the next rows may come; in the past: now.
    [[nodiscard]] Clock::time_point next() const { return next_; }
    void took(std::size_t rows, Clock::time_point now) {
        const auto spent = std::chrono::ceil<Clock::duration>(per_row_ * static_cast<double>(rows));
        next_ = std::max(next_, now - burst) + spent;
    }
    // Rows to take at once: what comes to 20 ms, one at least.
    [[nodiscard]] std::size_t step() const {
        return static_cast<std::size_t>(
            std::max(std::chrono::duration<double>(0.02) / per_row_, 1.0));
    }
    // Rows that may be on their way to the database: what comes to half a second, one at least.
    [[nodiscard]] std::size_t under_way_max() const {
        return std::max<std::size_t>(step() * 25, 1);
    }

private:
    std::chrono::duration<double> per_row_;
    Clock::time_point next_{};
};

}  // namespace sluice
