// What a destination holds of its database once it is open: the session, the tables' plans and
// their prepared statements, and the progress. The lane's thread owns it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sinks/cassandra/chunk.hpp"
#include "sinks/cassandra/destination.hpp"
#include "sinks/cassandra/progress.hpp"
#include "sinks/cassandra/resolve.hpp"

namespace sluice::cassandra {

class Database {
public:
    // Connects, creates what may be created, and resolves the routes.
    static Result<std::unique_ptr<Database>> open(const DestinationOptions& options,
                                                  std::span<const Route> routes, const Logger& log,
                                                  Deadline deadline);

    [[nodiscard]] Session& session() { return session_; }
    [[nodiscard]] Progress& progress() { return progress_; }
    [[nodiscard]] const Uuid& id() const { return id_; }
    [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

    [[nodiscard]] const TablePlan& plan(std::uint32_t route, std::uint32_t target) const {
        return plans_[route][target];
    }
    // Counts the tables of all routes through.
    [[nodiscard]] std::uint32_t table(std::uint32_t route, std::uint32_t target) const {
        return first_tables_[route] + target;
    }
    // What a chunk's rows name it by.
    [[nodiscard]] std::uint32_t statement(std::uint32_t table, RowOp op) const {
        return table * 2 + (op == RowOp::del ? 1 : 0);
    }
    // "shop.orders"
    [[nodiscard]] const std::string& table_of(std::uint32_t statement) const {
        return table_names_[statement / 2];
    }

    // The chunk stays as it is until the listener has been told.
    Result<void> write(const Chunk& chunk, std::unique_ptr<WriteListener> listener);
    // Errors that are mended at a table learn which it is.
    void name_tables(const Chunk& chunk, WriteOutcome& outcome) const;

    // Reads the tables of a route again, and prepares its statements anew. Rows that are encoded
    // already fit afterwards; a table that is no longer what it was is an error.
    Result<void> refresh(std::uint32_t route, Deadline deadline);

    // Rows in a table that no progress accounts for would mix with ours, under timestamps that
    // say nothing of each other: an error, unless a reset said that they are intended.
    Result<void> check_afresh(std::span<const Position> positions, Deadline deadline);

private:
    Result<std::set<std::string>> begun_topics(std::span<const Route> routes, Deadline deadline);
    Database(const DestinationOptions& options, Session session);

    Result<void> prepare(std::uint32_t route, Deadline deadline);
    Result<bool> accounted_for(const std::string& topic, const TableName& table, Deadline deadline);
    Result<bool> has_rows_of(const TablePlan& plan, const TableName& table,
                             std::span<const Position> positions, const std::string& topic,
                             Deadline deadline);

    Place place_;
    Session session_;
    Progress progress_;
    Uuid id_;
    std::vector<Route> routes_;
    std::vector<std::vector<TablePlan>> plans_;
    std::vector<std::uint32_t> first_tables_;
    std::vector<std::string> table_names_;  // Of all routes.
    std::vector<std::optional<Statement>> statements_;
    std::vector<const SlcStatement*> pointers_;
};

}  // namespace sluice::cassandra
