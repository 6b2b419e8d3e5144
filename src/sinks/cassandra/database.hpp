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
    // A number of the table as plan() has it now: one that gets columns gets another one.
    [[nodiscard]] std::uint32_t table(std::uint32_t route, std::uint32_t target) const {
        return numbers_[route][target];
    }
    // What a chunk's rows name it by.
    [[nodiscard]] std::uint32_t statement(std::uint32_t table, RowOp op) const {
        return table * 2 + (op == RowOp::del ? 1 : 0);
    }
    // "shop.orders"
    [[nodiscard]] const std::string& table_of(std::uint32_t statement) const {
        return table_names_[statement / 2];
    }

    // Encodes the row and adds it to the chunk, as a row of the chunk's route.
    Result<void> add(Chunk& chunk, std::uint32_t piece, const Record& record, ClockMicros clock,
                     const Row& row) const {
        const std::uint32_t number = table(chunk.route(), row.target);
        return chunk.add(piece, number, statement(number, row.op), plan(chunk.route(), row.target),
                         record, clock, row);
    }
    // The chunk stays as it is until the listener has been told.
    Result<void> write(const Chunk& chunk, std::unique_ptr<WriteListener> listener);
    // Errors that are mended at a table learn which it is.
    void name_tables(const Chunk& chunk, WriteOutcome& outcome) const;

    // Reads the tables of a route again, and prepares its statements anew. Rows that are encoded
    // already fit afterwards; a table that is no longer what it was is an error.
    Result<void> refresh(std::uint32_t route, Deadline deadline);
    // See Destination::add_columns; `configured` is the route as it is configured. Rows that are
    // encoded already are written as they are.
    Result<void> add_columns(std::uint32_t route, std::uint32_t target, const Route& configured,
                             std::span<const ColumnShape> columns, Deadline deadline);

    // Rows in a table that no progress accounts for would mix with ours, under timestamps that
    // say nothing of each other: an error, unless a reset said that they are intended.
    Result<void> check_afresh(std::span<const Position> positions, Deadline deadline);

private:
    Result<std::set<std::string>> begun_topics(std::span<const Route> routes, Deadline deadline);
    Database(const DestinationOptions& options, Session session);

    // Gives the table a number, and room for its statements.
    std::uint32_t number(const TablePlan& plan);
    Result<void> prepare(std::uint32_t route, Deadline deadline);
    Result<void> prepare(std::uint32_t number, const TablePlan& plan, Deadline deadline);
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
    std::vector<std::vector<std::uint32_t>> numbers_;  // By route, then by target.
    std::vector<std::string> table_names_;             // By number.
    // Before columns were added.
    struct Former {
        std::uint32_t route = 0;
        std::uint32_t number = 0;
        TablePlan plan;
    };
    std::vector<Former> former_;
    std::vector<std::optional<Statement>> statements_;
    std::vector<const SlcStatement*> pointers_;
};

}  // namespace sluice::cassandra
