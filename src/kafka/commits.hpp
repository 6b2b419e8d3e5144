// Commits by queue: each wait has a deadline, and an answer that comes after it is dropped.
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

    Result<void> wait(std::span<const Commit> commits, Deadline deadline);
    Result<void> send(std::span<const Commit> commits);
    [[nodiscard]] bool pending() const { return pending_ != 0; }
    std::optional<Result<void>> take_result();

private:
    // A number for the answer to be known by.
    Result<std::uint64_t> request(std::span<const Commit> commits);
    void take_answer(rd_kafka_event_t* event);

    rd_kafka_t* client_;
    QueueHandle answers_;
    std::uint64_t last_ = 0;
    std::uint64_t awaited_ = 0;  // wait()'s request.
    std::uint64_t pending_ = 0;  // send()'s request, 0 where none is under way.
    std::optional<Result<void>> awaited_result_;
    std::optional<Result<void>> pending_result_;
};

}  // namespace sluice::kafka
