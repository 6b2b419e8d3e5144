// Virtual time, the simulated processes and their threads. What comes next is the earliest event;
// nothing else moves time on. One history, one scheduler.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "simulator/fiber.hpp"

namespace sluice::sim {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Wait = Clock::duration;

// Goes through the stacks of a process that is killed. Whatever its destructors ask of the world
// is not done any more.
struct Killed {};

struct Process;

// One thread of a process.
struct Task {
    explicit Task(Process& owner) : process(owner) {}
    Process& process;
    std::unique_ptr<Fiber> fiber;
    std::uint64_t wake = 0;           // The only event that may wake it.
    const void* waits_for = nullptr;  // Address of what it waits for.
    bool notified = false;
    bool killed = false;
};

struct Process {
    int number = 0;
    bool alive = true;
    Time frozen_until{};
    std::vector<std::shared_ptr<Task>> tasks;
};

class Scheduler {
public:
    [[nodiscard]] Time now() const { return now_; }
    void at(Time when, std::function<void()> what);
    void in(Wait wait, std::function<void()> what) { at(now_ + wait, std::move(what)); }
    // As `in`, for what reaches a process from outside: it waits while the process is frozen, and
    // comes also when it is dead.
    void deliver(Wait wait, Process& process, std::function<void()> what);

    std::shared_ptr<Task> spawn(Process& process, std::function<void()> body);
    [[nodiscard]] bool ended(const Task* task) const;
    // The thread that runs now; null between two events.
    [[nodiscard]] Task* current() const { return current_; }
    // True where what runs is the end of a process that was killed, or no thread at all: nothing
    // can be waited for.
    [[nodiscard]] bool past() const { return current_ == nullptr || current_->killed; }

    // From within a thread.
    void sleep(Wait wait);
    // False at `until`.
    bool wait(const void* address, Time until);
    void notify(const void* address);

    // Between two events: the process ends where it stands.
    void kill(Process& process);
    void freeze(Process& process, Wait wait);

    // Runs until `done`, or `limit`; false at the limit, or when nothing is left to happen.
    bool run(const std::function<bool()>& done, Time limit);
    // Runs what is left to happen by `limit`.
    void run_out(Time limit);
    // Forgets what was to happen.
    void clear() { events_.clear(); }

private:
    struct Event {
        Time when;
        std::uint64_t sequence;
        std::function<void()> what;
        bool operator<(const Event& other) const {
            return when != other.when ? when > other.when : sequence > other.sequence;
        }
    };
    void step();
    void wake_at(Task& task, Time when);
    void resume(Task& task);
    void suspend();

    Time now_{std::chrono::seconds{1'000}};
    std::uint64_t sequence_ = 0;
    std::uint64_t wakes_ = 0;
    std::vector<Event> events_;  // A heap.
    std::vector<std::shared_ptr<Task>> waiting_;
    Task* current_ = nullptr;
};

}  // namespace sluice::sim
