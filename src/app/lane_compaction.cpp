// A lane whose progress is a pair of offset and clock, on a compacted topic: the pair's clock is a
// bound there (commit/bound.hpp), raised before anything is written above it.
#include "app/lane_worker.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto raise_wait = 3s;

}  // namespace

// Asked whenever partitions are assigned: the policy of a topic may be changed.
Result<void> Lane::Worker::look_for_compaction(Deadline deadline) {
    if (!destination_.progress_in_group()) {
        return {};
    }
    const auto names = topic_names();
    SLUICE_ASSIGN(const auto told, consumer_->admin().compacted(names, deadline));
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (!told[i].value_or(true)) {
            compacted_.erase(names[i]);
            continue;
        }
        if (compacted_.insert(names[i]).second) {
            log_->info("topic '{}' {} compacted: the write times of its rows may be up to a day "
                       "ahead of its records' times after a crash",
                       names[i],
                       told[i] ? "is" : "may be (its configuration can't be read), and counts as");
        }
    }
    return {};
}

// Before the poll is delivered. Where the group does not acknowledge a bound its partition is
// settled again, from where its progress stands.
void Lane::Worker::raise_bounds(const kafka::Poll& poll) {
    if (compacted_.empty()) {
        return;
    }
    std::unordered_map<TopicPartition, commit::WriteClock> ahead;
    for (const auto& record : poll.records()) {
        const LanePartition* partition = find(*record.partition);
        if (partition != nullptr && partition->phase == PartitionPhase::fetching &&
            partition->bound) {
            ahead.try_emplace(partition->id, partition->clock)
                .first->second.tick(record.timestamp_ms);
        }
    }
    std::erase_if(ahead, [this](const auto& entry) {
        return find(entry.first)->bound->covers(entry.second.last());
    });
    if (ahead.empty()) {
        return;
    }
    std::vector<kafka::Commit> commits;
    std::vector<std::pair<LanePartition*, ClockMicros>> raised;
    for (const auto& [id, clock] : ahead) {
        LanePartition* partition = find(id);
        const ClockMicros bound = partition->bound->beyond(clock.last());
        raised.emplace_back(partition, bound);
        commits.push_back(commit_of(*partition, bound));
    }
    const auto acknowledged = consumer_->commit(commits, Deadline::in(raise_wait));
    if (!acknowledged) {
        log_->warn("{} partitions of compacted topics wait for the group's coordinator: {}",
                   raised.size(), acknowledged.error().message());
    }
    for (const auto& [partition, bound] : raised) {
        if (acknowledged) {
            partition->bound->acknowledge(bound);
            partition->committed = {partition->prefix->position().next, bound};
        } else {
            acquire_again(*partition);
        }
    }
}

}  // namespace sluice
