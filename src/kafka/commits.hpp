// Commits by queue: each wait has a deadline, and an answer that comes after it is dropped. One is
// under way at a time: the client sends a commit again by itself, as it was, after some answers
// (rd_kafka_handle_OffsetCommit in 2.12.1), and the older of two would end what the newer has said.
// Private to src/kafka.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "kafka/consumer.hpp"
#include "kafka/handles.hpp"

namespace sluice::kafka {

class Commits {
public:
    explicit Commits(rd_kafka_t* client) : client_(client), answers_(rd_kafka_queue_new(client)) {}

    // Waits for the one before, too.
    Result<void> wait(std::span<const Commit> commits, Deadline deadline);
    Result<void> send(std::span<const Commit> commits);
    [[nodiscard]] bool pending() const { return pending_ != 0 || awaited_ != 0; }
    std::optional<Result<void>> take_result();

private:
    // A number for the answer to be known by.
    Result<std::uint64_t> request(std::span<const Commit> commits);
    void take_answer(rd_kafka_event_t* event);
    void serve(int wait_ms);
    [[nodiscard]] bool answered() const {
        return (pending_ == 0 || pending_result_) && (awaited_ == 0 || awaited_result_);
    }

    rd_kafka_t* client_;
    QueueHandle answers_;
    std::uint64_t last_ = 0;
    std::uint64_t awaited_ = 0;  // wait()'s request; after its deadline until its answer comes.
    std::uint64_t pending_ = 0;  // send()'s request, 0 where none is under way.
    std::optional<Result<void>> awaited_result_;
    std::optional<Result<void>> pending_result_;
};

}  // namespace sluice::kafka
