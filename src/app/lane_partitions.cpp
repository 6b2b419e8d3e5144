#include <algorithm>

#include "app/lane_worker.hpp"
#include "base/check.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

// The other members wait for what this one gives away.
constexpr auto revoke_wait = 5s;
constexpr auto commit_wait = 3s;
constexpr auto commit_every = 1s;
constexpr auto fetch_again_after = 2s;

}  // namespace

LanePartition* Lane::Worker::find(const TopicPartition& id) {
    const auto found = partitions_.find(id);
    return found == partitions_.end() ? nullptr : &found->second;
}

std::vector<TopicPartition> Lane::Worker::own_partitions() const {
    std::vector<TopicPartition> all;
    for (const auto& [id, partition] : partitions_) {
        all.push_back(id);
    }
    return all;
}

void Lane::Worker::assigned(std::span<const TopicPartition> partitions) {
    forget(partitions);
    for (const auto& id : partitions) {
        const auto topic = std::ranges::find(topics_, id.topic, &LaneTopic::name);
        if (topic == topics_.end()) {
            // A static member that was restarted with fewer topics, amid a rebalance.
            log_->warn("{} was assigned, which is not read here", id.to_string());
            continue;
        }
        partitions_.insert_or_assign(id, LanePartition{.id = id,
                                                       .route = topic->route,
                                                       .phase = PartitionPhase::assigned,
                                                       .topic_id = topic->id,
                                                       .start = topic->start,
                                                       .beginning = {},
                                                       .position = {},
                                                       .clock = commit::WriteClock{},
                                                       .bound = {},
                                                       .prefix = {},
                                                       .stored = {},
                                                       .committed = {},
                                                       .at_end = false,
                                                       .end = {},
                                                       .fault = {},
                                                       .fetch_at = Deadline::never(),
                                                       .seen_ends = {}});
    }
    next_settle_ = Deadline::in(0s);
}

void Lane::Worker::revoked(std::span<const TopicPartition> partitions) {
    if (ending_) {
        return;  // What is not drained by now is not waited for again.
    }
    const auto deadline = Deadline::in(revoke_wait);
    destination_.release(partitions, deadline);
    handle_events();
    commit_now(partitions, Deadline::in(commit_wait));
    forget(partitions);
}

void Lane::Worker::lost(std::span<const TopicPartition> partitions) {
    destination_.abandon(partitions);
    handle_events();  // What has become durable is counted before it is forgotten.
    forget(partitions);
    log_->warn("{} partitions were lost to other members; what was under way is dropped",
               partitions.size());
}

void Lane::Worker::forget(std::span<const TopicPartition> partitions) {
    last_id_ = nullptr;
    for (const auto& id : partitions) {
        partitions_.erase(id);
        std::erase_if(stopped_, [&](const auto& stopped) { return stopped.partition == id; });
    }
}

bool Lane::Worker::handle_events() {
    const auto events = destination_.take_events();
    for (const auto& event : events) {
        std::visit([this](const auto& what) { handle(what); }, event);
    }
    return !events.empty();
}

void Lane::Worker::handle(const Ready& ready) {
    LanePartition* partition = find(ready.partition);
    if (partition == nullptr || partition->phase != PartitionPhase::acquiring) {
        return;
    }
    if (!destination_.progress_in_group()) {
        partition->clock = commit::WriteClock{};
        partition->prefix.emplace(commit::Pair{ready.next, ClockMicros{0}});
        tell_moved(*partition, ready.next);
        partition->stored = ready.next;
    }
    partition->position = ready.next;
    partition->at_end = false;
    if (is_held(partition->route)) {
        partition->phase = PartitionPhase::held;
        return;
    }
    partition->phase = PartitionPhase::fetching;
    if (auto started = consumer_->start(ready.partition, ready.next); !started) {
        stop_partition(ready.partition, started.error());
    }
}

void Lane::Worker::handle(const Durable& durable) {
    rows_ += durable.rows;
    progress_stored(false);
    for (const auto& [reason, count] : durable.dead_letters) {
        dead_letters_[std::string(reason)] += count;
    }
    LanePartition* partition = find(durable.range.partition);
    if (partition != nullptr && partition->prefix) {
        partition->prefix->durable(durable.range.from, durable.range.to);
        if (!destination_.progress_in_group()) {
            partition->stored = durable.range.to;
        }
    }
}

void Lane::Worker::handle(const Skipped& skipped) {
    std::uint64_t& before = skipped_[skipped.table];
    if (before == 0) {
        log_->warn("table {}: its own triggers returned null for {} rows; they count as done, and "
                   "more of them are not told",
                   skipped.table, skipped.rows);
    }
    before += skipped.rows;
    if (!skipped.dead_letters) {
        skipped_rows_ += skipped.rows;
        rows_ -= std::min(rows_, skipped.rows);
    }
}

// The progress goes up to the record, so that it can be passed over by hand; whoever takes it from
// there gives it the same clock.
void Lane::Worker::handle(const Rejected& rejected) {
    LanePartition* partition = find(rejected.partition);
    if (partition != nullptr && partition->prefix) {
        partition->prefix->cut({rejected.offset, ClockMicros{rejected.clock.value() - 1}});
    }
    stop_partition(rejected.partition, rejected.error);
}

void Lane::Worker::handle(const Refused& refused) {
    stop_partition(refused.partition, refused.error);
}

void Lane::Worker::stop_partition(const TopicPartition& id, const Error& error) {
    LanePartition* partition = find(id);
    if (partition == nullptr || partition->phase == PartitionPhase::stopped) {
        return;
    }
    partition->phase = PartitionPhase::stopped;
    stopped_.push_back({.partition = id, .error = error});
    if (error.action == Action::reject) {
        ++rejected_[std::string(rejection_reason(error))];
    }
    log_->error("partition {} is stopped: {}", id.to_string(), error.message());
    if (auto stopped = consumer_->stop(id); !stopped) {
        log_->warn("{}", stopped.error().message());
    }
}

// The client has ended fetching it by itself, for a reason that may pass.
void Lane::Worker::fetch_later(const kafka::PartitionFault& fault) {
    LanePartition* partition = find(fault.partition);
    if (partition == nullptr || partition->phase != PartitionPhase::fetching) {
        return;
    }
    if (!partition->fault || partition->fault->code != fault.error.code) {
        log_->error("{} can't be fetched, tried again: {}", fault.partition.to_string(),
                    fault.error.message());
    }
    partition->fault = fault.error;
    partition->phase = PartitionPhase::faulted;
    partition->fetch_at = Deadline::in(fetch_again_after);
}

void Lane::Worker::fetch_again() {
    for (auto& [id, partition] : partitions_) {
        if (partition.phase != PartitionPhase::faulted || !partition.fetch_at.passed()) {
            continue;
        }
        partition.phase = is_held(partition.route) ? PartitionPhase::held
                                                   : PartitionPhase::fetching;
        if (partition.phase == PartitionPhase::fetching) {
            if (auto started = consumer_->start(id, partition.position); !started) {
                stop_partition(id, started.error());
            }
        }
    }
}

// What stands for the clock in the partition's pair.
ClockMicros Lane::Worker::clock_of(const LanePartition& partition) {
    return partition.bound ? partition.bound->acknowledged() : partition.prefix->position().clock;
}

kafka::Commit Lane::Worker::commit_of(const LanePartition& partition) const {
    return commit_of(partition, clock_of(partition));
}

kafka::Commit Lane::Worker::commit_of(const LanePartition& partition, ClockMicros clock) const {
    commit::Metadata metadata{.database = destination_.id(),
                              .topic = partition.topic_id,
                              .clock = {},
                              .start = partition.start};
    if (destination_.progress_in_group()) {
        metadata.clock = clock;
    } else {
        metadata.stored = partition.stored;
    }
    return {partition.id, partition.prefix->position().next, commit::to_text(metadata)};
}

Position Lane::Worker::position_of(const LanePartition& partition) const {
    return {.partition = partition.id,
            .topic_id = partition.topic_id,
            .next = partition.prefix->position().next,
            .clock = clock_of(partition),
            .start = partition.start};
}

// Sends what has become durable since the last commit, every second. Built from what is ours
// now: the broker would take a member's commit for any partition.
void Lane::Worker::commit_progress(bool wait) {
    const auto result = consumer_->take_commit_result();
    if (result && *result) {
        progress_stored(true);
    } else if (result) {
        log_->warn("progress was not committed to the group, tries again: {}",
                   result->error().message());
        for (auto& [id, partition] : partitions_) {
            partition.committed.reset();
        }
    }
    if (consumer_->commit_pending()) {
        if (!wait) {
            return;
        }
        // Nobody will read that one's answer.
        for (auto& [id, partition] : partitions_) {
            partition.committed.reset();
        }
    }
    if (!wait && !next_commit_.passed()) {
        return;
    }
    next_commit_ = Deadline::in(commit_every);
    std::vector<kafka::Commit> commits;
    std::vector<Position> positions;
    for (auto& [id, partition] : partitions_) {
        if (!partition.prefix) {
            continue;
        }
        const commit::Pair pair{partition.prefix->position().next, clock_of(partition)};
        if (partition.committed != pair) {
            commits.push_back(commit_of(partition));
            positions.push_back(position_of(partition));
            partition.committed = pair;
        }
    }
    if (commits.empty()) {
        return;
    }
    destination_.save(positions);
    const auto sent = wait ? consumer_->commit(commits, Deadline::in(commit_wait))
                           : consumer_->commit_async(commits);
    if (sent && wait) {
        progress_stored(true);
    } else if (!sent) {
        log_->warn("progress was not committed to the group: {}", sent.error().message());
        for (const auto& commit : commits) {
            find(commit.partition)->committed.reset();
        }
    }
}

void Lane::Worker::commit_now(std::span<const TopicPartition> partitions, Deadline deadline) {
    std::vector<kafka::Commit> commits;
    for (const auto& id : partitions) {
        const LanePartition* partition = find(id);
        if (partition != nullptr && partition->prefix) {
            commits.push_back(commit_of(*partition));
        }
    }
    if (commits.empty()) {
        return;
    }
    if (auto committed = consumer_->commit(commits, deadline); !committed) {
        log_->warn("progress was not committed while partitions were given away: {}",
                   committed.error().message());
    } else {
        progress_stored(true);
    }
}

// With the rows, or by a commit to the group: only the one that the destination goes by counts.
void Lane::Worker::progress_stored(bool in_group) {
    if (in_group == destination_.progress_in_group()) {
        progressed_ = std::chrono::steady_clock::now();
    }
}

}  // namespace sluice
