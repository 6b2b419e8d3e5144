// `sluice dlq skip`: one lane's progress passes over the record at which it stands.
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <vector>

#include "app/dlq_parts.hpp"
#include "commit/clock.hpp"
#include "commit/metadata.hpp"
#include "kafka/admin.hpp"
#include "kafka/reader.hpp"
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
        SLUICE_ASSIGN(const auto position,
                      postgres::progress_on(postgres_options(config_), partition_,
                                            Deadline::in(server_wait)));
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
        const OffsetRange range{partition_, position_.next, record.offset.next()};
        if (auto topic = make_dead_letter_topic(config_, lane_, log_)) {
            topic->send(record, {}, why);
            SLUICE_TRY(topic->settle(Deadline::in(server_wait)));
        }
        SLUICE_ASSIGN(const bool moved, postgres::pass_over(postgres_options(config_), range,
                                                            dead_letter_routes(config_), record,
                                                            why, Deadline::in(server_wait)));
        if (!moved) {
            return fail(refusal(partition_, offset_, "the progress has just moved on",
                                "start again to see where it stands"));
        }
        return {};
    }

    const Config& config_;
    std::string lane_;
    TopicPartition partition_;
    Offset offset_;
    Logger log_;
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
    log->info("lane {} has passed over {}; a process that has stopped this partition goes on with "
              "it after a restart",
              options.lane, options.record->first.at(options.record->second));
    return 0;
}

}  // namespace sluice
