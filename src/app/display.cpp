#include "app/display.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto summary_every = 10s;
constexpr auto live_window = 2000ms;

std::size_t terminal_width() {
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return 80;
    }
    return size.ws_col;
}

std::string state_of(const LaneStatus& status) {
    if (status.waiting) {
        return status.phase == LanePhase::starting ? "can't start" : "waiting";
    }
    if (status.phase == LanePhase::running && !status.stopped.empty()) {
        return fmt::format("running, {} stopped", status.stopped.size());
    }
    return std::string(phase_name(status.phase));
}

}  // namespace

std::string_view phase_name(LanePhase phase) {
    switch (phase) {
        case LanePhase::starting:
            return "starting";
        case LanePhase::running:
            return "running";
        case LanePhase::draining:
            return "draining";
        case LanePhase::ended:
            return "ended";
    }
    return "";
}

std::string with_commas(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
        digits.insert(static_cast<std::size_t>(at), ",");
    }
    return digits;
}

std::string describe(const LaneStatus& status, double rows_per_s) {
    std::string line = fmt::format("{:<9} {:<12} {:>10} rows/s {:>14} rows   lag {}", status.name,
                                   state_of(status),
                                   with_commas(static_cast<std::uint64_t>(rows_per_s)),
                                   with_commas(status.rows), with_commas(status.lag));
    if (!status.dead_letters.empty()) {
        line += fmt::format("   {} dead letters", with_commas(status.all_dead_letters()));
    }
    if (status.skipped > 0) {
        line += fmt::format("   {} dropped by triggers", with_commas(status.skipped));
    }
    if (status.waiting) {
        line += "   " + status.waiting->message();
    }
    return line;
}

Display::Display(bool terminal)
    : terminal_(terminal), log_(make_logger("run")), next_summary_(started_ + summary_every) {
    if (terminal_) {
        set_log_interlude(this);
    }
}

Display::~Display() {
    if (terminal_) {
        set_log_interlude(nullptr);
    }
}

double Display::rate(const LaneStatus& lane, std::chrono::milliseconds window) {
    auto& samples = samples_[lane.name];
    const auto now = Clock::now();
    if (samples.empty()) {
        samples.push_back({started_, 0});
    }
    samples.push_back({now, lane.rows});
    while (samples.size() > 2 && samples[1].at <= now - window) {
        samples.erase(samples.begin());
    }
    const std::chrono::duration<double> passed = now - samples.front().at;
    return passed.count() <= 0
               ? 0
               : static_cast<double>(lane.rows - samples.front().rows) / passed.count();
}

void Display::show(std::span<const LaneStatus> lanes) {
    if (terminal_) {
        const std::lock_guard lock(mutex_);
        erase();
        lines_.clear();
        for (const auto& lane : lanes) {
            lines_.push_back(describe(lane, rate(lane, live_window)));
        }
        draw();
        return;
    }
    if (Clock::now() < next_summary_) {
        return;
    }
    next_summary_ += summary_every;
    for (const auto& lane : lanes) {
        log_->info("{}", describe(lane, rate(lane, summary_every)));
        for (const auto& stopped : lane.stopped) {
            log_->error("{}: partition {} is stopped: {}", lane.name, stopped.partition.to_string(),
                        stopped.error.message());
        }
    }
}

void Display::finish(std::span<const LaneStatus> lanes) {
    if (terminal_) {
        const std::lock_guard lock(mutex_);
        erase();
        lines_.clear();
    }
    const std::chrono::duration<double> passed = Clock::now() - started_;
    for (const auto& lane : lanes) {
        if (!lane.dead_letters.empty()) {
            log_->warn("{}: {} records went to the dead letters", lane.name,
                       with_commas(lane.all_dead_letters()));
        }
        if (lane.skipped > 0) {
            log_->info("{}: for {} rows the tables' own triggers returned null", lane.name,
                       with_commas(lane.skipped));
        }
        log_->info("{}: {} rows from {} records in {:.1f} s, {} rows/s", lane.name,
                   with_commas(lane.rows), with_commas(lane.records), passed.count(),
                   with_commas(static_cast<std::uint64_t>(static_cast<double>(lane.rows) /
                                                          std::max(passed.count(), 0.001))));
    }
}

void Display::before_line() {
    mutex_.lock();
    erase();
}

void Display::after_line() {
    draw();
    mutex_.unlock();
}

void Display::erase() {
    // Up to the first of our lines, then clear to the end of the screen.
    if (drawn_ > 0) {
        std::fprintf(stderr, "\033[%zuA\033[J", drawn_);
        drawn_ = 0;
    }
}

void Display::draw() {
    const std::size_t width = terminal_width();
    for (const auto& line : lines_) {
        std::string shown = line.substr(0, width - 1);
        std::ranges::replace_if(
            shown, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
        std::fprintf(stderr, "%s\n", shown.c_str());
    }
    drawn_ = lines_.size();
    (void)std::fflush(stderr);
}

}  // namespace sluice
