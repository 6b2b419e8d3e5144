// What everything in a history shares: time, chance, the faults that are on, the story of what
// happened, and the first thing that was wrong.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/deadline.hpp"
#include "simulator/random.hpp"
#include "simulator/scheduler.hpp"

namespace sluice::sim {

// What becomes of one request.
enum class Fate : std::uint8_t {
    done,
    request_lost,  // It never arrives.
    reply_lost,    // It is done, and nobody hears of it.
    late,          // It is done long after the sender has given up.
    refused,       // The server says: not now.
};

// How likely each is, at each request of each process.
struct Faults {
    double kill = 0;
    double freeze = 0;
    double request_lost = 0;
    double reply_lost = 0;
    double late = 0;
    double refused = 0;
    double slow = 0;  // A way of up to some seconds, so that others overtake it.
};

class World {
public:
    explicit World(std::uint64_t seed) : random(seed) {}

    Scheduler scheduler;
    Random random;
    Faults faults;
    Time database_down_until{};
    // A directed schedule decides instead of chance: what becomes of this process's request, which
    // is named ("kafka.commit"). It may freeze the process; what is to be killed is killed next.
    std::function<Fate(Process&, std::string_view op)> director;

    // The process whose thread runs.
    [[nodiscard]] Process& process() const { return scheduler.current()->process; }

    // What becomes of a request that nobody waits for.
    Fate fate(Process& asking, std::string_view op);
    // The process may be killed or frozen here.
    void pass(std::string_view op);
    // Before a request: the same, and what becomes of it. Waits, so that others come first.
    Fate begin(std::string_view op);
    // How long a message is on its way.
    Wait way();
    // What is asked is done at the server, and its answer is waited for; nothing where none comes
    // by `deadline`. `serve` runs between events, whatever has become of the process.
    template <class Answer>
    std::optional<Answer> ask(std::string_view op, Deadline deadline,
                              std::function<Answer()> serve);
    void kill(Process& process);  // Soon: between two events.

    // Of the story. `text` is made only where somebody reads it.
    [[nodiscard]] bool tells() const { return tells_; }
    void tell_all() { tells_ = true; }
    template <class... Args>
    void tell(fmt::format_string<Args...> text, Args&&... args) {
        if (tells_) {
            write(fmt::format(text, std::forward<Args>(args)...));
        }
    }
    // The history is wrong: the first reason counts.
    void fail(std::string reason);
    [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }

    // Of everything that has happened, to prove that a seed gives one history.
    [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }

private:
    bool befall(Process& passing, std::string_view op);
    void write(const std::string& line);
    void note(std::string_view op);

    bool tells_ = false;
    std::optional<std::string> failure_;
    std::uint64_t fingerprint_ = 0;
};

// The one that the simulated processes live in; null outside of a history.
extern World* world;
// Whose first thread is being started.
extern Process* starting_process;

inline Wait ms(std::int64_t milliseconds) { return std::chrono::milliseconds{milliseconds}; }

template <class Answer>
std::optional<Answer> World::ask(std::string_view op, Deadline deadline,
                                 std::function<Answer()> serve) {
    if (scheduler.past()) {
        return std::nullopt;
    }
    const Fate fate = begin(op);
    if (fate == Fate::request_lost || fate == Fate::refused) {
        // A broken connection is noticed at once, a lost message at the deadline.
        const Time until = random.chance(0.5) ? scheduler.now() + way() : deadline.at();
        scheduler.sleep(std::max(until - scheduler.now(), Wait{0}));
        return std::nullopt;
    }
    const auto answer = std::make_shared<std::optional<Answer>>();
    const bool heard = fate == Fate::done;
    const Wait there = fate == Fate::late
                           ? deadline.at() - scheduler.now() + ms(random.below(8'000))
                           : way();
    scheduler.in(there, [this, answer, heard, serve = std::move(serve)] {
        auto given = serve();
        if (heard) {
            scheduler.in(way(), [this, answer, given = std::move(given)]() mutable {
                *answer = std::move(given);
                scheduler.notify(answer.get());
            });
        }
    });
    (void)scheduler.wait(answer.get(), deadline.at());
    return std::move(*answer);
}

}  // namespace sluice::sim
