// What a person sees of the lanes: on a terminal one line each, refreshed in place; elsewhere a
// summary in the log every ten seconds.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "app/lane.hpp"
#include "base/log.hpp"

namespace sluice {

std::string_view phase_name(LanePhase phase);  // "running"
// "1,234,567".
std::string with_commas(std::uint64_t number);
// One lane in one line, without control characters.
std::string describe(const LaneStatus& status, double rows_per_s);

class Display final : public LogInterlude {
public:
    explicit Display(bool terminal);
    ~Display() override;
    Display(const Display&) = delete;
    Display& operator=(const Display&) = delete;

    // Call it about ten times a second; it shows what is due.
    void show(std::span<const LaneStatus> lanes);
    // Takes the live lines away, and sums up.
    void finish(std::span<const LaneStatus> lanes);

private:
    using Clock = std::chrono::steady_clock;
    struct Sample {
        Clock::time_point at;
        std::uint64_t rows = 0;
    };

    void before_line() override;
    void after_line() override;
    void erase();
    void draw();
    double rate(const LaneStatus& lane, std::chrono::milliseconds window);

    bool terminal_;
    Logger log_;
    Clock::time_point started_ = Clock::now();
    Clock::time_point next_summary_;
    std::map<std::string, std::vector<Sample>> samples_;
    // Drawn by the main thread; taken away and put back by whoever logs, who holds the mutex from
    // before_line() to after_line().
    std::mutex mutex_;
    std::vector<std::string> lines_;
    std::size_t drawn_ = 0;
};

}  // namespace sluice
