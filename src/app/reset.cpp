#include "app/reset.hpp"

#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "app/topics.hpp"
#include "app/wiring.hpp"
#include "kafka/admin.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto server_wait = 15s;

std::vector<std::string> topics_of(const Config& config, std::string_view lane) {
    std::vector<std::string> topics;
    for (const auto& route : routes_of(config, lane)) {
        topics.insert(topics.end(), route.topics.begin(), route.topics.end());
    }
    return topics;
}

bool confirmed(const ResetOptions& options) {
    std::fprintf(stderr,
                 "This forgets how far pipeline '%s' has come in lane %s: its next run reads its "
                 "topics from the start policy's position again. Rows already written stay, and "
                 "appended ones will be there twice.\nType yes to go on: ",
                 options.config.pipeline.c_str(), options.lane.c_str());
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "yes";
}

// The group first: the broker refuses this while the group has members, that is while the
// pipeline runs.
Result<void> forget_group(const ResetOptions& options, const std::vector<std::string>& topics) {
    const Deadline deadline = Deadline::in(server_wait);
    SLUICE_ASSIGN(auto admin,
                  kafka::Admin::open(client_options(options.config.kafka), make_logger("kafka")));
    SLUICE_ASSIGN(const auto described, admin.describe(topics, deadline));
    std::vector<TopicPartition> partitions;
    for (const auto& topic : described) {
        if (topic.error && topic.error->code != "UNKNOWN_TOPIC_OR_PART") {
            return fail(*topic.error);
        }
        for (std::int32_t p = 0; p < topic.partitions; ++p) {
            partitions.push_back({topic.name, PartitionId{p}});
        }
    }
    return admin.delete_commits(group_of(options.config, options.lane), partitions, deadline);
}

Result<void> forget_database(const ResetOptions& options, const std::vector<std::string>& topics) {
    const Deadline deadline = Deadline::in(server_wait);
    if (options.lane == postgres_lane) {
        SLUICE_TRY(postgres::forget_progress(postgres_options(options.config), topics, deadline));
    } else {
        SLUICE_TRY(cassandra::forget_progress(cassandra_options(options.config), topics, deadline));
    }
    return {};
}

Result<void> forget(const ResetOptions& options) {
    SLUICE_ASSIGN(const auto expanded, with_topics(options.config, Deadline::in(server_wait)));
    const auto topics = topics_of(expanded.config, options.lane);
    if (topics.empty()) {
        return fail(no_topic(options.config));
    }
    SLUICE_TRY(forget_group(options, topics));
    return forget_database(options, topics);
}

}  // namespace

int reset(const ResetOptions& options) {
    const auto log = make_logger("reset");
    if (!options.yes) {
        if (isatty(STDIN_FILENO) == 0) {
            log->error("this forgets progress, and there is no terminal to ask; say --yes");
            return 2;
        }
        if (!confirmed(options)) {
            log->info("nothing was changed");
            return 1;
        }
    }
    const auto done = forget(options);
    if (!done) {
        log->error("{}", done.error().message());
        return 3;
    }
    log->info("the progress of pipeline '{}' in lane {} is forgotten", options.config.pipeline,
              options.lane);
    return 0;
}

}  // namespace sluice
