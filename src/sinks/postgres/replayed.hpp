// Which dead letters of a topic were replayed. A log forgets nothing by itself, and may hold a
// letter twice; so each record's place and time is kept here, in the transaction of its rows. The
// time tells apart the records of a topic that was deleted and made again.
#pragma once

#include <string>

#include "sinks/postgres/connection.hpp"
#include "sinks/stored_letters.hpp"

namespace sluice::postgres {

class ReplayedTable {
public:
    // In the schema of the offsets.
    ReplayedTable(const std::string& schema, std::string pipeline);

    // Creates it where it is missing.
    Outcome<void> prepare(Connection& connection, Deadline deadline) const;
    // The statement that remembers the letter, and touches no row where it is remembered.
    [[nodiscard]] std::string take(const LetterInfo& letter) const;
    // The statement that deletes what the condition says, of topics that are read again; empty
    // where there is no table.
    Outcome<std::string> forget(Connection& connection, const std::string& condition,
                                Deadline deadline) const;

private:
    Outcome<bool> exists(Connection& connection, Deadline deadline) const;

    std::string table_;  // Quoted, with its schema.
    std::string pipeline_;
};

}  // namespace sluice::postgres
