#include "app/status_pages.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "app/display.hpp"
#include "app/metrics.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

// The main thread shows what there is every 100 ms. It stands still while nobody reads a full
// stderr, for example.
constexpr auto alive_within = 10s;
// A lane does ten times a second. What it waits for has deadlines, of which the longest is that of
// a client's end, 20 s (socket.timeout.ms).
constexpr auto lane_alive_within = 60s;

bool is_ready(const LaneStatus& lane) { return lane.phase == LanePhase::running && !lane.waiting; }

// One line, whatever a server has said.
std::string readiness(const LaneStatus& lane) {
    std::string line = lane.name + ": " + std::string(phase_name(lane.phase));
    const auto& why = lane.failed ? lane.failed : lane.waiting;
    if (why) {
        line += lane.phase == LanePhase::running ? ", waits: " : ": ";
        line += why->message();
    } else if (!lane.stopped.empty()) {
        line += fmt::format(", stopped partitions: {}", lane.stopped.size());
    }
    std::ranges::replace_if(
        line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return line + "\n";
}

http::Response ready(const std::vector<LaneStatus>& lanes) {
    http::Response response{.body = {}};
    response.status = std::ranges::all_of(lanes, is_ready) ? 200 : 503;
    for (const auto& lane : lanes) {
        response.body += readiness(lane);
    }
    return response;
}

http::Response stands_still(std::string_view what, std::chrono::duration<double> since) {
    return {.status = 503,
            .body = fmt::format("{} stands still since {:.0f} s\n", what, since.count())};
}

http::Response healthy(const std::vector<LaneStatus>& lanes, std::chrono::duration<double> silent,
                       StatusPages::Clock::time_point now) {
    if (silent > alive_within) {
        return stands_still("the main thread", silent);
    }
    for (const auto& lane : lanes) {
        const bool works = lane.phase == LanePhase::starting || lane.phase == LanePhase::running;
        if (works && lane.at && now - *lane.at > lane_alive_within) {
            return stands_still("lane " + lane.name, now - *lane.at);
        }
    }
    return {.body = "ok\n"};
}

}  // namespace

void StatusPages::show(std::vector<LaneStatus> lanes, Clock::time_point now) {
    auto shown = std::make_shared<const Shown>(Shown{std::move(lanes), now});
    const std::lock_guard lock(mutex_);
    shown_.swap(shown);
}

std::shared_ptr<const StatusPages::Shown> StatusPages::last() const {
    const std::lock_guard lock(mutex_);
    return shown_;
}

http::Response StatusPages::answer(std::string_view path, Clock::time_point now) const {
    const auto shown = last();
    if (path == "/metrics") {
        ProcessStatus process = measure_process(started_);
        process.memory_max = static_cast<double>(memory_.value());
        return {.body = metrics_text(shown->lanes, now, process),
                .content_type = std::string(metrics_content_type)};
    }
    if (path == "/readyz") {
        return ready(shown->lanes);
    }
    if (path == "/healthz") {
        return healthy(shown->lanes, now - shown->at, now);
    }
    return {.status = 404, .body = "/metrics, /healthz and /readyz are here\n"};
}

}  // namespace sluice
