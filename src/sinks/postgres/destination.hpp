// PostgreSQL as a lane's destination: encodes on the lane's thread, writes on `pool` others.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/secret.hpp"
#include "model/table_shape.hpp"
#include "sinks/dead_letters.hpp"
#include "sinks/destination.hpp"
#include "sinks/postgres/connection.hpp"

namespace sluice::postgres {

struct DestinationOptions {
    std::string pipeline;
    std::string url;
    std::optional<std::string> user;
    std::optional<Secret> password;
    std::string schema = "sluice";
    int pool = 1;
    Bytes room{24u << 20};  // Encoded rows that wait or are being written.
    // Takes the records that can't be written, where no table of the routes does.
    std::shared_ptr<DeadLetterTopic> dead_letter_topic{};
    ShapeFinder find_shape{};  // For tables with `create`.
};

ConnectOptions connect_options(const DestinationOptions& options, const Interrupt* interrupt);

std::unique_ptr<Destination> make_destination(DestinationOptions options, std::vector<Route> routes,
                                              Logger log);

// Deletes the pipeline's progress on these topics. Tells how many partitions had one.
Result<std::size_t> forget_progress(const DestinationOptions& options,
                                    std::span<const std::string> topics, Deadline deadline);

}  // namespace sluice::postgres
