// What waits for one writer: partitions to acquire, pieces by route, and batches that wait for
// their tables. The lane's thread fills it, the writer's thread empties it; nothing else is
// shared between the two.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/deadline.hpp"
#include "sinks/postgres/batch.hpp"
#include "sinks/postgres/outbox.hpp"
#include "sinks/postgres/protocol.hpp"

namespace sluice::postgres {

struct Acquire {
    AcquireRequest request;
    std::uint64_t epoch = 0;
    Deadline due{Deadline::Clock::time_point{}};  // Not tried before.
    unsigned attempts = 0;
    std::optional<Deadline> patience = std::nullopt;  // With the owner that holds the offset row.
};
// A batch that waits because of its own tables, while the other routes go on.
struct Suspended {
    Batch batch;
    std::optional<WriteProtocol> protocol;  // Without one it begins anew.
    Deadline until;
};

class WorkQueue {
public:
    // The outbox keeps count of the bytes, and outlives the queue.
    explicit WorkQueue(Outbox& outbox) : outbox_(outbox) {}

    // The lane's side.
    void push(Piece piece);
    // Waits until nothing of this partition is queued or being written, but for routes that wait
    // for their tables; then, or at the deadline, closes the epoch. A batch that is still held
    // may be committed later: the compare-and-set keeps that exact.
    void clear(const TopicPartition& partition, std::uint64_t epoch, Deadline deadline);
    [[nodiscard]] bool busy() const;
    // False where nothing of this route, or (without one) nothing at all, is left to do.
    [[nodiscard]] bool holds(std::optional<std::uint32_t> route) const;
    // What is queued is still to be written, until `deadline`.
    void drain(Deadline deadline);
    // Waits for the writer's end; at the deadline it is told to end at once.
    void wait_ended(Deadline deadline);

    // Both sides.
    // False where the epoch is closed: nobody wants the answer any more.
    bool push(Acquire acquire);
    // Acquisitions and pieces of this partition up to this epoch are dropped from now on.
    void close_epoch(const TopicPartition& partition, std::uint64_t epoch);

    // The writer's side.
    // Waits for something to do; false when there is nothing more in this life.
    bool wait();
    std::optional<Acquire> take_acquire();  // One that is due.
    // One that begins anew comes with what is queued behind it, as take_batch() has it.
    std::optional<Suspended> take_resumed(std::size_t bytes_max);
    [[nodiscard]] std::size_t suspended() const;  // Routes.
    // Routes take turns, so that a busy one can't starve the others.
    std::optional<Batch> take_batch(std::size_t bytes_max);
    // What take_batch() or take_resumed() gave is through with; `bytes` are free again.
    void done(std::size_t bytes);
    // A route that waits leaves room to the others: until it is resumed the batch and what is
    // queued behind it count as set aside. The lane fetches no more of it then. Dropped where
    // nobody wants it any more.
    void suspend(Suspended suspended);
    // A batch goes back to where it was taken from, until `until`, or (with `until_more`) until
    // more of its route has come; it keeps its room. The next one has enough records to tell whose
    // fault an error is, however large they are.
    void put_back(Batch batch, Deadline until, bool until_more);
    void ended();

    [[nodiscard]] bool ending() const;           // No time for anything that waits for a person.
    bool sleep(std::chrono::milliseconds wait);  // False when the end has come.
    // At most `wait`, and not beyond the end.
    [[nodiscard]] Deadline within(std::chrono::milliseconds wait) const;

private:
    struct PutBack {
        Deadline until;
        bool until_more;
    };

    // All with the mutex held.
    [[nodiscard]] bool has_work() const;
    [[nodiscard]] bool holds_rows(std::optional<std::uint32_t> route) const;
    // Waits for its tables, or for more records.
    [[nodiscard]] bool waits(std::uint32_t route) const;
    // Queued or being written, and of a route that does not wait.
    [[nodiscard]] bool moving(const std::function<bool(const TopicPartition&)>& which) const;
    [[nodiscard]] bool closed(const TopicPartition& partition, std::uint64_t epoch) const;
    [[nodiscard]] bool wanted(const Batch& batch) const;  // By an epoch that is not closed.
    [[nodiscard]] std::size_t queued_bytes(std::uint32_t route) const;
    // When something that waits is to be tried again.
    [[nodiscard]] Deadline next_due() const;
    void close(const TopicPartition& partition, std::uint64_t epoch);
    // Of its route, and on its way from then on. In doubt: enough to tell whose fault an error is.
    void fill(Batch& batch, std::size_t bytes_max, bool in_doubt);

    Outbox& outbox_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Acquire> acquires_;
    std::map<std::uint32_t, std::deque<Piece>> pieces_;  // By route.
    std::map<std::uint32_t, Suspended> suspended_;       // By route.
    std::map<std::uint32_t, PutBack> put_back_;          // By route.
    std::unordered_map<TopicPartition, std::uint64_t> closed_epochs_;
    std::vector<TopicPartition> in_flight_;
    std::uint32_t route_in_flight_ = 0;
    std::uint32_t last_route_ = 0;
    bool draining_ = false;
    bool cut_ = false;  // The deadline of the end has passed.
    bool ended_ = false;
    Deadline end_ = Deadline::never();
};

}  // namespace sluice::postgres
