#include "app/lane_worker.hpp"

#include <algorithm>

namespace sluice {
namespace {

using namespace std::chrono_literals;

Error stop_error(std::string detail, std::string hint) {
    return {.action = Action::stop,
            .op = "lane.start",
            .where = {},
            .code = {},
            .detail = std::move(detail),
            .hint = std::move(hint)};
}

Error unordered_truncates(const std::string& why) {
    return stop_error(why + ", and `truncate: apply` needs an order of all of a table's changes",
                      "give the table a topic with one partition, or use `truncate: stop`");
}

// Of partitions whose progress the database keeps: commits that say more than it does.
std::unordered_map<std::int32_t, Offset> commits_ahead(std::span<const kafka::Committed> committed,
                                                       std::span<const Position> stored) {
    std::unordered_map<std::int32_t, Offset> ahead;
    for (const auto& entry : committed) {
        const auto own = std::ranges::find(stored, entry.partition, &Position::partition);
        const auto metadata = commit::parse_metadata(entry.metadata);
        const auto told = metadata && metadata->stored ? metadata->stored : entry.next;
        if (entry.next && (own == stored.end() || own->next < *told)) {
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

// How often a static member looks whether its name has come free.
constexpr auto fenced_again = std::chrono::milliseconds{1000};

}  // namespace

// Tries until it works, the lane is stopped, or an error says that trying is pointless.
bool Lane::Worker::start() {
    set_phase(LanePhase::starting);
    Backoff backoff(500ms);  // A wrong password costs the server a tenth of a second each time.
    for (unsigned attempt = 1; !lane_.stopping_; ++attempt) {
        auto started = try_start();
        if (started) {
            set_waiting(std::nullopt);
            set_phase(LanePhase::running);
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
        (void)pause(fenced_ ? fenced_again : backoff.wait(attempt));
    }
    return false;
}

Result<void> Lane::Worker::try_start() {
    const auto deadline = Deadline::in(lane_.options_.attempt_wait);
    if (started_) {
        return try_join(deadline);
    }
    SLUICE_TRY(destination_.open(deadline));
    SLUICE_TRY(make_mappers());
    SLUICE_ASSIGN(auto consumer, kafka::Consumer::open(lane_.options_.consumer, log_));
    consumer_.emplace(std::move(consumer));
    SLUICE_TRY(describe_topics(deadline));
    SLUICE_TRY(renew_membership(deadline));
    for (auto& topic : topics_) {
        SLUICE_TRY(begin_topic(topic, deadline));
    }
    SLUICE_TRY(consumer_->subscribe(topic_names(), *this));
    started_ = true;
    return {};
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
    SLUICE_TRY(check_truncates());
    if (lane_.options_.until_end) {
        for (auto& topic : topics_) {
            SLUICE_ASSIGN(topic.ends,
                          consumer_->admin().offsets(topic.all(), kafka::Latest{}, deadline));
        }
    }
    return {};
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

// By the group's commits, which come after the progress in the database.
bool Lane::Worker::is_begun(const LaneTopic& topic,
                            std::span<const kafka::Committed> committed) const {
    return std::ranges::any_of(committed, [&](const kafka::Committed& entry) {
        const auto metadata = commit::parse_metadata(entry.metadata);
        return metadata && metadata->database == destination_.id() && metadata->topic == topic.id;
    });
}

Error Lane::Worker::progress_lost(const LaneTopic& topic) const {
    return stop_error("the " + lane_.options_.name + " database has no progress on topic '" +
                          topic.name + "', though the consumer group '" +
                          lane_.options_.consumer.group +
                          "' has: it was deleted, or lost in a failover",
                      "to begin again by the start policy: `sluice reset --lane " +
                          lane_.options_.name + "`; rows that are there stay");
}

// A truncate has an order among the records of its partition only.
Result<void> Lane::Worker::check_truncates() const {
    for (const auto& topic : topics_) {
        const Route& route = destination_.routes()[topic.route];
        if (!std::ranges::any_of(route.targets, &Target::truncates)) {
            continue;
        }
        if (route.topics.size() > 1) {
            return fail(unordered_truncates("several topics feed one table"));
        }
        if (topic.partitions > 1) {
            return fail(unordered_truncates("topic '" + topic.name + "' has " +
                                            std::to_string(topic.partitions) + " partitions"));
        }
    }
    return {};
}

// It may get partitions while the lane runs.
void Lane::Worker::note_growth(const LaneTopic& topic, std::int32_t partitions) {
    const auto& targets = destination_.routes()[topic.route].targets;
    if (partitions < 2 || !std::ranges::any_of(targets, &Target::truncates)) {
        return;
    }
    for (std::int32_t p = 0; p < partitions; ++p) {
        stop_partition({topic.name, PartitionId{p}},
                       unordered_truncates("topic '" + topic.name + "' has " +
                                           std::to_string(partitions) + " partitions now"));
    }
}

// Continues a topic, or, where there is no progress at all, stores where each of its partitions
// begins: before the first write, and in one go, so that a partition without progress is known
// to be new later on.
Result<void> Lane::Worker::begin_topic(LaneTopic& topic, Deadline deadline) {
    const auto all = topic.all();
    // The commits first: what another process has committed by then, the database knows.
    SLUICE_ASSIGN(const auto committed, consumer_->committed(all, deadline));
    SLUICE_ASSIGN(auto stored, destination_.stored(topic.name, deadline));
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
    if (is_begun(topic, committed)) {
        return fail(progress_lost(topic));
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
                                                .clock = position.clock,
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
    const auto all = topic.all();
    SLUICE_ASSIGN(const auto offsets,
                  consumer_->admin().offsets(all, offset_spec(lane_.options_.start), deadline));
    SLUICE_ASSIGN(const ClockMicros clock, destination_.first_clock(topic.name, deadline));
    std::vector<Position> positions;
    for (std::size_t i = 0; i < all.size(); ++i) {
        positions.push_back({.partition = all[i],
                             .topic_id = topic.id,
                             .next = offsets[i],
                             .clock = clock,
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
