#include "app/lane_worker.hpp"

#include <algorithm>
#include <unordered_set>

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto place_check_every = 5s;
constexpr auto place_wait = 1s;
constexpr auto leave_wait = 3s;
// Longer than a partition may take to move: it is drained for up to 5 s, and committed.
constexpr unsigned misfits_max = 3;

Error stop_error(std::string detail, std::string hint) {
    return {.action = Action::stop,
            .op = "lane.start",
            .where = {},
            .code = {},
            .detail = std::move(detail),
            .hint = std::move(hint)};
}

std::vector<TopicPartition> partitions_of(const LaneTopic& topic) {
    std::vector<TopicPartition> all;
    for (std::int32_t p = 0; p < topic.partitions; ++p) {
        all.push_back({topic.name, PartitionId{p}});
    }
    return all;
}

// Of partitions whose progress the database keeps.
std::unordered_map<std::int32_t, Offset> commits_ahead(std::span<const kafka::Committed> committed,
                                                       std::span<const Position> stored) {
    std::unordered_map<std::int32_t, Offset> ahead;
    for (const auto& entry : committed) {
        const auto own = std::ranges::find(stored, entry.partition, &Position::partition);
        if (entry.next && (own == stored.end() || own->next < *entry.next)) {
            ahead.emplace(entry.partition.partition.value(), *entry.next);
        }
    }
    return ahead;
}

kafka::OffsetSpec offset_spec(const StartPolicy& policy) {
    switch (policy.kind) {
        case StartPolicy::Kind::latest:
            return kafka::Latest{};
        case StartPolicy::Kind::time:
            return kafka::AtTime{policy.time_ms};
        case StartPolicy::Kind::earliest:
        case StartPolicy::Kind::error:
            break;
    }
    return kafka::Earliest{};
}

}  // namespace

// Tries until it works, the lane is stopped, or an error says that trying is pointless.
bool Lane::Worker::start() {
    Backoff backoff(500ms);  // A wrong password costs the server a tenth of a second each time.
    for (unsigned attempt = 1; !lane_.stopping_; ++attempt) {
        auto started = try_start();
        if (started) {
            set_waiting(std::nullopt);
            return true;
        }
        consumer_.reset();
        set_waiting(started.error());
        if (started.error().action == Action::stop) {
            fatal_ = started.error();
            return false;
        }
        ++starts_[retry_class(started.error())];
        publish();
        (void)pause(backoff.wait(attempt));
    }
    return false;
}

Result<void> Lane::Worker::try_start() {
    const auto deadline = Deadline::in(lane_.options_.attempt_wait);
    SLUICE_TRY(destination_.open(deadline));
    SLUICE_TRY(make_mappers());
    SLUICE_ASSIGN(auto consumer, kafka::Consumer::open(lane_.options_.consumer, log_));
    consumer_.emplace(std::move(consumer));
    SLUICE_TRY(describe_topics(deadline));
    SLUICE_TRY(renew_membership(deadline));
    for (auto& topic : topics_) {
        SLUICE_TRY(begin_topic(topic, deadline));
    }
    return consumer_->subscribe(topic_names(), *this);
}

std::vector<std::string> Lane::Worker::topic_names() const {
    std::vector<std::string> names;
    for (const auto& topic : topics_) {
        names.push_back(topic.name);
    }
    return names;
}

Result<void> Lane::Worker::describe_topics(Deadline deadline) {
    topics_.clear();
    const auto routes = destination_.routes();
    for (std::uint32_t r = 0; r < routes.size(); ++r) {
        for (const auto& name : routes[r].topics) {
            topics_.push_back({.name = name,
                               .id = {},
                               .partitions = 0,
                               .route = r,
                               .start = {},
                               .ends = {},
                               .ahead = {}});
        }
    }
    auto names = topic_names();
    if (!lane_.options_.dead_letter_topic_name.empty()) {
        names.push_back(lane_.options_.dead_letter_topic_name);
    }
    auto asked = consumer_->admin().describe(names, deadline);
    if (!asked && asked.error().action == Action::retry) {
        SLUICE_TRY(consumer_->serve());  // Why nobody answers, only the client's events tell.
    }
    SLUICE_ASSIGN(const auto described, std::move(asked));
    for (std::size_t i = 0; i < described.size(); ++i) {
        if (described[i].error) {
            return fail(*described[i].error);
        }
        if (i == topics_.size()) {
            break;  // The dead letters' topic is there.
        }
        topics_[i].id = described[i].id;
        topics_[i].partitions = described[i].partitions;
    }
    if (lane_.options_.until_end) {
        for (auto& topic : topics_) {
            SLUICE_ASSIGN(topic.ends, consumer_->admin().offsets(partitions_of(topic),
                                                                 kafka::Latest{}, deadline));
        }
    }
    return {};
}

// Who takes a static member's place gets its partitions as they are: the broker does not share
// them out again, whatever the topics are by now (tried on 4.1: a topic that was added, or new
// partitions, had no reader). So a place that no longer fits is given up first.
Result<void> Lane::Worker::renew_membership(Deadline deadline) {
    const auto& member = lane_.options_.consumer;
    if (!member.instance) {
        return {};
    }
    SLUICE_ASSIGN(const auto group, consumer_->admin().describe_group(member.group, deadline));
    const auto former = std::ranges::find(group.members, member.instance,
                                          &kafka::GroupMember::instance);
    place_unsure_ = false;
    if (former == group.members.end()) {
        return {};  // Joining makes the group share out its partitions.
    }
    if (!group.stable) {
        // Joining does too, unless the group has ended its rebalance by then.
        place_unsure_ = true;
        misfits_ = 0;
        return {};
    }
    if (place_fits(group, *former)) {
        return {};
    }
    tell_joins_anew();
    return kafka::Consumer::leave_in_place_of(member, topic_names(), deadline, log_);
}

// All that is to be read has a reader, and this member has nothing else.
bool Lane::Worker::place_fits(const kafka::GroupInfo& group, const kafka::GroupMember& own) const {
    std::unordered_set<TopicPartition> unassigned;
    for (const auto& topic : topics_) {
        const auto all = partitions_of(topic);
        unassigned.insert(all.begin(), all.end());
    }
    const auto foreign = [&](const TopicPartition& id) { return !unassigned.contains(id); };
    if (std::ranges::any_of(own.assigned, foreign)) {
        return false;
    }
    for (const auto& each : group.members) {
        for (const auto& id : each.assigned) {
            unassigned.erase(id);
        }
    }
    return unassigned.empty();
}

void Lane::Worker::tell_joins_anew() {
    log_->info("instance '{}': the topics or their partitions are others than when it joined the "
               "group; joins anew",
               *lane_.options_.consumer.instance);
}

// A place that was taken over amid a rebalance: whether it fits shows when that has ended.
void Lane::Worker::watch_place() {
    if (!place_unsure_ || !next_place_check_.passed() || !consumer_->is_member()) {
        return;
    }
    const auto& member = lane_.options_.consumer;
    const auto group = consumer_->admin().describe_group(member.group, Deadline::in(place_wait));
    next_place_check_ = Deadline::in(place_check_every);
    if (!group || !group->stable) {
        return;
    }
    const auto own = std::ranges::find(group->members, member.instance,
                                       &kafka::GroupMember::instance);
    if (own != group->members.end() && place_fits(*group, *own)) {
        place_unsure_ = false;
        return;
    }
    // Also a partition that moves is nobody's until its former owner has let go of it.
    if (++misfits_ < misfits_max) {
        return;
    }
    misfits_ = 0;
    tell_joins_anew();
    if (auto joined = consumer_->join_anew(topic_names(), Deadline::in(leave_wait)); !joined) {
        log_->warn("{}", joined.error().message());
    }
}

// Two runs of one pipeline name into two databases would each get half of the partitions.
Result<void> Lane::Worker::check_database(const LaneTopic& topic,
                                          std::span<const kafka::Committed> committed) const {
    for (const auto& entry : committed) {
        const auto metadata = commit::parse_metadata(entry.metadata);
        if (metadata && metadata->database != destination_.id()) {
            return fail(stop_error(
                "the consumer group '" + lane_.options_.consumer.group + "' of topic '" +
                    topic.name + "' belongs to a pipeline into another " + lane_.options_.name +
                    " database",
                "choose another pipeline name (--group), or, if that database is gone, forget its "
                "progress with `sluice reset --lane " +
                    lane_.options_.name + "`"));
        }
    }
    return {};
}

Error Lane::Worker::progress_conflict(const LaneTopic& topic) const {
    return stop_error("pipeline has progress on topic '" + topic.name + "', begun with start: " +
                          topic.start + "; now it says start: " + lane_.options_.start.spelling,
                      "leave the start policy as it was, or forget the progress with `sluice reset "
                      "--lane " +
                          lane_.options_.name + "`");
}

// Continues a topic, or, where there is no progress at all, stores where each of its partitions
// begins: before the first write, and in one go, so that a partition without progress is known
// to be new later on.
Result<void> Lane::Worker::begin_topic(LaneTopic& topic, Deadline deadline) {
    const auto all = partitions_of(topic);
    SLUICE_ASSIGN(auto stored, destination_.stored(topic.name, deadline));
    SLUICE_ASSIGN(const auto committed, consumer_->committed(all, deadline));
    SLUICE_TRY(check_database(topic, committed));
    std::size_t with_progress = stored.size();
    if (!stored.empty()) {
        topic.start = stored.front().start;
    }
    topic.ahead = destination_.progress_in_group() ? decltype(topic.ahead){}
                                                   : commits_ahead(committed, stored);
    if (destination_.progress_in_group()) {
        with_progress = 0;
        for (const auto& entry : committed) {
            const auto metadata = commit::parse_metadata(entry.metadata);
            const bool kept = std::ranges::find(stored, entry.partition, &Position::partition) !=
                              stored.end();
            if (metadata) {
                topic.start = metadata->start;
            }
            with_progress += metadata || kept ? 1 : 0;
        }
    }
    if (with_progress > 0) {
        const auto& policy = lane_.options_.start;
        if (policy.given && policy.kind != StartPolicy::Kind::error &&
            policy.spelling != topic.start) {
            return fail(progress_conflict(topic));
        }
        log_->info("topic '{}': continues, {} of {} partitions have progress", topic.name,
                   with_progress, topic.partitions);
        return {};
    }
    topic.start = lane_.options_.start.spelling;
    SLUICE_ASSIGN(const auto positions, first_positions(topic, deadline));
    SLUICE_TRY(destination_.begin(positions, deadline));
    if (destination_.progress_in_group()) {
        std::vector<kafka::Commit> commits;
        for (const auto& position : positions) {
            commits.push_back({position.partition, position.next,
                               commit::to_text({.database = destination_.id(),
                                                .topic = topic.id,
                                                .clock = ClockMicros{0},
                                                .start = topic.start})});
        }
        SLUICE_TRY(consumer_->commit_first(commits, deadline));
    }
    log_->info("topic '{}': starts afresh at {}, {} partitions", topic.name, topic.start,
               topic.partitions);
    return {};
}

Result<std::vector<Position>> Lane::Worker::first_positions(const LaneTopic& topic,
                                                            Deadline deadline) {
    if (lane_.options_.start.kind == StartPolicy::Kind::error) {
        return fail(stop_error("the pipeline has no progress on topic '" + topic.name +
                                   "', and start: error refuses to begin",
                               "check the pipeline's name, or say start: earliest or latest"));
    }
    const auto all = partitions_of(topic);
    SLUICE_ASSIGN(const auto offsets,
                  consumer_->admin().offsets(all, offset_spec(lane_.options_.start), deadline));
    std::vector<Position> positions;
    for (std::size_t i = 0; i < all.size(); ++i) {
        positions.push_back({.partition = all[i],
                             .topic_id = topic.id,
                             .next = offsets[i],
                             .clock = ClockMicros{0},
                             .start = topic.start});
    }
    return positions;
}

Result<void> Lane::Worker::make_mappers() {
    mappers_.clear();
    for (const auto& route : destination_.routes()) {
        auto& mappers = mappers_.emplace_back();
        for (std::uint32_t t = 0; t < route.targets.size() && !route.targets[t].dead_letters; ++t) {
            SLUICE_ASSIGN(auto mapper, Mapper::create(route, t));
            mappers.push_back(std::move(mapper));
        }
    }
    return {};
}

}  // namespace sluice
