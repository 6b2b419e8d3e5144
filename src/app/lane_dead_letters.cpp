// What becomes of records that their tables can't take, where a table or a topic of dead letters
// does.
#include "app/lane_worker.hpp"
#include "base/failpoint.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto tell_every = 1s;
// Between two looks at the group and at the destination while dead letters wait for their topic.
constexpr auto settle_slice = 100ms;

}  // namespace

// Hands the record to the dead letters in place of its tables.
Result<void> Lane::Worker::bury(LanePartition& partition, const Record& record, ClockMicros clock,
                                const Error& error) {
    failpoint("dead_letter.before_write");
    SLUICE_TRY(destination_.bury(partition.route, record, clock, error));
    ++handed_over_;
    unsettled_ = lane_.options_.dead_letter_topic != nullptr;
    tell_buried(error);
    return {};
}

void Lane::Worker::tell_buried(const Error& error) {
    ++untold_;
    if (next_tell_.passed()) {
        log_->warn("{} to the dead letters, the last one: {}",
                   untold_ == 1 ? "a record goes" : std::to_string(untold_) + " records go",
                   error.message());
        untold_ = 0;
        next_tell_ = Deadline::in(tell_every);
    }
}

void Lane::Worker::handle(const Buried& buried) { tell_buried(buried.error); }

// Before anything that follows a dead letter is on its way, its topic has acknowledged it. False
// when the lane must end without that.
bool Lane::Worker::settle_dead_letters() {
    while (unsettled_) {
        auto settled = lane_.options_.dead_letter_topic->settle(Deadline::in(settle_slice));
        if (settled) {
            unsettled_ = false;
            break;
        }
        if (!waiting_dead_letters_ || waiting_dead_letters_->detail != settled.error().detail) {
            log_->warn("waits: {}", settled.error().message());
        }
        waiting_dead_letters_ = std::move(settled).error();
        serve();
        handle_events();
        commit_progress(false);
        watch_topics();
        if (next_publish_.passed()) {
            publish();
        }
        if (fatal_ || lane_.stopping_) {
            return false;
        }
    }
    if (waiting_dead_letters_) {
        log_->info("the dead letters' topic takes them again");
        waiting_dead_letters_.reset();
    }
    return true;
}

}  // namespace sluice
