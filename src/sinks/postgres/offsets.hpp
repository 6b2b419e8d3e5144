// The pipeline's own tables in PostgreSQL: offsets, advanced in the rows' transactions, and the
// id of the database.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/uuid.hpp"
#include "model/ids.hpp"
#include "sinks/destination.hpp"
#include "sinks/postgres/advance.hpp"
#include "sinks/postgres/connection.hpp"

namespace sluice::postgres {

// The session that keeps an offset row locked.
struct Holder {
    std::string process;  // Its backend's process id.
    std::string application;
    std::string role;
    bool ours = false;   // Of this pipeline, and of our own role.
    bool ended = false;  // It was told to end.
};

class OffsetsTable {
public:
    OffsetsTable(const std::string& schema, std::string pipeline);

    // All that an administrator has to run for `role` (quoted), once; safe to run again.
    [[nodiscard]] std::string for_administrator(const std::string& role) const;
    // The part of it that is for tables that exist.
    [[nodiscard]] std::string grants(const std::string& role) const;
    // Creates what is missing and reads the database's id. Where the role may not, the error's
    // hint is what an administrator has to run.
    Outcome<Uuid> prepare(Connection& connection, Deadline deadline) const;
    // Reads the id only; nothing while the tables or their row are missing. Refuses tables of
    // another version.
    Outcome<std::optional<Uuid>> find(Connection& connection, Deadline deadline) const;

    // The topics on which the pipeline has progress.
    Outcome<std::set<std::string>> topics(Connection& connection, Deadline deadline) const;
    Outcome<std::vector<Position>> read(Connection& connection, const std::string& topic,
                                        Deadline deadline) const;
    // Inserts the rows that are missing, in one transaction; of two first starts at once the
    // second finds the rows of the first.
    Outcome<void> begin(Connection& connection, std::span<const Position> positions,
                        Deadline deadline) const;
    // What of this table and of its neighbours is one pipeline's, for some topics: a condition.
    [[nodiscard]] static std::string rows_of(const std::string& pipeline,
                                             std::span<const std::string> topics);
    // Deletes the rows_of() the topics, and runs `also` in the same transaction. Tells how many
    // rows there were.
    Outcome<std::uint64_t> forget(Connection& connection, std::span<const std::string> topics,
                                  const std::string& also, Deadline deadline) const;

    struct Advanced {
        std::uint64_t matched = 0;  // Offset rows.
        Rows then;                  // What the last statement of `then` gave.
    };
    // Opens a transaction with its timeouts, advances the offset rows, and runs `then` in the same
    // round trip.
    Outcome<Advanced> advance(Connection& connection, std::span<const Advance> advances,
                              const std::string& then, Deadline deadline) const;
    // Opens a transaction with its timeouts only.
    Outcome<void> open(Connection& connection, Deadline deadline) const;
    // Locks the rows of these partitions in a transaction of its own and reads them; 55P03 after
    // `lock_wait`.
    Outcome<std::vector<Position>> lock(Connection& connection,
                                        std::span<const TopicPartition> partitions,
                                        std::chrono::milliseconds lock_wait,
                                        Deadline deadline) const;
    // Who keeps one of these rows locked; nothing where nobody does any more; 55P03 where the table
    // itself is locked for longer than a second. A session of this pipeline
    // and of our own role may be ended, which needs no privilege: any, or that of one process.
    struct End {
        bool any = false;
        int process = 0;
    };
    Outcome<std::optional<Holder>> holder(Connection& connection,
                                          std::span<const TopicPartition> partitions, End end,
                                          Deadline deadline) const;

private:
    [[nodiscard]] std::string definition() const;
    [[nodiscard]] std::string identity_row() const;
    [[nodiscard]] std::string key_condition(std::span<const TopicPartition> partitions) const;
    Outcome<bool> exist(Connection& connection, Deadline deadline) const;
    Outcome<void> create(Connection& connection, Deadline deadline) const;
    [[nodiscard]] Failure advise(Connection& connection, Failure failure, Deadline deadline) const;

    std::string schema_name_;
    std::string schema_;  // Quoted.
    std::string table_;   // Quoted, with its schema.
    std::string identity_;
    std::string pipeline_;
};

}  // namespace sluice::postgres
