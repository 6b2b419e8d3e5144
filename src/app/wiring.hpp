// From the configuration to the parts that it names. The only place that knows every part.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config.hpp"
#include "app/lane.hpp"
#include "kafka/client.hpp"
#include "sinks/cassandra/destination.hpp"
#include "sinks/postgres/destination.hpp"

namespace sluice {

inline constexpr std::string_view postgres_lane = "postgres";
inline constexpr std::string_view cassandra_lane = "cassandra";

kafka::ClientOptions client_options(const KafkaConfig& config);
// The consumer group of a lane: "<pipeline>.<destination>".
std::string group_of(const Config& config, std::string_view lane);
// The routes that feed this lane, in the order of the file, and which route of the file each is.
std::vector<Route> routes_of(const Config& config, std::string_view lane,
                             std::vector<std::size_t>* places = nullptr);
// Nothing where no topic takes them.
std::shared_ptr<DeadLetterTopic> make_dead_letter_topic(const Config& config, std::string_view lane,
                                                        const Logger& log);
// Of no topic, and their table as the only target; none where no table takes them.
std::vector<Route> dead_letter_routes(const Config& config);
postgres::DestinationOptions postgres_options(const Config& config);
cassandra::DestinationOptions cassandra_options(const Config& config);

// A lane for each database that some route feeds.
std::vector<std::string> lane_names(const Config& config);
std::unique_ptr<Lane> make_lane(const Config& config, std::string_view name, bool until_end,
                                ShapeFinder find_shape);

}  // namespace sluice
