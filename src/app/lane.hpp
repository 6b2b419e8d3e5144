// One destination of the pipeline: its own consumer, its own progress, its own thread. Nothing
// that happens to another lane reaches this one.
//
// The lane's thread reads, decodes, maps and encodes; the destination writes on threads of its
// own. Shutdown order: stop polling, drain the destination, commit, leave the group, close.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "app/config.hpp"
#include "base/deadline.hpp"
#include "base/log.hpp"
#include "kafka/consumer.hpp"
#include "sinks/destination.hpp"

namespace sluice {

struct LaneOptions {
    std::string name;  // "postgres"
    kafka::ConsumerOptions consumer;
    StartPolicy start;
    bool until_end = false;
    // The table that takes the records which don't fit their tables: each route's last target.
    std::string dead_letters{};  // Empty: such a record stops its partition.
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

// A copy of what a lane says of itself; counters are since the process started.
struct LaneStatus {
    std::string name;
    LanePhase phase = LanePhase::starting;
    bool started = false;            // Has been running, whatever it is now.
    std::uint64_t records = 0;       // Delivered and mapped.
    std::uint64_t rows = 0;          // Durable.
    std::uint64_t skipped = 0;       // Rows for which the tables' own triggers returned null.
    std::uint64_t dead_letters = 0;  // Records, durable among the dead letters.
    std::uint64_t lag = 0;           // Records behind the end, as far as known.
    std::size_t partitions = 0;      // Ours now.
    std::optional<Error> waiting;    // Why it does not start, or waits at the moment.
    std::vector<StoppedPartition> stopped;
    std::optional<Error> failed;  // Ended by this.
};

class Lane {
public:
    Lane(LaneOptions options, std::unique_ptr<Destination> destination, Logger log);
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;
    ~Lane();  // After join().

    void start();
    // Begins the drain; returns at once. From any thread.
    void stop(Deadline deadline);
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
    LaneStatus status_;

    std::thread thread_;
};

}  // namespace sluice
