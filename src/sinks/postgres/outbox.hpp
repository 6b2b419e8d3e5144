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
    explicit Outbox(Bytes room) : room_(room.value()) {}

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
        used_ += bytes;
    }
    void vacate(std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        used_ -= bytes;
        changed_.notify_all();
    }
    // True with room; false at the deadline, or earlier when an event wants to be taken.
    bool wait_for_room(Deadline deadline) {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, deadline.at(), [&] { return used_ < room_ || !events_.empty(); });
        return used_ < room_;
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
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<DestinationEvent> events_;
    std::size_t used_ = 0;
    std::size_t room_;
    WriteCounts counts_;
};

}  // namespace sluice::postgres
