// What a lane needs of its database. One lane owns one Destination; unless a line says
// otherwise every call comes from the lane's thread, and none blocks past its deadline.
//
// The way of one poll: add() for each row and end_record() after a record's last one, then seal().
// What became of it comes back later by take_events().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "base/uuid.hpp"
#include "model/ids.hpp"
#include "model/record.hpp"
#include "model/row.hpp"
#include "model/table_shape.hpp"
#include "model/target.hpp"

namespace sluice {

// How far a pipeline has come with one partition, and on which incarnation of its topic.
struct Position {
    TopicPartition partition;
    Uuid topic_id;
    Offset next;                       // The first offset that is not durable yet.
    std::optional<ClockMicros> clock;  // The write clock's `last`; Cassandra only.
    std::string start;                 // The start policy with which the topic began.
};

struct AcquireRequest {
    TopicPartition partition;
    Uuid topic_id;
    Offset beginning;            // The partition's first offset now.
    std::optional<Offset> next;  // Where to start, if the progress is the group's; else unknown.
};

// Fetching may start at `next`.
struct Ready {
    TopicPartition partition;
    Offset next;
    std::uint64_t epoch = 0;  // The destination's own: which acquisition it answers.
};
// The records [from, to) of a partition are in the database. Ranges of one partition may come in
// any order; together they leave no gap.
struct Durable {
    OffsetRange range;
    std::size_t rows = 0;  // Without those of dead letters.
    // Records among them that are dead letters, by rejection_reason().
    std::map<std::string_view, std::uint64_t> dead_letters{};
};
// For so many of the rows that were told as durable a table's own triggers returned null: they
// dropped them, or put them elsewhere. That is the table's own wish, and counts as done.
struct Skipped {
    std::string table;
    std::uint64_t rows = 0;
    bool dead_letters = false;  // They were; Durable counts them as such.
};
// The progress is not where it was left: what was queued is dropped. Acquire it again.
struct Fenced {
    TopicPartition partition;
};
// The database answers again, perhaps by another server, which may lack what the former one had
// last. Acquire again what nothing is under way for; the rest finds out by itself.
struct Reconnected {};
// The database refused a record, which goes to the dead letters by itself: for the log.
struct Buried {
    Error error;
};
// The record at `offset` can't be written; all before it is durable or on its way, and progress
// does not pass it.
struct Rejected {
    TopicPartition partition;
    Offset offset;
    ClockMicros clock;  // Its own; nothing that says anything where the lane has none.
    Error error;
};
// Going on with this partition would be wrong (another incarnation of the topic, a bug).
struct Refused {
    TopicPartition partition;
    Error error;
};
// Why, where the topic's id is not the one that the progress is kept for. The lane looks too.
Error remade_topic(std::string op, const TopicPartition& partition, std::string_view lane);
// Writing waits and is tried again; reported when it begins, when the reason changes, and when it
// ends (error empty). With a route, only that route waits: fetch its partitions no further, but
// where it waits for its own next records.
struct Waiting {
    std::optional<Error> error;
    std::optional<std::uint32_t> route;
    bool for_records = false;
};
using DestinationEvent =
    std::variant<Ready, Durable, Skipped, Fenced, Reconnected, Buried, Rejected, Refused, Waiting>;

// What became of its writes, since the process started.
struct WriteCounts {
    std::uint64_t batches = 0;                     // That the database took: transactions, chunks.
    std::uint64_t fenced = 0;                      // Dropped: somebody else moved a partition on.
    std::map<std::string, std::uint64_t> retries;  // What is tried again, by retry_class().
};
// Encoded rows that are not durable yet, as they are kept in memory.
struct WaitingBytes {
    std::size_t moving = 0;  // Queued or being written.
    std::size_t aside = 0;   // Of routes that wait for their tables.
};
// How much may be moving: what is set aside takes room from it, but for a share that keeps the
// other routes going however many wait.
std::size_t room_beside(std::size_t aside, Bytes room, std::size_t routes);

// What was the matter, in few words: a SQLSTATE's class ("40"), a Kafka or CQL code ("0x1100"), or
// without a code "connection" or "configuration".
std::string retry_class(const Error& error);

// Their last targets are tables of dead letters.
bool has_dead_letters(std::span<const Route> routes);

class Destination {
public:
    virtual ~Destination() = default;

    // Connects, creates what may be created, reads the tables of every route and resolves its
    // targets against them. May be called again after a failure.
    virtual Result<void> open(Deadline deadline) = 0;
    // The routes after open(): columns filled in, the zero-config table named.
    [[nodiscard]] virtual std::span<const Route> routes() const = 0;
    // The random id of the database, which also stands in the group's commits.
    [[nodiscard]] virtual const Uuid& id() const = 0;
    // True where the pair in the group's commit is the progress (Cassandra), false where the
    // database's own table is (PostgreSQL).
    [[nodiscard]] virtual bool progress_in_group() const = 0;
    // The progress kept in the database for `topic`; empty when there is none.
    virtual Result<std::vector<Position>> stored(const std::string& topic, Deadline deadline) = 0;
    // Where the write clock of a topic without progress begins.
    virtual Result<ClockMicros> first_clock(const std::string& topic, Deadline deadline) = 0;
    // A topic's first start: stores where each partition begins, unless somebody else was first
    // (then theirs counts).
    virtual Result<void> begin(std::span<const Position> positions, Deadline deadline) = 0;
    // Keeps a copy of the group's progress, in the background and with no promise; does nothing
    // where the database's own table is the progress.
    virtual void save(std::span<const Position> positions) = 0;

    // Asynchronous: answered by Ready or Refused.
    virtual void acquire(const AcquireRequest& request) = 0;
    // Finishes what is queued for these partitions, at the latest by `deadline`; the rest is
    // dropped. What is being written at the deadline may still be: the progress stays exact.
    virtual void release(std::span<const TopicPartition> partitions, Deadline deadline) = 0;
    // Lost: drops what is queued, waits for nothing but a write under way.
    virtual void abandon(std::span<const TopicPartition> partitions) = 0;

    // One row of `record` for route `route`, written at `clock`. An error rejects the record: the
    // destination has then forgotten all rows of it.
    virtual Result<void> add(std::uint32_t route, const Record& record, ClockMicros clock,
                             const Row& row) = 0;
    // In place of the rows of a record that can't be mapped or added: a dead letter, where the
    // route has a table of them or the lane a topic.
    virtual Result<void> bury(std::uint32_t route, const Record& record, ClockMicros clock,
                              const Error& error) = 0;
    // After the last row of a record, or for a record without rows: it counts as delivered.
    virtual void end_record(std::uint32_t route, const Record& record, ClockMicros clock) = 0;
    // The end of a poll: what was added goes on its way. Tells which ranges will come back as
    // Durable, at most one a partition.
    virtual std::vector<OffsetRange> seal() = 0;
    // Adds the columns that a target's table lacks, and takes them up: from then on routes() has
    // them, and so must have the rows that are added. Nothing is open: seal() came before. Blocks;
    // may be called again after a failure.
    virtual Result<void> add_columns(std::uint32_t route, std::uint32_t target,
                                     std::span<const ColumnShape> columns, Deadline deadline) = 0;
    // Without room nothing may be added; waits for it until `deadline`.
    virtual bool wait_for_room(Deadline deadline) = 0;
    // True while something that was sealed is neither durable nor given up (rejected, abandoned).
    [[nodiscard]] virtual bool busy() const = 0;
    [[nodiscard]] virtual WriteCounts counts() const = 0;
    [[nodiscard]] virtual WaitingBytes waiting() const = 0;

    virtual std::vector<DestinationEvent> take_events() = 0;
    // Ends all threads and connections; what is not durable by then is not.
    virtual void close(Deadline deadline) = 0;
};

}  // namespace sluice
