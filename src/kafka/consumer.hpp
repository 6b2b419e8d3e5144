// One member of a consumer group. Ownership of a partition and fetching from it are two things
// here: an assigned partition is fetched only after start(), when its position is known.
//
// Thread: all calls come from the thread that owns the Consumer; a Poll may be moved to, and die
// on, any other thread.
//
// Back-pressure: records wait in one queue, bounded by queue_max; one fetch response a broker may
// come on top (fetch.max.bytes in consumer.cpp, and compressed), or a single batch that is larger.
// Whoever does not call poll() stops the fetching; serve() alone keeps the membership.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kafka/client.hpp"
#include "model/record.hpp"

namespace sluice::kafka {

struct ConsumerOptions {
    ClientOptions client;
    std::string group;
    // A static member (KIP-345): whoever joins under this name takes over its partitions, without
    // a rebalance while the session lasts. Nothing: a new member each time.
    std::optional<std::string> instance;
    bool headers = false;        // Fill Record::headers.
    Bytes queue_max{16u << 20};  // Records fetched ahead, over all partitions; 1 MiB to 2 GiB.
};

// How long a member that says nothing keeps its place: 8 s, or as the properties say.
std::chrono::milliseconds session_timeout(const ConsumerOptions& options);
// Error::code where another member has joined the group under our instance name.
constexpr std::string_view code_fenced_instance = "FENCED_INSTANCE_ID";

// How much one poll takes.
struct PollMax {
    std::size_t records;
    // Of keys and values, and of headers where they are read. A record that is larger comes alone;
    // where sizes change from one record to the next, more may come, at most what is in the queue.
    Bytes bytes;
};

// What becomes of the membership when the consumer is closed.
enum class Membership : std::uint8_t {
    given_up,  // The others get the partitions at once.
    kept,      // They wait for the session's end; a static member that is back by then has them.
};

// Called from within Consumer::serve() and close(). It may call start(), stop(), commit() and
// committed(), but not serve(), poll() or close().
class AssignmentListener {
public:
    virtual ~AssignmentListener() = default;
    virtual void assigned(std::span<const TopicPartition> partitions) = 0;
    // The partitions are given away when this returns: finish and commit what is under way.
    virtual void revoked(std::span<const TopicPartition> partitions) = 0;
    // Already somebody else's: drop, commit nothing.
    virtual void lost(std::span<const TopicPartition> partitions) = 0;
};

struct PartitionEnd {
    TopicPartition partition;
    Offset end;  // The position at which the end was met: control records are before it too.
};
// The partition has stopped by itself (truncation, expiry, a corrupt batch, no permission): it
// stays ours, and nothing more of it is delivered until start() is called again.
struct PartitionFault {
    TopicPartition partition;
    Error error;
};

// The records of one poll. Their memory lives as long as this object, and pins whole fetch
// buffers: let go of it soon. One that outlives its Consumer keeps the client alive.
class Poll {
public:
    Poll();
    Poll(Poll&&) noexcept;
    Poll& operator=(Poll&&) noexcept;
    ~Poll();

    [[nodiscard]] std::span<const Record> records() const;
    [[nodiscard]] std::span<const PartitionEnd> ends() const;
    [[nodiscard]] std::span<const PartitionFault> faults() const;

    struct Impl;

private:
    friend class Consumer;
    std::unique_ptr<Impl> impl_;
};

struct Commit {
    TopicPartition partition;
    Offset next;
    std::string metadata;
};
struct Committed {
    TopicPartition partition;
    std::optional<Offset> next;  // Nothing where the group has no commit.
    std::string metadata;
};

class Consumer {
public:
    static Result<Consumer> open(const ConsumerOptions& options, Logger log);
    Consumer(Consumer&&) noexcept;
    Consumer& operator=(Consumer&&) noexcept;
    // Without close() first: does not leave its group, which notices by the session's end.
    // Waits for the client's threads: up to socket.timeout.ms (20 s) for a frozen broker's answer.
    ~Consumer();

    Result<void> subscribe(std::span<const std::string> topics, AssignmentListener& listener);
    // True from the broker's answer to joining on.
    [[nodiscard]] bool is_member() const;
    // Leaves the group and joins it again, so that it shares out its partitions. Calls the
    // listener's revoked. Fails with Action::retry if nobody confirmed in time that it has left: it
    // joins nevertheless.
    Result<void> join_anew(std::span<const std::string> topics, Deadline deadline);
    // Ends the membership that an earlier process left under options.instance: joins in its place,
    // and leaves. The others get its partitions.
    static Result<void> leave_in_place_of(const ConsumerOptions& options,
                                          std::span<const std::string> topics, Deadline deadline,
                                          Logger log);
    // Serves rebalances, errors and log lines; must be called at least every few seconds, also
    // while no records are wanted. An error is one after which the consumer can't go on
    // (Action::stop; among them code_fenced_instance), or that the whole client meets and tries
    // again by itself (Action::retry: all brokers down; Action::configure: authentication,
    // authorisation of the group).
    // The same trouble may be told many times, each few seconds: limit what is logged.
    Result<void> serve();
    // Waits up to `wait` for a first record, then takes what is there without waiting more.
    Poll poll(std::chrono::milliseconds wait, const PollMax& most);

    // Begins fetching an assigned partition at `next`, also one that is fetched already or that
    // had a fault. Each record from there on is delivered once, in the order of the log.
    Result<void> start(const TopicPartition& partition, Offset next);
    // Ends fetching; the partition stays ours. No record of it is delivered after this. Both
    // may take effect only within the next serve().
    Result<void> stop(const TopicPartition& partition);

    Result<std::vector<Committed>> committed(std::span<const TopicPartition> partitions,
                                             Deadline deadline);
    // Waits for the broker's answer. Fails as a whole; Action::retry unless the membership is
    // gone, or a partition is not ours (Action::stop). At the deadline (code "deadline") the
    // outcome is unknown: what was sent may still be stored. The same commit again is harmless.
    Result<void> commit(std::span<const Commit> commits, Deadline deadline);
    // The group's first commits, for partitions that nobody owns yet: before subscribe(). Brokers
    // refuse it while the group has members (Action::retry: another process was faster; start
    // over from committed()).
    Result<void> commit_first(std::span<const Commit> commits, Deadline deadline);
    // Sends, and returns at once; take_commit_result() tells later. One at a time; commit() may
    // be called meanwhile.
    Result<void> commit_async(std::span<const Commit> commits);
    [[nodiscard]] bool commit_pending() const;
    std::optional<Result<void>> take_commit_result();

    // Records that wait to be polled.
    [[nodiscard]] std::size_t queued() const;
    // The last high watermark that a fetch brought, without asking a broker.
    [[nodiscard]] std::optional<Offset> high_watermark(const TopicPartition& partition) const;

    // Calls the listener's revoked for all partitions, leaves the group (or does not) and frees
    // the client; afterwards the object may only die. Waits up to `leave_wait` for the brokers
    // (within a rebalance leaving waits for the other members), then goes as the destructor does.
    void close(std::chrono::milliseconds leave_wait, Membership membership);

    // For admin calls over the same connection; valid as long as the consumer.
    [[nodiscard]] class Admin& admin();

private:
    struct Impl;
    explicit Consumer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::kafka
