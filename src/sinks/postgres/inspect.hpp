// What `sluice check` asks of PostgreSQL: everything that open() needs, without writing.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "model/target.hpp"
#include "sinks/postgres/destination.hpp"
#include "sinks/postgres/resolve.hpp"

namespace sluice::postgres {

struct Inspection {
    std::vector<Error> problems;                 // Of the database as a whole.
    std::vector<TargetProblem> target_problems;  // Of single targets.
    std::vector<std::string> notes;              // What run would create, and what was found.
};

// Fails when the database can't be asked at all.
Result<Inspection> inspect(const DestinationOptions& options, std::span<const Route> routes,
                           Deadline deadline);

}  // namespace sluice::postgres
