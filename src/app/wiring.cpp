#include "app/wiring.hpp"

#include <algorithm>

#include "app/memory.hpp"
#include "model/dead_letter.hpp"
#include "sinks/deadletter/topic.hpp"

namespace sluice {
namespace {

std::optional<Secret> secret_of(const std::optional<Password>& password) {
    return password ? std::optional(password->secret) : std::nullopt;
}

const std::vector<TargetConfig>& targets_of(const RouteConfig& route, std::string_view lane) {
    return lane == postgres_lane ? route.postgres : route.cassandra;
}

Target dead_letters_target(const std::string& table) {
    Target target;
    target.table = table;
    target.dead_letters = true;
    for (const auto column : dead_letter_columns) {
        target.columns.push_back({.column = std::string(column), .path = {}, .reading = {}});
    }
    return target;
}

bool reads_headers(const Target& target) {
    const bool in_ttl = target.ttl && target.ttl->source == Source::header;
    const auto in_terms = [](const std::optional<Condition>& condition) {
        return condition && std::ranges::any_of(condition->terms, [](const auto& term) {
                   return term.path.source == Source::header;
               });
    };
    const bool in_columns = std::ranges::any_of(target.columns, [](const ColumnSource& column) {
        return column.path.source == Source::header;
    });
    return in_ttl || in_columns || in_terms(target.when) || in_terms(target.deleted);
}

bool reads_headers(const std::vector<Route>& routes) {
    return std::ranges::any_of(routes, [](const Route& route) {
        return std::ranges::any_of(route.targets,
                                   [](const Target& target) { return reads_headers(target); });
    });
}

Bytes bytes_of(const Config& config) { return Bytes{static_cast<std::size_t>(config.memory)}; }

LaneMemory memory_of(const Config& config) {
    return divide_memory(bytes_of(config), lane_names(config).size());
}

}  // namespace

kafka::ClientOptions client_options(const KafkaConfig& config) {
    return {.brokers = config.brokers, .properties = config.properties};
}

std::string group_of(const Config& config, std::string_view lane) {
    return config.pipeline + "." + std::string(lane);
}

std::vector<Route> routes_of(const Config& config, std::string_view lane,
                             std::vector<std::size_t>* places) {
    std::vector<Route> routes;
    for (std::size_t i = 0; i < config.routes.size(); ++i) {
        const RouteConfig& from = config.routes[i];
        if (targets_of(from, lane).empty()) {
            continue;
        }
        Route route{.topics = from.topics,
                    .key_format = from.key_format,
                    .value_format = from.value_format,
                    .duplicate_names = from.duplicate_names,
                    .targets = {}};
        for (const auto& target : targets_of(from, lane)) {
            route.targets.push_back(with_mark(target.target));
        }
        if (!config.dead_letters.table.empty()) {
            route.targets.push_back(dead_letters_target(config.dead_letters.table));
        }
        routes.push_back(std::move(route));
        if (places != nullptr) {
            places->push_back(i);
        }
    }
    return routes;
}

postgres::DestinationOptions postgres_options(const Config& config) {
    return {.pipeline = config.pipeline,
            .url = config.postgres->url,
            .user = config.postgres->user,
            .password = secret_of(config.postgres->password),
            .schema = config.postgres->schema,
            .pool = config.postgres->pool,
            .room = memory_of(config).waiting};
}

cassandra::DestinationOptions cassandra_options(const Config& config) {
    return {.pipeline = config.pipeline,
            .hosts = config.cassandra->hosts,
            .local_dc = config.cassandra->local_dc,
            .keyspace = config.cassandra->keyspace,
            .consistency = config.cassandra->consistency,
            .username = config.cassandra->username,
            .password = secret_of(config.cassandra->password),
            .room = memory_of(config).waiting};
}

std::shared_ptr<DeadLetterTopic> make_dead_letter_topic(const Config& config, std::string_view lane,
                                                        const Logger& log) {
    if (config.dead_letters.topic.empty()) {
        return nullptr;
    }
    return deadletter::make_topic(client_options(config.kafka), config.dead_letters.topic,
                                  group_of(config, lane), log);
}

std::vector<Route> dead_letter_routes(const Config& config) {
    if (config.dead_letters.table.empty()) {
        return {};
    }
    Route route;
    route.targets.push_back(dead_letters_target(config.dead_letters.table));
    return {route};
}

std::vector<std::string> lane_names(const Config& config) {
    std::vector<std::string> names;
    for (const auto lane : {postgres_lane, cassandra_lane}) {
        if (!routes_of(config, lane).empty()) {
            names.emplace_back(lane);
        }
    }
    return names;
}

std::unique_ptr<Lane> make_lane(const Config& config, std::string_view name, bool until_end,
                                ShapeFinder find_shape) {
    auto routes = routes_of(config, name);
    const LaneMemory memory = memory_of(config);
    auto log = make_logger(name);
    const auto dead_letter_topic = make_dead_letter_topic(config, name, log);
    const bool buries = !config.dead_letters.table.empty() || dead_letter_topic;
    LaneOptions options{.name = std::string(name),
                        .consumer = {.client = client_options(config.kafka),
                                     .group = group_of(config, name),
                                     .instance = config.instance,
                                     .headers = buries || reads_headers(routes),
                                     .queue_max = memory.fetched},
                        .start = config.kafka.start,
                        .until_end = until_end,
                        .buries = buries,
                        .dead_letter_topic = dead_letter_topic,
                        .dead_letter_topic_name = config.dead_letters.topic,
                        .rows_per_s_max = name == postgres_lane ? config.postgres->rows_per_s_max
                                                                : config.cassandra->rows_per_s_max,
                        .poll_max = memory.poll,
                        .record_max = record_bytes_max(bytes_of(config)),
                        .attempt_wait = std::chrono::milliseconds{
                            std::min<std::int64_t>(10'000, config.start_timeout_ms)}};
    std::unique_ptr<Destination> destination;
    if (name == postgres_lane) {
        auto postgres = postgres_options(config);
        postgres.dead_letter_topic = dead_letter_topic;
        postgres.find_shape = std::move(find_shape);
        destination = postgres::make_destination(std::move(postgres), std::move(routes), log);
    } else {
        auto cassandra = cassandra_options(config);
        cassandra.dead_letter_topic = dead_letter_topic;
        cassandra.find_shape = std::move(find_shape);
        destination = cassandra::make_destination(std::move(cassandra), std::move(routes), log);
    }
    return std::make_unique<Lane>(std::move(options), std::move(destination), log);
}

}  // namespace sluice
