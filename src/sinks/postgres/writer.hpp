// One connection and the thread that owns it. Makes batches of whatever has arrived since the last
// one, and drives the write protocol with them.
#pragma once

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "sinks/postgres/batch.hpp"
#include "sinks/postgres/connection.hpp"
#include "sinks/postgres/offsets.hpp"
#include "sinks/postgres/outbox.hpp"
#include "sinks/postgres/statements.hpp"
#include "sinks/postgres/waits.hpp"
#include "sinks/postgres/work_queue.hpp"

namespace sluice::postgres {

// Of one transaction. At this size a lane wrote as fast as \copy of the same rows (1,000,000 of 181
// bytes into jsonb: 0.96 and 1.08 of it); other sizes have not been measured.
inline constexpr std::size_t batch_bytes_most = 8u << 20;

// What all writers of a lane share; not changed while they run.
struct WriterPlan {
    ConnectOptions connect;
    OffsetsTable offsets;
    std::uint32_t routes = 0;
    std::size_t batch_bytes_max = batch_bytes_most;
    Logger log;
    // Where records go that the server refuses: the topic, or the routes' last tables. Neither:
    // they stop their partitions.
    std::shared_ptr<DeadLetterTopic> dead_letter_topic;
    bool dead_letter_tables = false;

    [[nodiscard]] bool buries() const { return dead_letter_topic || dead_letter_tables; }
};

class Writer {
public:
    // All three outlive the writer.
    Writer(const WriterPlan& plan, Outbox& outbox, Waits& waits, int number);
    ~Writer();  // After join().

    // The lane's thread fills it.
    [[nodiscard]] WorkQueue& queue() { return queue_; }
    // After queue().wait_ended(); what the server still holds is ended by the interrupt.
    void join();
    // Ends the waits for what is no longer here to be written. Safe to use from any thread.
    void end_idle_waits();

private:
    // What the protocol's loop ended with.
    enum class Ended : std::uint8_t { done, suspended, doubtful, alike, set_aside, stopped };

    void run();
    bool connect();
    void answer(Acquire acquire);
    void answer_later(Acquire acquire, Failure failure);
    void name_holder(Acquire& acquire, Error& error);
    bool is_offset_held(const Batch& batch, const Window& window);
    Outcome<std::vector<Position>> lock_or_begin(const AcquireRequest& request);
    void write_next();
    void write(Batch batch, std::optional<WriteProtocol> protocol);
    Ended drive(Batch& batch, WriteProtocol& protocol, Command command);
    Ended pause(const Batch& batch, const Command& command);
    StepResult execute(const Command& command, const Batch& batch);
    StepResult reconnect();
    void take(Connection connection);
    void drop_connection();
    StepResult open_window(const Batch& batch, const Window& window);
    StepResult write_window(const Batch& batch, const Window& window);
    void look_for_others(const Batch& batch, const Window& window, const WriteFailure& failure,
                         StepResult& result) const;
    StepResult commit(const Batch& batch, const Window& window);
    StepResult probe(const Batch& batch, const Window& window);
    StepResult end_transaction(const char* sql, std::string_view op);
    StepResult read_offsets(const Batch& batch, const Window& window);
    StepResult failed(Failure failure);
    void report_durable(const Batch& batch, const Window& window);
    Ended conclude(Batch& batch, const Command& command);  // Leaves what is still to be written.
    void drop_batch(const Batch& batch, const std::optional<Error>& refusal);
    void drop_record(Batch& batch, const Command& command);
    void bury_record(Batch& batch, const Command& command);
    Ended wait_for_others(Batch& batch, const Command& command);
    // A batch that waits for its table, or for more records. `began`: this attempt.
    void lay_aside(Batch batch, std::optional<WriteProtocol> protocol, Ended ended,
                   std::chrono::steady_clock::time_point began);

    const WriterPlan& plan_;
    Outbox& outbox_;
    Waits& waits_;
    const std::string name_;
    WorkQueue queue_;

    // Of the thread alone.
    std::optional<Connection> connection_;
    int process_ = 0;                    // The last connection's, at the server; 0: there was none.
    std::optional<int> former_process_;  // Of the connection that was lost last.
    Backoff backoff_;
    unsigned connect_attempts_ = 0;
    // What triggers skipped in the window that was written last, by table.
    std::vector<std::uint64_t> skipped_;
    DeadLetterMapper dead_letter_mapper_;
    bool was_resumed_ = false;    // The batch before had waited for its table.
    bool unsettled_ = false;      // Dead letters of the batch are on their way to their topic.
    std::size_t window_max_ = 0;  // Of the protocol that comes next; see Rules.

    std::thread thread_;
};

}  // namespace sluice::postgres
