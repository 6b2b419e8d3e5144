// The configured routes held against the real tables, for the destination and for `check`.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "model/table_shape.hpp"
#include "model/target.hpp"
#include "sinks/findings.hpp"
#include "sinks/postgres/connection.hpp"
#include "sinks/postgres/plan.hpp"

namespace sluice::postgres {

// A zero-config table, one of dead letters, or one with `create`.
struct MissingTable {
    TableName name;
    std::string definition;
    bool operator==(const MissingTable&) const = default;
};

struct Resolved {
    std::vector<Route> routes;                  // Complete.
    std::vector<std::vector<TablePlan>> plans;  // By route, then by target.
    std::vector<TargetProblem> problems;        // Where not empty, the plans are not.
    std::vector<MissingTable> missing;  // Those that run makes, where they are not made yet.
    std::vector<std::string> created;   // The definitions of those that were made now.
};

struct ResolveOptions {
    std::string own_schema;       // Where the offsets live: no place for a table of rows.
    std::set<std::string> begun;  // Topics with progress: their table would lack what is written.
    bool create = false;          // Tables that run makes are made first.
    ShapeFinder find_shape{};     // Of those with `create`; without it none of them is made.
};

Outcome<Resolved> resolve(Connection& connection, std::span<const Route> routes,
                          const ResolveOptions& options, Deadline deadline);
// What lets `role` (quoted) write to a table that somebody else has made for it.
std::string grants_on(const TableName& table, const std::string& role);

}  // namespace sluice::postgres
