// The write protocol of Cassandra as a state machine: sealed chunks and outcomes in, chunks to
// send and events out. It knows no socket and no thread, and is told the time, so that the
// destination and a simulator can both drive it.
//
// Every row may be sent again at any time: it carries its timestamp, so that twice is once.
// What failed in passing is sent again until it is through: a fault of the database holds up
// everything but one chunk that tries, a fault of a table its route alone. "Invalid" is the one
// answer that may be a table's or a record's fault: then the rows go again one by one, the table
// is read again, and only a row that still fails alone is a record's fault: at once where a
// neighbour of the same statement passes after it was refused, else when the table was found
// unchanged often enough and few others failed alike. Never where a row that had passed is refused
// as well.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "sinks/cassandra/chunk.hpp"
#include "sinks/cassandra/session.hpp"
#include "sinks/destination.hpp"

namespace sluice::cassandra {

using TimePoint = std::chrono::steady_clock::time_point;

// A chunk and where it stands. All but `chunk` is Flow's.
struct Load {
    Chunk chunk;
    std::size_t counted = 0;  // Bytes, as Flow::waiting() has them.
    bool sending = false;
    bool database_probe = false;       // Tries whether the database's fault has passed.
    bool route_probe = false;          // Tries whether its route's fault has passed.
    bool alone = false;                // Its rows go one by one.
    unsigned refusals = 0;             // How often rows of it were invalid on their own.
    std::uint64_t sent_at = 0;         // Flow::outcomes_ when it was sent.
    std::uint64_t refused_at = 0;      // The same when a request of it was invalid last,
    std::uint64_t refused_before = 0;  // and the time before.
    unsigned confirmations = 0;        // How often its table was read since, and was unchanged.
};
using LoadPtr = std::shared_ptr<Load>;

class Flow {
public:
    // How long to wait before the attempt with this number, counted from 1.
    using Backoff = std::function<std::chrono::milliseconds(unsigned attempt)>;
    // Makes a dead letter of a record that the server refuses: its rows are forgotten, and what
    // comes in their place is added to the chunk, or acknowledged elsewhere. An error with
    // Action::retry is a fault of the place that takes them, any other stops the partition.
    using Bury = std::function<Result<void>(Chunk& chunk, std::uint32_t piece, Offset offset,
                                            const Error& error)>;

    // `sending_max` chunks are under way at once.
    // Without `bury` a record that the server refuses stops its partition.
    // Of a route that refuses many records alike, more are fetched up to `alike_bytes_max`: one
    // that passes would show that the others are at fault, but a table that takes nothing must not
    // fill the room.
    Flow(std::size_t routes, std::size_t sending_max, Backoff backoff, Bury bury = {},
         std::size_t alike_bytes_max = 8u << 20);

    // Takes what was sealed.
    void add(LoadPtr load);
    // The chunk queued last for this route, if it still waits and has at most `bytes_max`: more
    // may be added to it, and then it must be added again.
    LoadPtr take_back(std::uint32_t route, std::size_t bytes_max);

    // The next chunk to send now, listed; done() must follow. Nothing: wait.
    LoadPtr next(TimePoint now);
    void done(const LoadPtr& load, const WriteOutcome& outcome, TimePoint now);

    // A route whose tables must be read and whose statements be prepared again, now; refreshed()
    // must follow, with what is wrong.
    [[nodiscard]] std::optional<std::uint32_t> stale(TimePoint now) const;
    void refreshed(std::uint32_t route, std::optional<Error> wrong, TimePoint now);

    // Forgets what is not durable of the partition.
    void drop(const TopicPartition& partition);
    // Forgets what was not taken of it: it belongs to an earlier acquisition.
    void discard_events(const TopicPartition& partition);

    // When next() or stale() have something without an outcome before. In the past: now.
    [[nodiscard]] std::optional<TimePoint> due() const;
    [[nodiscard]] WaitingBytes waiting() const;
    [[nodiscard]] bool busy() const;
    // A batch is a chunk that came back with a row of it written.
    [[nodiscard]] const WriteCounts& counts() const { return counts_; }
    [[nodiscard]] bool busy_with(std::span<const TopicPartition> partitions) const;
    std::vector<DestinationEvent> take_events() { return std::exchange(events_, {}); }
    [[nodiscard]] bool has_events() const { return !events_.empty(); }
    // A chunk that is through with everything, for its next life; may be nothing.
    LoadPtr take_spare();

private:
    // Something that keeps rows from being written for now.
    struct Fault {
        Error error;
        unsigned attempts = 0;
        TimePoint due;
        bool told = false;       // The lane knows; a route's chunks are parked from then on.
        bool fetched = false;    // More of the route is: so many records fail alike, one may pass.
        std::size_t probes = 0;  // Queued or under way.
        bool passed = false;     // One of them went through.
    };
    struct RouteState {
        std::optional<Fault> fault;
        std::deque<LoadPtr> parked;  // What waits for the fault to pass.
    };
    struct Rejection {
        std::uint32_t piece;
        const TopicPartition* partition;
        Offset offset;
        ClockMicros clock;
        Error error;
        bool letter;  // The record is a dead letter already, and that does not fit either.
        std::optional<std::uint32_t> blamed_by;  // A statement that passed with no other record.
    };
    struct StatementState {
        std::uint64_t passed_at = 0;  // Of the rows that passed, when the last was sent.
        std::size_t blamed = 0;       // Records since then, without a neighbour that passed.
    };
    // What one outcome says of a chunk.
    struct Verdict {
        std::optional<Error> database;
        std::optional<Error> table;
        bool certain = false;                           // A table's fault, told at once.
        bool alike = false;                             // Only because so many records fail so.
        bool isolate = false;                           // Rows of batches were invalid.
        std::map<std::uint32_t, std::size_t> suspects;  // Records that were, by statement.
        std::set<std::uint32_t> changed;  // Statements that refuse what they have taken before.
        std::vector<Rejection> rejections;
    };

    void settle_passed(Load& load, const WriteOutcome& outcome);
    Verdict judge(Load& load, const WriteOutcome& outcome);
    void judge_row(Load& load, std::uint32_t row, const Error& error, Verdict& verdict);
    void put_back(const LoadPtr& load, const Verdict& verdict, TimePoint now);
    void bury(Load& load, Verdict& verdict);
    void note_blame(const Rejection& rejection);
    void reject(std::vector<Rejection> rejections);
    void refuse(const TopicPartition& partition, const Error& error);
    void report_durable(Load& load);

    void database_failed(Load& load, const Error& error, TimePoint now);
    void database_passed();
    // Of a row that is invalid on its own.
    enum class Blame : std::uint8_t { record, table, alike };
    Blame blame(const Load& load, std::uint32_t row, const Error& error, const Verdict& verdict);
    bool has_neighbour(const Load& load, std::uint32_t row);
    StatementState& state_of(std::uint32_t statement);
    bool may_probe_database(TimePoint now);
    [[nodiscard]] bool can_probe_database() const;
    void route_failed(Load& load, const Verdict& verdict, TimePoint now);
    void end_probe(Load& load, bool passed, TimePoint now);
    void end_route_fault(std::uint32_t route);
    void tell(std::uint32_t route, Fault& fault, Error error, bool alike);
    void park(LoadPtr load);
    [[nodiscard]] std::size_t parked_bytes(const RouteState& route) const;
    void sweep();
    void end_idle_faults();
    void finish(LoadPtr load);

    std::size_t sending_max_;
    std::size_t alike_bytes_max_;
    std::vector<LoadPtr> all_;  // What was added and is not through.
    std::deque<LoadPtr> queue_;
    std::vector<RouteState> routes_;
    std::optional<Fault> database_;
    std::size_t sending_ = 0;
    std::size_t bytes_ = 0;
    std::uint64_t outcomes_ = 0;  // Counts them.
    std::vector<StatementState> statements_;
    Backoff backoff_;
    Bury bury_;
    std::vector<DestinationEvent> events_;
    std::vector<LoadPtr> spare_;
    WriteCounts counts_;
};

}  // namespace sluice::cassandra
