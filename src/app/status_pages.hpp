// What the process tells of itself by HTTP: /metrics for Prometheus, /healthz and /readyz for who
// starts and stops it. Answers come from copies that the main thread leaves here; no lane is asked.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "app/lane.hpp"
#include "http/server.hpp"

namespace sluice {

class StatusPages {
public:
    using Clock = std::chrono::steady_clock;

    // `memory` is what the process may have.
    explicit StatusPages(Bytes memory) : memory_(memory) {}

    // What the lanes say now; called about ten times a second by the main thread.
    void show(std::vector<LaneStatus> lanes, Clock::time_point now = Clock::now());

    // From any thread.
    //   /metrics  200, Prometheus's text.
    //   /healthz  200 while show() is called and no lane stands still; 503 when it was not for ten
    //             seconds, or a lane has said nothing for a minute.
    //   /readyz   200 when every lane is running and none waits, else 503; one line a lane.
    [[nodiscard]] http::Response answer(std::string_view path,
                                        Clock::time_point now = Clock::now()) const;

private:
    struct Shown {
        std::vector<LaneStatus> lanes;
        Clock::time_point at;
    };
    [[nodiscard]] std::shared_ptr<const Shown> last() const;

    const Bytes memory_;
    const std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
    mutable std::mutex mutex_;
    std::shared_ptr<const Shown> shown_ = std::make_shared<Shown>();
};

}  // namespace sluice
