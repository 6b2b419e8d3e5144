// The pipeline's progress as the database keeps it: a copy of what the consumer group has, read
// only where that is missing; and the database's random id. Two tables in the keyspace:
//
//   sluice_progress  one row a partition; partition -1 is a mark that `sluice reset` leaves
//   sluice_identity  one row
//
// A later save must win over an earlier one, whichever arrives last: saves carry the write clock
// as their timestamp. A reset leaves how far it had come, and the next start goes on above that:
// what it writes outbids all that was written before.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "sinks/cassandra/session.hpp"
#include "sinks/destination.hpp"

namespace sluice::cassandra {

inline constexpr std::string_view progress_table = "sluice_progress";
inline constexpr std::string_view identity_table = "sluice_identity";

class Progress {
public:
    Progress(std::string pipeline, std::string keyspace);

    // The CQL of both tables, for the database's administrator.
    [[nodiscard]] std::vector<std::string> definitions() const;
    // Those of them that do not exist.
    Result<std::vector<std::string>> missing(Session& session, Deadline deadline) const;
    // Creates what is missing, prepares, and gives the database's id.
    Result<Uuid> open(Session& session, Deadline deadline);

    // Without the mark.
    Result<std::vector<Position>> stored(Session& session, const std::string& topic,
                                         Deadline deadline);
    // Where the write clock of a topic without progress begins: 0, or above what it was at a reset.
    Result<ClockMicros> first_clock(Session& session, const std::string& topic, Deadline deadline);
    // True if this topic has progress here, or had and was reset.
    Result<bool> knows(Session& session, const std::string& topic, Deadline deadline);
    // Stores those that are not there yet, of each topic all or none, and waits for it.
    Result<void> begin(Session& session, std::span<const Position> positions, Deadline deadline);
    // Stores in the background, one write at a time: positions that come meanwhile wait for the
    // next call, and the last of each partition counts.
    void save(Session& session, std::span<const Position> positions);

    // Deletes the progress of a topic and leaves the mark. Tells how many partitions had some.
    Result<std::size_t> forget(Session& session, const std::string& topic, Deadline deadline);

private:
    struct Background;
    struct Write;
    struct Stored {
        std::vector<Position> positions;
        std::optional<ClockMicros> mark;
    };

    Result<Uuid> read_identity(Session& session, Deadline deadline) const;
    Result<Stored> read(Session& session, const std::string& topic, Deadline deadline);
    void append(const Position& position, std::string& cells) const;
    void append(std::span<const Position> of_topic, Write& write) const;
    Result<void> send(Session& session, std::unique_ptr<Write> write,
                      std::chrono::milliseconds timeout);

    std::string pipeline_;
    std::string keyspace_;
    std::string table_;     // Quoted, with the keyspace.
    std::string identity_;  // Likewise.
    std::optional<Statement> insert_;
    std::map<std::string, std::map<PartitionId, Position>> unsaved_;  // By topic.
    std::shared_ptr<Background> background_;
};

}  // namespace sluice::cassandra
