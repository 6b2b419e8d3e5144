// The configured routes held against the real tables, for the destination and for `check`.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "model/target.hpp"
#include "sinks/findings.hpp"
#include "sinks/postgres/connection.hpp"
#include "sinks/postgres/plan.hpp"

namespace sluice::postgres {

struct Resolved {
    std::vector<Route> routes;                  // Complete.
    std::vector<std::vector<TablePlan>> plans;  // By route, then by target.
    std::vector<TargetProblem> problems;        // Where not empty, the plans are not.
    std::string events_schema;                  // Where a zero-config table is made.
    std::vector<std::string> missing;           // Definitions of zero-config tables not yet made.
    std::vector<std::string> created;           // And of those that were made now.
};

struct ResolveOptions {
    std::string own_schema;       // Where the offsets live: no place for a table of rows.
    std::set<std::string> begun;  // Topics with progress: their table would lack what is written.
    bool create = false;          // Zero-config tables that are missing are made first.
};

Outcome<Resolved> resolve(Connection& connection, std::span<const Route> routes,
                          const ResolveOptions& options, Deadline deadline);
// CREATE TABLE for the zero-config table of such a route.
std::string events_definition(const std::string& schema, Format key, Format value);
// And what lets `role` (quoted) write to it.
std::string events_grants(const std::string& schema, const std::string& role);

}  // namespace sluice::postgres
