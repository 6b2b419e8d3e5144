#include "app/run.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "app/display.hpp"
#include "app/followed_lane.hpp"
#include "app/instance_lock.hpp"
#include "app/lane.hpp"
#include "app/status_pages.hpp"
#include "app/wiring.hpp"
#include "base/check.hpp"
#include "http/server.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr int exit_ok = 0;
constexpr int exit_failed = 1;
constexpr int exit_environment = 3;
// What a lane may need beyond its drain, to leave the group and to free its clients. With the
// default drain_timeout under the 30 s that service managers wait.
constexpr auto end_slack = 4s;
// A lane that ends by itself has no drain_timeout.
constexpr auto own_end_wait = 60s;
// For a lane that is still starting when a signal comes: an attempt may wait for a server for 10 s.
constexpr auto starting_end_wait = 1s;

// The signals that end us, as something to wait for. Made before the first thread, which
// inherits the blocked mask.
class EndSignals {
public:
    EndSignals() {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        check(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0, "signals can be blocked");
        descriptor_ = signalfd(-1, &set, SFD_CLOEXEC);
        check(descriptor_ >= 0, "a signalfd can be had");
        // A database that closes its socket must give an error, not end the process.
        (void)std::signal(SIGPIPE, SIG_IGN);
    }
    EndSignals(const EndSignals&) = delete;
    EndSignals& operator=(const EndSignals&) = delete;
    ~EndSignals() { ::close(descriptor_); }

    bool wait(std::chrono::milliseconds time) {
        pollfd watched{descriptor_, POLLIN, 0};
        if (::poll(&watched, 1, static_cast<int>(time.count())) != 1) {
            return false;
        }
        signalfd_siginfo info{};
        return ::read(descriptor_, &info, sizeof info) == sizeof info;
    }

private:
    int descriptor_ = -1;
};

// At start: something that only a person can change.
bool hopeless(const LaneStatus& lane) {
    return lane.failed || (lane.phase == LanePhase::starting && lane.waiting &&
                           lane.waiting->action != Action::retry);
}

class Supervisor {
public:
    Supervisor(const RunOptions& options, EndSignals& signals)
        : options_(options),
          signals_(signals),
          display_(isatty(STDERR_FILENO) != 0),
          log_(make_logger("run")),
          pages_(Bytes{static_cast<std::size_t>(options.config.memory)}) {
        for (const auto& name : lane_names(options.config)) {
            lanes_.push_back(
                std::make_unique<FollowedLane>(options.config, name, options.until_end));
        }
    }

    int run() {
        if (!open_pages()) {
            return exit_environment;
        }
        for (const auto& lane : lanes_) {
            lane->start();
        }
        const std::optional<int> early = watch();
        for (const auto& lane : lanes_) {
            lane->join();
        }
        if (server_) {
            server_->close();
        }
        const auto last = statuses();
        display_.finish(last);
        if (early) {
            tell_failed_start(last);
            return *early;
        }
        return verdict(last);
    }

private:
    // Before the lanes start: who can't be watched as configured does not begin.
    bool open_pages() {
        const auto& http = options_.config.http;
        if (!http) {
            return true;
        }
        pages_.show(statuses());
        auto server = http::Server::listen(
            http->listen, [this](std::string_view path) { return pages_.answer(path); });
        if (!server) {
            log_->error("{}", server.error().message());
            return false;
        }
        server_ = std::move(*server);
        log_->info("answers on http://{}: /metrics, /healthz, /readyz", http->listen);
        return true;
    }

    [[nodiscard]] std::vector<LaneStatus> statuses() const {
        std::vector<LaneStatus> all;
        for (const auto& lane : lanes_) {
            all.push_back(lane->status());
        }
        return all;
    }

    // Until all lanes have ended. An exit code where the start failed.
    std::optional<int> watch() {
        const auto start_deadline = Deadline::in(
            std::chrono::milliseconds{options_.config.start_timeout_ms});
        std::optional<int> early;
        while (true) {
            if (signals_.wait(100ms)) {
                if (stopping_) {
                    _exit(exit_failed);
                }
                log_->info("stopping: drains for up to {} s; a second signal exits at once",
                           options_.config.drain_timeout_ms / 1000);
                starting_end_ = Deadline::in(starting_end_wait);
                // Who is told to stop is likely to be back.
                stop_all(std::chrono::milliseconds{options_.config.drain_timeout_ms},
                         kafka::Membership::kept);
            }
            for (const auto& lane : lanes_) {
                lane->follow();
            }
            const auto now = statuses();
            if (server_) {
                pages_.show(now);
            }
            if (std::ranges::all_of(
                    now, [](const auto& lane) { return lane.phase == LanePhase::ended; })) {
                return early;
            }
            if (overdue(now) || only_starting(now)) {
                exit_without(now, early);
            }
            display_.show(now);
            if (!stopping_ && start_failed(now, start_deadline)) {
                early = exit_environment;
                stop_all(1s, kafka::Membership::given_up);
            }
            tell_waiting(now);
        }
    }

    // A client library that does not let go must not keep the process.
    bool overdue(const std::vector<LaneStatus>& lanes) {
        const bool ending = std::ranges::all_of(lanes, [](const auto& lane) {
            return lane.phase == LanePhase::draining || lane.phase == LanePhase::ended;
        });
        if (!stopping_ && !ending) {
            own_end_.reset();
            return false;
        }
        if (!stopping_ && !own_end_) {
            own_end_ = Deadline::in(own_end_wait);
        }
        return stopping_ ? overdue_.passed() : own_end_->passed();
    }

    // After a signal: nothing is under way but attempts to start.
    [[nodiscard]] bool only_starting(const std::vector<LaneStatus>& lanes) const {
        return starting_end_.passed() && std::ranges::all_of(lanes, [](const auto& lane) {
                   return lane.phase == LanePhase::starting || lane.phase == LanePhase::ended;
               });
    }

    // What is not committed by now is done again, as after a crash. A lane that starts has nothing
    // to lose: it only waits for a server.
    [[noreturn]] void exit_without(const std::vector<LaneStatus>& lanes, std::optional<int> early) {
        bool lost = false;
        for (const auto& lane : lanes) {
            if (lane.phase != LanePhase::ended && lane.phase != LanePhase::starting) {
                log_->error("{}: has not ended in time; exits without it", lane.name);
                lost = true;
            }
            if (lane.failed) {
                log_->error("{}: ended: {}", lane.name, lane.failed->message());
                lost = true;
            }
        }
        display_.finish(lanes);
        if (early) {
            tell_failed_start(lanes);
        }
        _exit(early.value_or(lost ? exit_failed : exit_ok));
    }

    bool start_failed(const std::vector<LaneStatus>& lanes, const Deadline& deadline) {
        any_started_ = any_started_ || std::ranges::any_of(lanes, &LaneStatus::started);
        all_started_ = all_started_ || std::ranges::all_of(lanes, &LaneStatus::started);
        if (options_.strict && !all_started_) {
            return deadline.passed() || std::ranges::any_of(lanes, hopeless);
        }
        return !any_started_ && (deadline.passed() || std::ranges::all_of(lanes, hopeless));
    }

    // A lane that can't start says why, while another one runs.
    void tell_waiting(const std::vector<LaneStatus>& lanes) {
        if (!next_tell_.passed() || stopping_) {
            return;
        }
        bool told = false;
        for (const auto& lane : lanes) {
            if (lane.phase == LanePhase::starting && lane.waiting) {
                log_->error("{}: can't start, tries again: {}", lane.name, lane.waiting->message());
                told = true;
            }
        }
        next_tell_ = told ? Deadline::in(10s) : Deadline::in(1s);
    }

    // After the lanes have ended: an attempt that was under way has said by then why it failed.
    void tell_failed_start(const std::vector<LaneStatus>& lanes) {
        for (const auto& lane : lanes) {
            if (!lane.started) {
                log_->error("{}: can't start: {}", lane.name,
                            lane.waiting ? lane.waiting->message() : "it was not done in time");
            }
        }
    }

    void stop_all(std::chrono::milliseconds drain, kafka::Membership membership) {
        stopping_ = true;
        overdue_ = Deadline::in(drain + end_slack);
        for (const auto& lane : lanes_) {
            lane->stop(Deadline::in(drain), membership);
        }
    }

    int verdict(const std::vector<LaneStatus>& lanes) {
        bool failed = false;
        const bool any_started = std::ranges::any_of(lanes, &LaneStatus::started);
        for (const auto& lane : lanes) {
            if (lane.failed) {
                log_->error("{}: ended: {}", lane.name, lane.failed->message());
                failed = true;
            }
            if (options_.until_end) {
                for (const auto& stopped : lane.stopped) {
                    log_->error("{}: {} did not reach its end: {}", lane.name,
                                stopped.partition.to_string(), stopped.error.message());
                    failed = true;
                }
            }
        }
        return failed ? (any_started ? exit_failed : exit_environment) : exit_ok;
    }

    const RunOptions& options_;
    EndSignals& signals_;
    Display display_;
    Logger log_;
    std::vector<std::unique_ptr<FollowedLane>> lanes_;
    StatusPages pages_;
    std::unique_ptr<http::Server> server_;
    bool stopping_ = false;
    Deadline overdue_ = Deadline::never();
    Deadline starting_end_ = Deadline::never();
    std::optional<Deadline> own_end_;  // From when all lanes were seen to end by themselves.
    bool any_started_ = false;
    bool all_started_ = false;
    Deadline next_tell_ = Deadline::in(1s);
};

}  // namespace

int run(const RunOptions& options) {
    EndSignals signals;
    std::optional<InstanceLock> lock;  // Until the process ends.
    if (options.config.instance) {
        auto taken = InstanceLock::take(options.config.pipeline, *options.config.instance);
        if (!taken) {
            make_logger("run")->error("{}", taken.error().message());
            return exit_environment;
        }
        lock.emplace(*std::move(taken));
    }
    return Supervisor(options, signals).run();
}

}  // namespace sluice
