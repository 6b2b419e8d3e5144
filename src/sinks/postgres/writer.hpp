// One connection and the thread that owns it. Takes the pieces of its partitions, makes batches
// of whatever arrived meanwhile, and drives the write protocol with them.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "sinks/outbox.hpp"
#include "sinks/postgres/batch.hpp"
#include "sinks/postgres/connection.hpp"
#include "sinks/postgres/offsets.hpp"
#include "sinks/postgres/statements.hpp"

namespace sluice::postgres {

// What all writers of a lane share; not changed while they run.
struct WriterPlan {
    ConnectOptions connect;
    OffsetsTable offsets;
    std::vector<std::vector<TablePlan>> tables;  // By route, then by target.
    std::size_t batch_bytes_max = 8u << 20;
};

class Writer {
public:
    // Both outlive the writer.
    Writer(const WriterPlan& plan, Outbox& outbox, Logger log, int number);
    ~Writer();  // After close().

    // The lane's thread calls these.
    void acquire(const AcquireRequest& request, std::uint64_t epoch);
    void enqueue(Piece piece);
    // Waits until nothing of these partitions is queued or under way; at the deadline it drops
    // what is queued. What is under way then may still be committed: the compare-and-set keeps
    // that exact.
    void release(std::span<const TopicPartition> partitions, Deadline deadline);
    void abandon(std::span<const TopicPartition> partitions);
    [[nodiscard]] bool busy() const;
    // Begins the end: the queue is still written. join() waits for it, at the deadline it cuts.
    void drain(Deadline deadline);
    void join(Deadline deadline);

private:
    struct Acquire {
        AcquireRequest request;
        std::uint64_t epoch;
    };
    // A batch that waits because of its own tables, while the other routes go on.
    struct Suspended {
        Batch batch;
        WriteProtocol protocol;
        Deadline until;
    };
    // What the protocol's loop ended with.
    enum class Ended : std::uint8_t { done, suspended, stopped };

    void run();
    bool wait_for_work();
    [[nodiscard]] bool has_work() const;  // With the mutex held.
    [[nodiscard]] std::optional<Deadline> next_resume() const;
    std::optional<Acquire> take_acquire();
    std::optional<Batch> take_batch();
    std::optional<Suspended> take_resumed();
    void put_back(Acquire acquire);

    bool connect();
    void answer(const Acquire& acquire);
    Ended write(Batch batch, std::optional<WriteProtocol> protocol);
    Ended drive(Batch& batch, WriteProtocol& protocol, Command command);
    Ended pause(const Batch& batch, const Command& command);
    StepResult execute(const Command& command, const Batch& batch);
    StepResult read_offsets(const Batch& batch, const Window& window);
    StepResult failed(Failure failure);
    void report_durable(const Batch& batch, const Window& window);
    bool conclude(Batch& batch, const Command& command);  // True: the rest of it goes on.
    void close_epoch(const TopicPartition& partition, std::uint64_t epoch);
    void drop_queued(const TopicPartition& partition);

    void report_waiting(const Error& error, std::optional<std::uint32_t> route);
    void report_going(std::optional<std::uint32_t> route);
    bool sleep(std::chrono::milliseconds wait);  // False when the end has come.
    [[nodiscard]] Deadline by_the_end(std::chrono::milliseconds wait) const;

    const WriterPlan& plan_;
    Outbox& outbox_;
    Logger log_;

    // Of the thread alone.
    std::optional<Connection> connection_;
    Backoff backoff_;
    unsigned connect_attempts_ = 0;
    std::map<std::uint32_t, std::string> waiting_;  // By route; the database's own has no_route.

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Acquire> acquires_;
    std::map<std::uint32_t, std::deque<Piece>> queues_;  // By route.
    std::map<std::uint32_t, Suspended> suspended_;       // By route.
    std::unordered_map<TopicPartition, std::uint64_t> closed_epochs_;  // Up to here: dropped.
    std::vector<TopicPartition> in_flight_;
    std::uint32_t last_route_ = 0;
    bool draining_ = false;
    bool cut_ = false;  // The deadline of the end has passed.
    bool ended_ = false;
    Deadline end_ = Deadline::never();

    std::thread thread_;
};

}  // namespace sluice::postgres
