// Events on their way from a destination's threads to its lane, the bytes that wait in it, and the
// counts of what its threads did.
// Safe to use from any thread.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

#include "base/deadline.hpp"
#include "sinks/destination.hpp"

namespace sluice::postgres {

class Outbox {
public:
    Outbox(Bytes room, std::size_t routes) : room_(room), routes_(routes) {}

    void post(DestinationEvent event) {
        const std::lock_guard lock(mutex_);
        events_.push_back(std::move(event));
        changed_.notify_all();
    }
    // Together: nobody sees some of them without the others.
    void post(std::vector<DestinationEvent> events) {
        const std::lock_guard lock(mutex_);
        std::ranges::move(events, std::back_inserter(events_));
        changed_.notify_all();
    }
    std::vector<DestinationEvent> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(events_, {});
    }

    void occupy(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        waiting_.moving += bytes;
    }
    void vacate(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        waiting_.moving -= bytes;
        changed_.notify_all();
    }
    // The same for what is set aside.
    void occupy_aside(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        waiting_.aside += bytes;
    }
    void vacate_aside(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        waiting_.aside -= bytes;
        changed_.notify_all();
    }
    [[nodiscard]] WaitingBytes waiting() const {
        const std::lock_guard lock(mutex_);
        return waiting_;
    }
    // True with room; false at the deadline, or earlier when an event wants to be taken.
    bool wait_for_room(Deadline deadline) {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, deadline.at(), [&] { return has_room() || !events_.empty(); });
        return has_room();
    }

    void count_batch() {
        const std::lock_guard lock(mutex_);
        ++counts_.batches;
    }
    void count_fenced() {
        const std::lock_guard lock(mutex_);
        ++counts_.fenced;
    }
    void count_retry(const Error& error) {
        const std::lock_guard lock(mutex_);
        ++counts_.retries[retry_class(error)];
    }
    [[nodiscard]] WriteCounts counts() const {
        const std::lock_guard lock(mutex_);
        return counts_;
    }

private:
    [[nodiscard]] bool has_room() const {
        return waiting_.moving < room_beside(waiting_.aside, room_, routes_);
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<DestinationEvent> events_;
    WaitingBytes waiting_;
    Bytes room_;
    std::size_t routes_;
    WriteCounts counts_;
};

}  // namespace sluice::postgres
