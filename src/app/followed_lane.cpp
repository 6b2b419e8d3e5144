#include "app/followed_lane.hpp"

#include <chrono>
#include <map>
#include <utility>

#include "app/sampler.hpp"
#include "app/wiring.hpp"

namespace sluice {
namespace {

template <class Key>
void add(std::map<Key, std::uint64_t>& to, const std::map<Key, std::uint64_t>& more) {
    for (const auto& [key, count] : more) {
        to[key] += count;
    }
}

// The counters of `more`, added.
void add(LaneStatus& to, const LaneStatus& more) {
    to.records += more.records;
    to.bytes += more.bytes;
    to.mapped += more.mapped;
    to.rows += more.rows;
    to.skipped += more.skipped;
    to.rewound += more.rewound;
    to.writes.batches += more.writes.batches;
    to.writes.fenced += more.writes.fenced;
    add(to.writes.retries, more.writes.retries);
    add(to.dead_letters, more.dead_letters);
    add(to.rejected, more.rejected);
}

}  // namespace

FollowedLane::FollowedLane(const Config& config, std::string name, bool until_end)
    : config_(config), name_(std::move(name)), until_end_(until_end) {}

void FollowedLane::start() {
    if (finds_topics(config_)) {
        watch_ = std::make_unique<TopicWatch>(config_, name_, make_logger("topics"));
        return;
    }
    next_ = expand(config_, {}).config;
    follow();
}

void FollowedLane::follow() {
    auto found = watch_ && !stopping_ ? watch_->take() : std::nullopt;
    if (found) {
        next_ = std::move(found);
        if (until_end_) {
            watch_.reset();  // What is there now is read to its end.
        }
        if (lane_) {
            lane_->stop(Deadline::in(std::chrono::milliseconds{config_.drain_timeout_ms}),
                        kafka::Membership::kept);
        }
    }
    if (!next_ || stopping_) {
        return;
    }
    if (lane_) {
        if (lane_->status().phase != LanePhase::ended) {
            return;
        }
        lane_->join();
        add(before_, lane_->status());
        before_.started = true;
    }
    lane_ = make_lane(*next_, name_, until_end_, shape_finder(*next_));
    next_.reset();
    lane_->start();
}

void FollowedLane::stop(Deadline deadline, kafka::Membership membership) {
    stopping_ = true;
    if (watch_) {
        watch_->end();
    }
    if (lane_) {
        lane_->stop(deadline, membership);
    }
}

void FollowedLane::join() {
    watch_.reset();
    if (lane_) {
        lane_->join();
    }
}

LaneStatus FollowedLane::status() const {
    LaneStatus status;
    if (lane_) {
        status = lane_->status();
    } else {
        status.name = name_;
        status.phase = stopping_ ? LanePhase::ended : LanePhase::starting;
        status.waiting = watch_ ? watch_->trouble() : std::nullopt;
    }
    if (replacing()) {
        status.phase = status.phase == LanePhase::ended ? LanePhase::starting : status.phase;
    }
    status.started = status.started || before_.started;
    add(status, before_);
    return status;
}

}  // namespace sluice
