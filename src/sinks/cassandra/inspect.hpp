// What `sluice check` asks of Cassandra: everything that open() needs, without writing.
#pragma once

#include <span>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "model/target.hpp"
#include "sinks/cassandra/destination.hpp"
#include "sinks/findings.hpp"

namespace sluice::cassandra {

// Fails when the database can't be asked at all.
Result<Inspection> inspect(const DestinationOptions& options, std::span<const Route> routes,
                           Deadline deadline);

}  // namespace sluice::cassandra
