// How a partition that was assigned comes to its position.
#include <algorithm>
#include <array>

#include "app/lane_worker.hpp"
#include "base/check.hpp"
#include "base/failpoint.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto settle_wait = 5s;
constexpr auto settle_again = 1s;
constexpr auto settle_again_max = 10s;
constexpr auto topic_check_every = 5s;
constexpr auto topic_check_wait = 1s;
// Two looks may be without an answer.
constexpr auto topic_known_for = 3 * (topic_check_every + topic_check_wait);

Error waits_for_stopped(const TopicPartition& waiting, const TopicPartition& stopped) {
    return {.action = Action::stop,
            .op = "lane.assign",
            .where = waiting.to_string(),
            .code = {},
            .detail = "the partition is new, and starts when " + stopped.to_string() +
                      " has come to where it ended then; but that one is stopped",
            .hint = "mend what stopped it, and start again"};
}

}  // namespace

// A topic that is made again keeps its name, and the client goes on in it at the old offset.
void Lane::Worker::watch_topics() {
    if (!next_topic_check_.passed()) {
        return;
    }
    const auto known = Deadline::in(topic_known_for);
    const auto described = consumer_->admin().describe(topic_names(),
                                                       Deadline::in(topic_check_wait));
    next_topic_check_ = Deadline::in(topic_check_every);
    if (!described) {
        return;  // The client tells by itself that no broker answers.
    }
    if (kafka_trouble_ &&
        (kafka_trouble_->action == Action::retry || kafka_trouble_->code == "_AUTHENTICATION")) {
        log_->info("kafka answers again");
        kafka_trouble_.reset();
    }
    note_topics(*described, known);
    ask_ends();
}

// `described`: all of the lane's topics, in its order. `known`: from when they were asked for on.
void Lane::Worker::note_topics(std::span<const kafka::TopicInfo> described, Deadline known) {
    topics_known_ = known;
    for (std::size_t i = 0; i < topics_.size(); ++i) {
        LaneTopic& topic = topics_[i];
        const kafka::TopicInfo& info = described[i];
        note_leaders(info);
        if (info.error || info.id == topic.id) {
            note_growth(topic, info.partitions);
            continue;
        }
        topic.id = info.id;
        for (std::int32_t p = 0; p < std::max(topic.partitions, info.partitions); ++p) {
            stop_remade_topic({topic.name, PartitionId{p}});
        }
    }
}

// After a standstill in which nobody has looked whether the topics are the same, and while no
// broker tells: what was fetched is fetched again when one does.
void Lane::Worker::drop_unsure(const kafka::Poll& poll) {
    const auto drop = [this](const TopicPartition& id) {
        LanePartition* partition = find(id);
        if (partition != nullptr && partition->phase == PartitionPhase::fetching) {
            log_->warn("{} is read again from its progress: for {} s nobody has told whether its "
                       "topic is the same",
                       id.to_string(), topic_known_for.count());
            acquire_again(*partition);
        }
    };
    for (const auto& record : poll.records()) {
        drop(*record.partition);
    }
    for (const auto& end : poll.ends()) {
        drop(end.partition);  // The client tells an end once.
    }
    for (const auto& fault : poll.faults()) {
        handle(fault);
    }
}

// The client learns of a partition's end by fetching; one that waits is not fetched.
void Lane::Worker::ask_ends() {
    std::vector<TopicPartition> ours;
    for (const auto& [id, partition] : partitions_) {
        const bool fetched = partition.phase == PartitionPhase::fetching && !waiting_database_ &&
                             !waiting_dead_letters_;
        if (partition.prefix && !fetched && !leaderless_.contains(id)) {
            ours.push_back(id);
        }
    }
    const auto ends = consumer_->admin().offsets(ours, kafka::Latest{},
                                                 Deadline::in(topic_check_wait));
    for (std::size_t i = 0; ends && i < ours.size(); ++i) {
        find(ours[i])->end = (*ends)[i];
    }
}

// What of the log this lane needs and Kafka has no more; empty where no broker tells.
std::string Lane::Worker::gap_before(const TopicPartition& id) {
    const auto* partition = find(id);
    const auto began = consumer_->admin().offsets({&id, 1}, kafka::Earliest{},
                                                  Deadline::in(topic_check_wait));
    const auto ended = consumer_->admin().offsets({&id, 1}, kafka::Latest{},
                                                  Deadline::in(topic_check_wait));
    if (partition == nullptr || !began || !ended) {
        return {};
    }
    const std::int64_t next = partition->position.value();
    const std::int64_t begin = began->front().value();
    const std::int64_t end = ended->front().value();
    if (next >= begin && next <= end) {
        return {};
    }
    const bool expired = next < begin;
    return ": it " +
           (expired ? "begins at " + std::to_string(begin) : "ends at " + std::to_string(end)) +
           " now, a gap of " + std::to_string(expired ? begin - next : next - end) + " offsets";
}

// Asks for the progress of partitions that are ours but not yet known; tries again later where
// a server does not answer. Not done inside of the rebalance, which must not wait.
void Lane::Worker::settle_assigned() {
    if (!next_settle_.passed()) {
        return;
    }
    const auto began = std::chrono::steady_clock::now();
    std::vector<TopicPartition> waiting;
    for (const auto& [id, partition] : partitions_) {
        if (partition.phase == PartitionPhase::assigned) {
            waiting.push_back(id);
        }
    }
    Result<void> settled;
    if (!waiting.empty()) {
        settled = settle(waiting);
        if (!settled) {
            log_->warn("{} partitions wait for their progress: {}", waiting.size(),
                       settled.error().message());
        }
    }
    // Many new partitions may wait for long; asking for them takes a tenth of the time. Where a
    // server does not answer, half of it: the partitions that are settled go on meanwhile.
    const auto took = std::chrono::ceil<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - began);
    next_settle_ = Deadline::in(std::clamp<std::chrono::milliseconds>(
        settled ? took * 10 : took, settle_again, settle_again_max));
}

Result<void> Lane::Worker::settle(std::span<const TopicPartition> partitions) {
    failpoint("lane.assigned");
    const auto deadline = Deadline::in(settle_wait);
    const auto known = Deadline::in(topic_known_for);
    SLUICE_ASSIGN(const auto described, consumer_->admin().describe(topic_names(), deadline));
    note_topics(described, known);
    // Asked for its offsets, a partition without a leader, or of a topic that is gone or not ours
    // to read, would hold up the answer for all.
    std::vector<TopicPartition> led;
    Result<void> worst;
    for (const auto& id : partitions) {
        const auto info = std::ranges::find(described, id.topic, &kafka::TopicInfo::name);
        if (info != described.end() && info->error) {
            worst = fail(*info->error);
        } else if (!leaderless_.contains(id)) {
            led.push_back(id);
        }
    }
    SLUICE_TRY(look_for_compaction(deadline));
    SLUICE_ASSIGN(const auto committed, consumer_->committed(led, deadline));
    SLUICE_ASSIGN(const auto beginnings,
                  consumer_->admin().offsets(led, kafka::Earliest{}, deadline));
    for (std::size_t turn = 0; turn < led.size(); ++turn) {
        const std::size_t i = settle_turn_++ % led.size();
        LanePartition* partition = find(led[i]);
        check(partition != nullptr, "the partition is still ours");
        if (partition->phase == PartitionPhase::stopped) {
            continue;  // Its topic is another one.
        }
        partition->beginning = beginnings[i];
        if (auto settled = settle_one(*partition, committed[i], deadline); !settled) {
            worst = std::move(settled);
            if (deadline.passed()) {
                break;  // Those behind it have their turn first the next time.
            }
        }
    }
    return worst;
}

void Lane::Worker::note_leaders(const kafka::TopicInfo& info) {
    for (std::int32_t p = 0; p < info.partitions; ++p) {
        const TopicPartition id{info.name, PartitionId{p}};
        const bool leads = std::ranges::find(info.leaderless, PartitionId{p}) ==
                           info.leaderless.end();
        if (leads && leaderless_.erase(id) > 0) {
            log_->info("{} has a leader again", id.to_string());
        } else if (!leads && leaderless_.insert(id).second) {
            log_->warn("{} has no leader: it waits until one of its brokers is back",
                       id.to_string());
        }
    }
}

Result<void> Lane::Worker::settle_one(LanePartition& partition, const kafka::Committed& committed,
                                      Deadline deadline) {
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
        SLUICE_ASSIGN(const auto start, decide_start(partition, committed, deadline));
        if (!start) {
            return {};  // A new partition whose turn has not come: settled again in a second.
        }
        partition.clock = commit::WriteClock(start->pair.clock);
        partition.prefix.emplace(start->pair);
        partition.bound.reset();
        if (compacted_.contains(partition.id.topic)) {
            partition.bound.emplace(start->pair.clock);
        }
        if (start->commit_first) {
            const std::array first{commit_of(partition)};
            if (auto done = consumer_->commit(first, deadline); !done) {
                partition.prefix.reset();  // Nothing of it is ours to commit.
                return done;
            }
        }
        request.next = start->pair.next;
    }
    partition.phase = PartitionPhase::acquiring;
    destination_.acquire(request);
    return {};
}

void Lane::Worker::stop_remade_topic(const TopicPartition& id) {
    stop_partition(id, remade_topic("lane.assign", id, lane_.options_.name));
}

Result<std::optional<commit::Start>> Lane::Worker::decide_start(LanePartition& partition,
                                                                const kafka::Committed& committed,
                                                                Deadline deadline) {
    commit::Known known;
    if (committed.next) {
        known.group = {*committed.next, commit::parse_metadata(committed.metadata)};
    }
    if (auto start = commit::start_known(known)) {
        return start;
    }
    SLUICE_ASSIGN(const auto stored, destination_.stored(partition.id.topic, deadline));
    const auto copy = std::ranges::find(stored, partition.id, &Position::partition);
    // The broker forgets a deleted topic's commits, the database's copy stays.
    if (copy != stored.end() && copy->topic_id != partition.topic_id) {
        stop_remade_topic(partition.id);
        return std::optional<commit::Start>{};
    }
    if (copy != stored.end() && copy->clock) {
        if (committed.next) {
            log_->warn("{}: the group's commit {} was not written by this pipeline, and is set "
                       "aside: goes on at {}, where its progress stands in the database; to "
                       "begin elsewhere use `sluice reset --lane {}`",
                       partition.id.to_string(), committed.next->value(), copy->next.value(),
                       lane_.options_.name);
        }
        known.stored = commit::Pair{copy->next, *copy->clock};
        return commit::start_known(known);
    }
    return decide_new(partition, stored, deadline);
}

Result<std::optional<commit::Start>> Lane::Worker::decide_new(LanePartition& partition,
                                                              std::span<const Position> stored,
                                                              Deadline deadline) {
    const std::array names{partition.id.topic};
    SLUICE_ASSIGN(const auto topics, consumer_->admin().describe(names, deadline));
    if (topics.front().error) {
        return fail(*topics.front().error);
    }
    std::vector<TopicPartition> others;
    for (std::int32_t p = 0; p < topics.front().partitions; ++p) {
        if (PartitionId{p} != partition.id.partition) {
            others.push_back({partition.id.topic, PartitionId{p}});
        }
    }
    SLUICE_ASSIGN(const auto committed, consumer_->committed(others, deadline));
    if (partition.seen_ends.empty()) {
        // Of those that are as new as this one it waits for lower numbers only: these were there
        // first, keys may have moved from them, and none waits for another in a ring. The others
        // have a pair, in the group or in the database.
        SLUICE_ASSIGN(const auto ends,
                      consumer_->admin().offsets(others, kafka::Latest{}, deadline));
        for (std::size_t i = 0; i < others.size(); ++i) {
            const bool kept = std::ranges::find(stored, others[i], &Position::partition) !=
                              stored.end();
            if (committed[i].next || kept || others[i].partition < partition.id.partition) {
                partition.seen_ends.emplace_back(others[i], ends[i]);
            }
        }
        log_->info("{} is new: it starts when the other partitions have come to where they ended "
                   "when it was found",
                   partition.id.to_string());
    }
    std::vector<commit::Other> known;
    for (const auto& [id, end] : partition.seen_ends) {
        LanePartition* ours = find(id);
        if (ours != nullptr && ours->phase == PartitionPhase::stopped &&
            !(ours->prefix && ours->prefix->position().next >= end)) {
            stop_partition(partition.id, waits_for_stopped(partition.id, id));
            return std::optional<commit::Start>{};
        }
        const auto entry = std::ranges::find(committed, id, &kafka::Committed::partition);
        commit::Other other{.group = {}, .seen_end = end};
        if (entry != committed.end() && entry->next) {
            // Somebody else's commit came after ours, which is not sent again by itself.
            if (ours != nullptr && ours->committed && *entry->next < ours->committed->next) {
                ours->committed.reset();
            }
            other.group = {*entry->next, commit::parse_metadata(entry->metadata)};
        }
        known.push_back(other);
    }
    return commit::start_new(partition.beginning, known);
}

void Lane::Worker::handle(const Fenced& fenced) {
    LanePartition* partition = find(fenced.partition);
    if (partition == nullptr || partition->phase == PartitionPhase::stopped) {
        return;
    }
    acquire_again(*partition);
}

// Of a partition that gets no record nobody else would notice what a failover took back.
void Lane::Worker::handle(const Reconnected& /*unused*/) {
    for (auto& [id, partition] : partitions_) {
        if (partition.phase != PartitionPhase::stopped && partition.prefix &&
            partition.prefix->complete()) {
            acquire_again(partition);
        }
    }
}

void Lane::Worker::acquire_again(LanePartition& partition) {
    destination_.abandon(std::array{partition.id});  // What is not sealed yet, too.
    if (auto stopped = consumer_->stop(partition.id); !stopped) {
        stop_partition(partition.id, stopped.error());
        return;
    }
    partition.prefix.reset();
    partition.phase = PartitionPhase::assigned;
}

void Lane::Worker::tell_moved(const LanePartition& partition, Offset next) {
    if (!partition.stored || *partition.stored == next) {
        return;
    }
    const std::string id = partition.id.to_string();
    const std::int64_t before = partition.stored->value();
    if (before < next.value()) {
        log_->warn("{}: somebody else has moved it on from {} to {}", id, before, next.value());
        return;
    }
    const auto lacks = static_cast<std::uint64_t>(before - next.value());
    rewound_ += lacks;
    log_->warn("{}: the database has gone back from {} to {}, as a failover without its last "
               "commits does; what it lacks is written again",
               id, before, next.value());
}

}  // namespace sluice
