// Cassandra as a lane's destination: encodes on the lane's thread, which also decides what is
// sent and what becomes of it; the driver's thread does the sending.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/secret.hpp"
#include "model/table_shape.hpp"
#include "sinks/cassandra/session.hpp"
#include "sinks/dead_letters.hpp"
#include "sinks/destination.hpp"

namespace sluice::cassandra {

struct DestinationOptions {
    std::string pipeline;
    std::vector<std::string> hosts;  // "host:port"
    std::optional<std::string> local_dc;
    std::string keyspace;
    std::string consistency = "local_quorum";
    std::optional<std::string> username;
    std::optional<Secret> password;
    Bytes room{24u << 20};  // Encoded rows that wait or are being written.
    // Takes the records that can't be written, where no table of the routes does.
    std::shared_ptr<DeadLetterTopic> dead_letter_topic{};
    ShapeFinder find_shape{};  // For tables with `create`.
};

ConnectOptions connect_options(const DestinationOptions& options);

std::unique_ptr<Destination> make_destination(DestinationOptions options, std::vector<Route> routes,
                                              Logger log);

// Deletes the pipeline's progress on these topics, and leaves a mark that says that rows in the
// tables are intended. Tells how many partitions had progress.
Result<std::size_t> forget_progress(const DestinationOptions& options,
                                    std::span<const std::string> topics, Deadline deadline);

}  // namespace sluice::cassandra
