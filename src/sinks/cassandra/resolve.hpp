// The configured routes held against the real tables, for the destination and for `check`.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/table_shape.hpp"
#include "model/target.hpp"
#include "sinks/cassandra/plan.hpp"
#include "sinks/cassandra/session.hpp"
#include "sinks/findings.hpp"

namespace sluice::cassandra {

struct Resolved {
    std::vector<Route> routes;                  // Complete.
    std::vector<std::vector<TablePlan>> plans;  // By route, then by target.
    std::vector<TargetProblem> problems;        // Where not empty, the plans are not.
    std::vector<std::string> missing;           // Definitions of tables that run makes.
    std::vector<std::string> created;           // Definitions of those that were made.
};

// Who writes where.
struct Place {
    std::string keyspace;                 // Of tables without one in their name.
    std::optional<std::string> username;  // Whose privileges are looked up; nothing: nobody's.
};

struct ResolveOptions {
    std::set<std::string> begun;  // Topics with progress: their table would lack what is written.
    bool create = false;          // Tables that run makes are made first.
    ShapeFinder find_shape{};     // Of those with `create`; without it none of them is made.
};

// Reads the tables, and makes those that are to be made.
Result<Resolved> resolve(Session& session, const Place& place, std::span<const Route> routes,
                         const ResolveOptions& options, Deadline deadline);
// The plans of one complete route, read again; fails with what keeps it from being written.
Result<std::vector<TablePlan>> resolve_again(Session& session, const Place& place,
                                             const Route& route, Deadline deadline);

struct Extended {
    Target target;  // Complete.
    TablePlan plan;
};
// Adds what the table of a configured target lacks of `columns`, and reads it again. Others may do
// the same at once.
Result<Extended> extend_table(Session& session, const Place& place, const Route& configured,
                              std::size_t target, std::span<const ColumnShape> columns,
                              Deadline deadline);

// CREATE KEYSPACE with min(3, nodes) replicas in `local_dc`, or in every datacenter.
std::string keyspace_definition(std::string_view keyspace,
                                const std::optional<std::string>& local_dc,
                                std::span<const Node> nodes);

// "MODIFY", and how to grant it.
Error lacks_permission(std::string_view permission, const Table& table, std::string_view role);

}  // namespace sluice::cassandra
