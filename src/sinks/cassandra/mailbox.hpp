// From the driver's thread to the lane's: what became of chunks. Private to the destination.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "sinks/cassandra/flow.hpp"

namespace sluice::cassandra {

// Outcomes on their way from the driver's thread to the lane's.
class Mailbox {
public:
    struct Mail {
        LoadPtr load;
        WriteOutcome outcome;
    };

    void post(Mail mail) {
        const std::lock_guard lock(mutex_);
        mail_.push_back(std::move(mail));
        changed_.notify_all();
    }
    std::vector<Mail> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(mail_, {});
    }
    void wait(TimePoint until) {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, until, [&] { return !mail_.empty(); });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Mail> mail_;
};

// Keeps chunk and mailbox alive while the driver has them, also past the destination's end.
class ChunkListener final : public WriteListener {
public:
    ChunkListener(std::shared_ptr<Mailbox> mailbox, LoadPtr load)
        : mailbox_(std::move(mailbox)), load_(std::move(load)) {}
    void done(WriteOutcome outcome) noexcept override {
        mailbox_->post({std::move(load_), std::move(outcome)});
    }

private:
    std::shared_ptr<Mailbox> mailbox_;
    LoadPtr load_;
};

}  // namespace sluice::cassandra
