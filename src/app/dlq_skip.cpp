// `sluice dlq skip`: one lane's progress passes over the record at which it stands.
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <memory>
#include <vector>

#include "app/dlq_parts.hpp"
#include "commit/clock.hpp"
#include "commit/metadata.hpp"
#include "kafka/admin.hpp"
#include "kafka/consumer.hpp"
#include "kafka/reader.hpp"
#include "sinks/cassandra/letters.hpp"
#include "sinks/postgres/pass.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto server_wait = 15s;

Error refusal(const TopicPartition& partition, Offset offset, std::string detail,
              std::string hint) {
    return {.action = Action::configure,
            .op = "dlq.skip",
            .where = partition.at(offset),
            .code = {},
            .detail = std::move(detail),
            .hint = std::move(hint)};
}

// What a skipped record's dead letter says.
Error skipped(const Record& record) {
    return {.action = Action::reject,
            .op = "dlq.skip",
            .where = record.where(),
            .code = {},
            .detail = "passed over by `sluice dlq skip`",
            .hint = {}};
}

// Where one lane keeps how far it has come with a partition.
class LaneProgress {
public:
    virtual ~LaneProgress() = default;
    // Nothing where it has none.
    virtual Result<std::optional<Position>> find(const TopicPartition& partition) = 0;
    // After find(): makes the record a dead letter, where a table keeps them, and moves the
    // progress past it. False: the progress has moved meanwhile.
    virtual Result<bool> pass_over(const Record& record, const Error& why) = 0;
    // Of the record, for a dead letter.
    [[nodiscard]] virtual ClockMicros clock_of(const Record& record) const = 0;
};

class PostgresProgress final : public LaneProgress {
public:
    explicit PostgresProgress(const Config& config) : config_(config) {}

    Result<std::optional<Position>> find(const TopicPartition& partition) override {
        SLUICE_ASSIGN(auto position, postgres::progress_on(postgres_options(config_), partition,
                                                           Deadline::in(server_wait)));
        from_ = position.value_or(Position{});
        return position;
    }
    Result<bool> pass_over(const Record& record, const Error& why) override {
        return postgres::pass_over(postgres_options(config_),
                                   {.range = {*record.partition, from_.next, record.offset.next()},
                                    .topic_id = from_.topic_id},
                                   dead_letter_routes(config_), record, why,
                                   Deadline::in(server_wait));
    }
    [[nodiscard]] ClockMicros clock_of(const Record&) const override { return {}; }

private:
    const Config& config_;
    Position from_;
};

// The pair of offset and clock in the group's commit. Brokers take it from a stranger only while
// the group has no members.
class CassandraProgress final : public LaneProgress {
public:
    CassandraProgress(const Config& config, kafka::Consumer consumer, const Logger& log)
        : config_(config), consumer_(std::move(consumer)), log_(log) {}

    Result<std::optional<Position>> find(const TopicPartition& partition) override {
        const Deadline deadline = Deadline::in(server_wait);
        const std::string group = group_of(config_, cassandra_lane);
        SLUICE_ASSIGN(const auto members, consumer_.admin().describe_group(group, deadline));
        if (!members.members.empty()) {
            return fail(has_members(partition, group));
        }
        SLUICE_ASSIGN(const auto committed, consumer_.committed(std::array{partition}, deadline));
        const auto metadata = commit::parse_metadata(committed.front().metadata);
        if (!committed.front().next || !metadata || !metadata->clock) {
            return std::optional<Position>{};
        }
        metadata_ = *metadata;
        return std::optional(Position{.partition = partition,
                                      .topic_id = metadata->topic,
                                      .next = *committed.front().next,
                                      .clock = metadata->clock,
                                      .start = metadata->start});
    }
    Result<bool> pass_over(const Record& record, const Error& why) override {
        const ClockMicros clock = clock_of(record);
        const Deadline deadline = Deadline::in(server_wait);
        const auto letters = dead_letter_routes(config_);
        if (!letters.empty()) {
            SLUICE_TRY(cassandra::write_letter(cassandra_options(config_), letters, record, clock,
                                               why, log_, deadline));
        }
        metadata_.clock = clock;
        SLUICE_TRY(
            consumer_.commit_first(std::array{kafka::Commit{*record.partition, record.offset.next(),
                                                            commit::to_text(metadata_)}},
                                   deadline));
        return true;
    }
    // As the lane would tick: once, for this record.
    [[nodiscard]] ClockMicros clock_of(const Record& record) const override {
        commit::WriteClock clock(metadata_.clock.value_or(ClockMicros{0}));
        return clock.tick(record.timestamp_ms);
    }

private:
    static Error has_members(const TopicPartition& partition, const std::string& group) {
        return {.action = Action::configure,
                .op = "dlq.skip",
                .where = partition.to_string(),
                .code = {},
                .detail = "the consumer group " + group +
                          " has members, and takes no other's "
                          "commit",
                .hint = "stop the pipeline's processes first"};
    }

    const Config& config_;
    kafka::Consumer consumer_;
    Logger log_;
    commit::Metadata metadata_;
};

Result<std::unique_ptr<LaneProgress>> open_progress(const Config& config, const std::string& lane,
                                                    const Logger& log) {
    if (lane == postgres_lane) {
        return std::make_unique<PostgresProgress>(config);
    }
    SLUICE_ASSIGN(auto consumer, kafka::Consumer::open({.client = client_options(config.kafka),
                                                        .group = group_of(config, lane),
                                                        .instance = {}},
                                                       make_logger("kafka")));
    return std::make_unique<CassandraProgress>(config, std::move(consumer), log);
}

class Skip {
public:
    Skip(const DlqOptions& options, const Logger& log)
        : config_(options.config),
          lane_(options.lane),
          partition_(options.record->first),
          offset_(options.record->second),
          log_(log) {}

    // An error whose action is configure was found before anything was changed.
    Result<void> run() {
        SLUICE_TRY(check_route());
        SLUICE_TRY(find_progress());
        SLUICE_TRY(check_topic());
        SLUICE_ASSIGN(auto reader,
                      kafka::Reader::open(client_options(config_.kafka), make_logger("kafka")));
        Result<void> passed;
        bool found = false;
        SLUICE_TRY(reader.read({partition_, position_.next, end_}, [&](const Record& record) {
            found = true;
            passed = record.offset == offset_ ? pass(record) : fail(stands_at(record.offset));
            return false;
        }));
        if (!found) {
            return fail(stands_at(end_));
        }
        return passed;
    }

private:
    [[nodiscard]] Error stands_at(Offset next) const {
        return refusal(partition_, offset_,
                       fmt::format("lane {} does not stand at this record, but at {}{}", lane_,
                                   partition_.at(next), next >= end_ ? ", the end" : ""),
                       "only the record at which a partition stopped is passed over");
    }

    [[nodiscard]] Result<void> check_route() const {
        for (const auto& route : routes_of(config_, lane_)) {
            if (std::ranges::find(route.topics, partition_.topic) != route.topics.end()) {
                return {};
            }
        }
        return fail(refusal(partition_, offset_, "no route of lane " + lane_ + " reads this topic",
                            "check the topic's name and --lane"));
    }

    Result<void> find_progress() {
        SLUICE_ASSIGN(progress_, open_progress(config_, lane_, log_));
        SLUICE_ASSIGN(const auto position, progress_->find(partition_));
        if (!position) {
            return fail(refusal(partition_, offset_,
                                "lane " + lane_ + " has no progress on this partition",
                                "check pipeline, topic and partition"));
        }
        position_ = *position;
        return {};
    }

    Result<void> check_topic() {
        const Deadline deadline = Deadline::in(server_wait);
        SLUICE_ASSIGN(auto admin,
                      kafka::Admin::open(client_options(config_.kafka), make_logger("kafka")));
        const std::array topics{partition_.topic};
        SLUICE_ASSIGN(const auto described, admin.describe(topics, deadline));
        if (described.front().error) {
            return fail(*described.front().error);
        }
        if (described.front().id != position_.topic_id) {
            return fail(remade_topic("dlq.skip", partition_, lane_));
        }
        const std::array partitions{partition_};
        SLUICE_ASSIGN(const auto ends, admin.offsets(partitions, kafka::Latest{}, deadline));
        end_ = ends.front();
        return {};
    }

    Result<void> pass(const Record& record) {
        const Error why = skipped(record);
        if (auto topic = make_dead_letter_topic(config_, lane_, log_)) {
            topic->send(record, progress_->clock_of(record), why);
            SLUICE_TRY(topic->settle(Deadline::in(server_wait)));
        }
        SLUICE_ASSIGN(const bool moved, progress_->pass_over(record, why));
        if (!moved) {
            return fail(refusal(partition_, offset_,
                                config_.dead_letters.topic.empty()
                                    ? "the progress has just moved on"
                                    : "the progress has just moved on; the record is among the "
                                      "dead letters nevertheless",
                                "start again to see where it stands"));
        }
        return {};
    }

    const Config& config_;
    std::string lane_;
    TopicPartition partition_;
    Offset offset_;
    Logger log_;
    std::unique_ptr<LaneProgress> progress_;
    Position position_;
    Offset end_;
};

bool confirmed(const DlqOptions& options) {
    const auto& letters = options.config.dead_letters;
    const bool kept = !letters.table.empty() || !letters.topic.empty();
    std::fprintf(stderr, "This passes over %s in lane %s: %s.\nType yes to go on: ",
                 options.record->first.at(options.record->second).c_str(), options.lane.c_str(),
                 kept ? "the record becomes a dead letter"
                      : "without dead_letters nothing keeps the record");
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "yes";
}

}  // namespace

int skip(const DlqOptions& options, const Logger& log) {
    if (!options.yes) {
        if (isatty(STDIN_FILENO) == 0) {
            log->error("this passes over a record, and there is no terminal to ask; say --yes");
            return 2;
        }
        if (!confirmed(options)) {
            log->info("nothing was changed");
            return 1;
        }
    }
    if (auto done = Skip(options, log).run(); !done) {
        log->error("{}", done.error().message());
        return done.error().action == Action::configure ? 1 : 3;
    }
    log->info("lane {} has passed over {}{}", options.lane,
              options.record->first.at(options.record->second),
              options.lane == postgres_lane ? "; a process that has stopped this partition goes on "
                                              "with it after a restart"
                                            : "");
    return 0;
}

}  // namespace sluice
