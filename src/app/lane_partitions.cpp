#include <algorithm>

#include "app/lane_worker.hpp"
#include "base/check.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

// Below the group's session timeout (8 s), so that the broker still takes the commit.
constexpr auto revoke_wait = 5s;
constexpr auto commit_wait = 3s;
constexpr auto settle_wait = 5s;
constexpr auto settle_again = 1s;
constexpr auto commit_every = 1s;

}  // namespace

LanePartition* Lane::Worker::find(const TopicPartition& id) {
    const auto found = partitions_.find(id);
    return found == partitions_.end() ? nullptr : &found->second;
}

void Lane::Worker::assigned(std::span<const TopicPartition> partitions) {
    last_id_ = nullptr;
    for (const auto& id : partitions) {
        const auto topic = std::ranges::find(topics_, id.topic, &LaneTopic::name);
        check(topic != topics_.end(), "only subscribed topics are assigned");
        partitions_.insert_or_assign(id, LanePartition{.id = id,
                                                       .route = topic->route,
                                                       .phase = PartitionPhase::assigned,
                                                       .topic_id = topic->id,
                                                       .start = topic->start,
                                                       .beginning = {},
                                                       .position = {},
                                                       .clock = commit::WriteClock{},
                                                       .prefix = {},
                                                       .committed = {},
                                                       .at_end = false,
                                                       .seen_ends = {}});
    }
    next_settle_ = Deadline::in(0s);
}

void Lane::Worker::revoked(std::span<const TopicPartition> partitions) {
    const auto deadline = Deadline::in(revoke_wait);
    destination_.release(partitions, deadline);
    handle_events();
    commit_now(partitions, Deadline::in(commit_wait));
    last_id_ = nullptr;
    for (const auto& id : partitions) {
        partitions_.erase(id);
    }
}

void Lane::Worker::lost(std::span<const TopicPartition> partitions) {
    destination_.abandon(partitions);
    last_id_ = nullptr;
    for (const auto& id : partitions) {
        partitions_.erase(id);
    }
    log_->warn("{} partitions were lost to other members; what was under way is dropped",
               partitions.size());
}

// Asks for the progress of partitions that are ours but not yet known; tries again later where
// a server does not answer. Not done inside of the rebalance, which must not wait.
void Lane::Worker::settle_assigned() {
    if (!next_settle_.passed()) {
        return;
    }
    next_settle_ = Deadline::in(settle_again);
    std::vector<TopicPartition> waiting;
    for (const auto& [id, partition] : partitions_) {
        if (partition.phase == PartitionPhase::assigned) {
            waiting.push_back(id);
        }
    }
    if (waiting.empty()) {
        return;
    }
    if (auto settled = settle(waiting); !settled) {
        log_->warn("{} partitions wait for their progress: {}", waiting.size(),
                   settled.error().message());
    }
}

Result<void> Lane::Worker::settle(std::span<const TopicPartition> partitions) {
    const auto deadline = Deadline::in(settle_wait);
    SLUICE_ASSIGN(const auto committed, consumer_->committed(partitions, deadline));
    SLUICE_ASSIGN(const auto beginnings,
                  consumer_->admin().offsets(partitions, kafka::Earliest{}, deadline));
    for (std::size_t i = 0; i < partitions.size(); ++i) {
        LanePartition* partition = find(partitions[i]);
        check(partition != nullptr, "the partition is still ours");
        partition->beginning = beginnings[i];
        SLUICE_TRY(settle_one(*partition, committed[i]));
    }
    return {};
}

Result<void> Lane::Worker::settle_one(LanePartition& partition, const kafka::Committed& committed) {
    const auto metadata = commit::parse_metadata(committed.metadata);
    if (metadata && metadata->database != destination_.id()) {
        stop_partition(partition.id,
                       {.action = Action::stop,
                        .op = "lane.assign",
                        .where = partition.id.to_string(),
                        .code = {},
                        .detail = "another process of this pipeline writes into another database",
                        .hint = "give one of them another pipeline name"});
        return {};
    }
    AcquireRequest request{.partition = partition.id,
                           .topic_id = partition.topic_id,
                           .beginning = partition.beginning,
                           .next = {}};
    if (destination_.progress_in_group()) {
        if (metadata && metadata->topic != partition.topic_id) {
            stop_remade_topic(partition.id);
            return {};
        }
        SLUICE_ASSIGN(const auto start, decide_start(partition, committed));
        if (!start) {
            return {};  // A new partition whose turn has not come: settled again in a second.
        }
        partition.clock = commit::WriteClock(start->pair.clock);
        partition.prefix.emplace(start->pair);
        if (start->commit_first) {
            const std::array first{commit_of(partition)};
            SLUICE_TRY(consumer_->commit(first, Deadline::in(settle_wait)));
        }
        request.next = start->pair.next;
    }
    partition.phase = PartitionPhase::acquiring;
    destination_.acquire(request);
    return {};
}

void Lane::Worker::stop_remade_topic(const TopicPartition& id) {
    stop_partition(id, {.action = Action::stop,
                        .op = "lane.assign",
                        .where = id.to_string(),
                        .code = {},
                        .detail = "the topic was deleted and made again since this pipeline read "
                                  "it: its offsets mean other records now",
                        .hint = "`sluice reset --lane " + lane_.options_.name + "` starts afresh"});
}

Result<std::optional<commit::Start>> Lane::Worker::decide_start(LanePartition& partition,
                                                                const kafka::Committed& committed) {
    commit::Known known;
    if (committed.next) {
        known.group = {*committed.next, commit::parse_metadata(committed.metadata)};
    }
    if (auto start = commit::start_known(known)) {
        return start;
    }
    SLUICE_ASSIGN(const auto stored,
                  destination_.stored(partition.id.topic, Deadline::in(settle_wait)));
    const auto copy = std::ranges::find(stored, partition.id, &Position::partition);
    // The broker forgets a deleted topic's commits, the database's copy stays.
    if (copy != stored.end() && copy->topic_id != partition.topic_id) {
        stop_remade_topic(partition.id);
        return std::optional<commit::Start>{};
    }
    if (copy != stored.end() && copy->clock) {
        known.stored = commit::Pair{copy->next, *copy->clock};
        return commit::start_known(known);
    }
    return decide_new(partition);
}

Result<std::optional<commit::Start>> Lane::Worker::decide_new(LanePartition& partition) {
    const std::array names{partition.id.topic};
    const auto deadline = Deadline::in(settle_wait);
    SLUICE_ASSIGN(const auto topics, consumer_->admin().describe(names, deadline));
    std::vector<TopicPartition> others;
    for (std::int32_t p = 0; p < topics.front().partitions; ++p) {
        if (PartitionId{p} != partition.id.partition) {
            others.push_back({partition.id.topic, PartitionId{p}});
        }
    }
    SLUICE_ASSIGN(const auto committed, consumer_->committed(others, deadline));
    if (partition.seen_ends.empty()) {
        // Partitions that are as new as this one hold each other up no further: only those that
        // have a pair are waited for.
        SLUICE_ASSIGN(const auto ends,
                      consumer_->admin().offsets(others, kafka::Latest{}, deadline));
        for (std::size_t i = 0; i < others.size(); ++i) {
            if (committed[i].next) {
                partition.seen_ends.emplace_back(others[i], ends[i]);
            }
        }
        log_->info("{} is new: it starts when the other partitions have come to where they ended "
                   "when it was found",
                   partition.id.to_string());
    }
    std::vector<commit::Other> known;
    for (const auto& [id, end] : partition.seen_ends) {
        const auto entry = std::ranges::find(committed, id, &kafka::Committed::partition);
        commit::Other other{.group = {}, .seen_end = end};
        if (entry != committed.end() && entry->next) {
            other.group = {*entry->next, commit::parse_metadata(entry->metadata)};
        }
        known.push_back(other);
    }
    return commit::start_new(partition.beginning, known);
}

void Lane::Worker::handle_events() {
    for (const auto& event : destination_.take_events()) {
        std::visit([this](const auto& what) { handle(what); }, event);
    }
}

void Lane::Worker::handle(const Ready& ready) {
    LanePartition* partition = find(ready.partition);
    if (partition == nullptr || partition->phase != PartitionPhase::acquiring) {
        return;
    }
    if (!destination_.progress_in_group()) {
        partition->clock = commit::WriteClock{};
        partition->prefix.emplace(commit::Pair{ready.next, ClockMicros{0}});
    }
    partition->position = ready.next;
    partition->at_end = false;
    if (waiting_routes_.contains(partition->route)) {
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
    LanePartition* partition = find(durable.range.partition);
    if (partition != nullptr && partition->prefix) {
        partition->prefix->durable(durable.range.from, durable.range.to);
    }
}

void Lane::Worker::handle(const Fenced& fenced) {
    LanePartition* partition = find(fenced.partition);
    if (partition == nullptr || partition->phase == PartitionPhase::stopped) {
        return;
    }
    log_->warn("{}: somebody else has moved it on; reads its progress again",
               fenced.partition.to_string());
    if (auto stopped = consumer_->stop(fenced.partition); !stopped) {
        stop_partition(fenced.partition, stopped.error());
        return;
    }
    partition->prefix.reset();
    partition->phase = PartitionPhase::assigned;
}

void Lane::Worker::handle(const Rejected& rejected) {
    stop_partition(rejected.partition, rejected.error);
}

void Lane::Worker::handle(const Refused& refused) {
    stop_partition(refused.partition, refused.error);
}

void Lane::Worker::handle(const Waiting& waiting) {
    if (!waiting.route) {
        if (waiting.error && !waiting_database_) {
            log_->warn("waits: {}", waiting.error->message());
        } else if (!waiting.error && waiting_database_) {
            log_->info("goes on");
        }
        waiting_database_ = waiting.error;
        return;
    }
    const std::uint32_t route = *waiting.route;
    if (waiting.error) {
        log_->error("tables of route {} can't be written, tried again: {}", route + 1,
                    waiting.error->message());
        waiting_routes_.insert_or_assign(route, *waiting.error);
    } else {
        log_->info("tables of route {} can be written again", route + 1);
        waiting_routes_.erase(route);
    }
    for (auto& [id, partition] : partitions_) {
        if (partition.route != route) {
            continue;
        }
        Result<void> done;
        if (waiting.error && partition.phase == PartitionPhase::fetching) {
            partition.phase = PartitionPhase::held;
            done = consumer_->stop(id);
        } else if (!waiting.error && partition.phase == PartitionPhase::held) {
            partition.phase = PartitionPhase::fetching;
            done = consumer_->start(id, partition.position);
        }
        if (!done) {
            stop_partition(id, done.error());
        }
    }
}

void Lane::Worker::stop_partition(const TopicPartition& id, const Error& error) {
    LanePartition* partition = find(id);
    if (partition == nullptr || partition->phase == PartitionPhase::stopped) {
        return;
    }
    partition->phase = PartitionPhase::stopped;
    stopped_.push_back({id, error});
    log_->error("partition {} is stopped: {}", id.to_string(), error.message());
    if (auto stopped = consumer_->stop(id); !stopped) {
        log_->warn("{}", stopped.error().message());
    }
}

kafka::Commit Lane::Worker::commit_of(const LanePartition& partition) const {
    const commit::Pair pair = partition.prefix->position();
    commit::Metadata metadata{.database = destination_.id(),
                              .topic = partition.topic_id,
                              .clock = {},
                              .start = partition.start};
    if (destination_.progress_in_group()) {
        metadata.clock = pair.clock;
    }
    return {partition.id, pair.next, commit::to_text(metadata)};
}

Position Lane::Worker::position_of(const LanePartition& partition) const {
    return {.partition = partition.id,
            .topic_id = partition.topic_id,
            .next = partition.prefix->position().next,
            .clock = partition.prefix->position().clock,
            .start = partition.start};
}

// Sends what has become durable since the last commit, every second. Built from what is ours
// now: the broker would take a member's commit for any partition.
void Lane::Worker::commit_progress(bool wait) {
    if (const auto result = consumer_->take_commit_result(); result && !*result) {
        log_->warn("progress was not committed to the group, tries again: {}",
                   result->error().message());
        for (auto& [id, partition] : partitions_) {
            partition.committed.reset();
        }
    }
    if (!wait && (!next_commit_.passed() || consumer_->commit_pending())) {
        return;
    }
    next_commit_ = Deadline::in(commit_every);
    std::vector<kafka::Commit> commits;
    std::vector<Position> positions;
    for (auto& [id, partition] : partitions_) {
        if (partition.prefix && partition.committed != partition.prefix->position()) {
            commits.push_back(commit_of(partition));
            positions.push_back(position_of(partition));
            partition.committed = partition.prefix->position();
        }
    }
    if (commits.empty()) {
        return;
    }
    destination_.save(positions);
    const auto sent = wait ? consumer_->commit(commits, Deadline::in(commit_wait))
                           : consumer_->commit_async(commits);
    if (!sent) {
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
    }
}

}  // namespace sluice
