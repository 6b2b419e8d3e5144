// One destination of the pipeline: its own consumer, its own progress, its own thread. Nothing
// that happens to another lane reaches this one.
//
// The lane's thread reads, decodes, maps and encodes; the destination writes on threads of its
// own. Shutdown order: stop polling, drain the destination, commit, leave the group (or, with an
// instance name, stay), close.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "app/config.hpp"
#include "app/partitions.hpp"
#include "base/deadline.hpp"
#include "base/log.hpp"
#include "kafka/consumer.hpp"
#include "sinks/dead_letters.hpp"
#include "sinks/destination.hpp"

namespace sluice {

struct LaneOptions {
    std::string name;  // "postgres"
    kafka::ConsumerOptions consumer;
    StartPolicy start;
    bool until_end = false;
    // Records that don't fit their tables go to each route's last target or to this topic. Neither:
    // such a record stops its partition.
    bool buries = false;
    std::shared_ptr<DeadLetterTopic> dead_letter_topic{};
    std::string dead_letter_topic_name{};  // It must be there at the start.
    std::optional<int> rows_per_s_max{};
    Bytes poll_max{4u << 20};
    Bytes record_max{16u << 20};  // Of a key and value together.
    // How long one attempt to start may wait for the servers.
    std::chrono::milliseconds attempt_wait{10'000};
};

enum class LanePhase : std::uint8_t {
    starting,  // Not yet connected to both sides.
    running,
    draining,
    ended,
};

struct StoppedPartition {
    TopicPartition partition;
    Error error;
};

struct PartitionStatus {
    TopicPartition id;
    PartitionPhase phase = PartitionPhase::assigned;
    std::optional<std::uint64_t> lag;  // Records; from Ready on.
};

// A copy of what a lane says of itself; counters are since the process started. Once all that was
// read is durable, mapped = rows + skipped + rows of the records that the database refused, unless
// partitions were given away, fenced or stopped meanwhile: what was under way then is dropped, and
// counted again when it is read again.
struct LaneStatus {
    std::string name;
    LanePhase phase = LanePhase::starting;
    bool started = false;       // Has been running, whatever it is now.
    std::uint64_t records = 0;  // Delivered and mapped.
    std::uint64_t bytes = 0;    // Of the keys and values of these.
    std::uint64_t mapped = 0;   // Rows that these gave.
    std::uint64_t rows = 0;     // Durable.
    std::uint64_t skipped = 0;  // Rows for which the tables' own triggers returned null.
    // Records, durable among the dead letters, by rejection_reason().
    std::map<std::string, std::uint64_t> dead_letters;
    std::uint64_t lag = 0;         // Records behind the end, as far as known.
    std::optional<Error> waiting;  // Why it does not start, or waits at the moment.
    std::vector<StoppedPartition> stopped;
    std::optional<Error> failed;  // Ended by this.
    std::size_t fetched = 0;      // Records that wait in the client's queue.
    WaitingBytes waiting_rows;    // Encoded.
    WriteCounts writes;           // And attempts to start, among the retries.
    // Records that stopped their partition, by rejection_reason().
    std::map<std::string, std::uint64_t> rejected;
    std::uint64_t rewound = 0;  // Offsets that the database has gone back by, in all.
    // When progress was stored last: with rows in PostgreSQL, for Cassandra in the group.
    std::optional<std::chrono::steady_clock::time_point> progressed;
    // When the lane said so; before its first word, nothing.
    std::optional<std::chrono::steady_clock::time_point> at;
    // Ours now; never changed once it is published, so that copies may share it. Null: none.
    std::shared_ptr<const std::vector<PartitionStatus>> partitions;

    [[nodiscard]] std::uint64_t all_dead_letters() const;
};

class Lane {
public:
    Lane(LaneOptions options, std::unique_ptr<Destination> destination, Logger log);
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;
    ~Lane();  // After join().

    void start();
    // Begins the drain; returns at once. From any thread. Only a member with an instance name has a
    // place to keep.
    void stop(Deadline deadline, kafka::Membership membership);
    void join();
    [[nodiscard]] LaneStatus status() const;

private:
    class Worker;

    LaneOptions options_;
    std::unique_ptr<Destination> destination_;
    Logger log_;

    std::atomic<bool> stopping_{false};
    mutable std::mutex mutex_;
    Deadline drain_ = Deadline::never();
    kafka::Membership membership_ = kafka::Membership::given_up;
    LaneStatus status_;

    std::thread thread_;
};

}  // namespace sluice
