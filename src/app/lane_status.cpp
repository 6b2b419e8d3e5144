// What a lane tells of itself.
#include <algorithm>

#include "app/lane_worker.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto publish_every = 100ms;

Error waits_for_others(const TopicPartition& id) {
    return {.action = Action::retry,
            .op = "lane.assign",
            .where = id.to_string(),
            .code = {},
            .detail = "the partition is new, and starts when the others have come to where they "
                      "ended when it was found",
            .hint = {}};
}

Error lacks_leader(const TopicPartition& id) {
    return {.action = Action::retry,
            .op = "lane.assign",
            .where = id.to_string(),
            .code = {},
            .detail = "the partition has no leader",
            .hint = "it goes on when one of its brokers is back"};
}

}  // namespace

std::uint64_t LaneStatus::all_dead_letters() const {
    std::uint64_t sum = 0;
    for (const auto& [reason, count] : dead_letters) {
        sum += count;
    }
    return sum;
}

void Lane::Worker::publish() {
    next_publish_ = Deadline::in(publish_every);
    LaneStatus now = observed();
    const std::lock_guard lock(lane_.mutex_);
    LaneStatus& status = lane_.status_;
    now.name = std::move(status.name);
    now.phase = status.phase;
    now.started = status.started;
    if (now.phase != LanePhase::running) {
        now.waiting = std::move(status.waiting);
    }
    std::swap(status, now);  // What was published before dies without the lock.
}

// All but what the lane's phases are.
LaneStatus Lane::Worker::observed() const {
    LaneStatus status;
    status.records = records_;
    status.bytes = bytes_;
    status.mapped = mapped_;
    status.rows = rows_;
    status.dead_letters = dead_letters_;
    status.skipped = skipped_rows_;
    status.waiting = trouble();
    status.stopped = stopped_;
    status.fetched = consumer_ ? consumer_->queued() : 0;
    status.waiting_rows = destination_.waiting();
    status.writes = destination_.counts();
    for (const auto& [why, times] : starts_) {
        status.writes.retries[why] += times;
    }
    status.rejected = rejected_;
    status.rewound = rewound_;
    status.progressed = progressed_;
    status.at = std::chrono::steady_clock::now();
    auto partitions = owned();
    for (const auto& partition : partitions) {
        status.lag += partition.lag.value_or(0);
    }
    status.partitions = std::make_shared<const std::vector<PartitionStatus>>(std::move(partitions));
    return status;
}

std::vector<PartitionStatus> Lane::Worker::owned() const {
    std::vector<PartitionStatus> all;
    for (const auto& [id, partition] : partitions_) {
        if (!consumer_) {
            break;  // Given away.
        }
        all.push_back({.id = id, .phase = partition.phase, .lag = {}});
        if (partition.prefix) {
            all.back().lag = lag_of(partition);
        }
    }
    return all;
}

std::uint64_t Lane::Worker::lag_of(const LanePartition& partition) const {
    const Offset next = partition.prefix->position().next;
    Offset end = std::max(partition.end.value_or(next), next);
    // At the end nothing is behind, though the watermark counts what an open transaction wrote.
    if (!partition.at_end || !partition.prefix->complete()) {
        end = std::max(end, consumer_->high_watermark(partition.id).value_or(next));
    }
    return static_cast<std::uint64_t>(end.value() - next.value());
}

// What keeps the lane, or a part of it, from going on at the moment.
std::optional<Error> Lane::Worker::trouble() const {
    if (waiting_database_) {
        return waiting_database_;
    }
    if (waiting_dead_letters_) {
        return waiting_dead_letters_;
    }
    if (!waiting_routes_.empty()) {
        return waiting_routes_.begin()->second.error;
    }
    for (const auto& [id, partition] : partitions_) {
        if (partition.phase == PartitionPhase::faulted) {
            return partition.fault;
        }
        if (partition.phase == PartitionPhase::assigned && !partition.seen_ends.empty()) {
            return waits_for_others(id);
        }
        if (leaderless_.contains(id)) {
            return lacks_leader(id);
        }
    }
    return kafka_trouble_;
}

void Lane::Worker::set_phase(LanePhase phase) {
    const std::lock_guard lock(lane_.mutex_);
    lane_.status_.phase = phase;
    lane_.status_.started = lane_.status_.started || phase == LanePhase::running;
}

void Lane::Worker::set_waiting(std::optional<Error> error) {
    const std::lock_guard lock(lane_.mutex_);
    lane_.status_.waiting = std::move(error);
}

}  // namespace sluice
