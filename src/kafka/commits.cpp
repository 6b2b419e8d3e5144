#include "kafka/commits.hpp"

#include <cstring>

#include "base/failpoint.hpp"
#include "kafka/connection.hpp"
#include "kafka/translate.hpp"

namespace sluice::kafka {
namespace {

constexpr const char* op = "kafka.commit";

Result<void> outcome(rd_kafka_event_t* event) {
    if (const auto* const list = rd_kafka_event_topic_partition_list(event)) {
        for (int i = 0; i < list->cnt; ++i) {
            const auto& element = list->elems[i];
            if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
                const TopicPartition partition{element.topic, PartitionId(element.partition)};
                return fail(make_error(element.err, op, partition.at(Offset(element.offset))));
            }
        }
    }
    const auto code = rd_kafka_event_error(event);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail(make_error(code, op, {}, rd_kafka_event_error_string(event)));
    }
    return {};
}

}  // namespace

Result<std::uint64_t> Commits::request(std::span<const Commit> commits) {
    const PartitionListHandle list{
        rd_kafka_topic_partition_list_new(static_cast<int>(commits.size()))};
    for (const auto& commit : commits) {
        auto* const element = rd_kafka_topic_partition_list_add(
            list.get(), commit.partition.topic.c_str(), commit.partition.partition.value());
        element->offset = commit.next.value();
        if (!commit.metadata.empty()) {
            // The list frees it, with librdkafka's own allocator.
            element->metadata = rd_kafka_mem_malloc(client_, commit.metadata.size());
            element->metadata_size = commit.metadata.size();
            std::memcpy(element->metadata, commit.metadata.data(), commit.metadata.size());
        }
    }
    failpoint("kafka.before_commit");
    const auto number = ++last_;
    // Without a callback the answer is an event on our queue, with this pointer in it.
    const auto code = rd_kafka_commit_queue(client_, list.get(), answers_.get(), nullptr,
                                            reinterpret_cast<void*>(number));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return fail(make_error(code, op));
    }
    return number;
}

void Commits::take_answer(rd_kafka_event_t* event) {
    failpoint("kafka.committed");
    const auto number = reinterpret_cast<std::uint64_t>(rd_kafka_event_opaque(event));
    if (number == awaited_) {
        awaited_result_ = outcome(event);
    } else if (number == pending_) {
        pending_result_ = outcome(event);
    }
}

void Commits::serve(int wait_ms) {
    if (const EventHandle event{rd_kafka_queue_poll(answers_.get(), wait_ms)}) {
        take_answer(event.get());
    }
}

Result<void> Commits::wait(std::span<const Commit> commits, Deadline deadline) {
    while (!answered() && !deadline.passed()) {
        serve(deadline.left_ms());
    }
    if (answered()) {
        awaited_result_.reset();
        awaited_ = 0;
        SLUICE_ASSIGN(awaited_, request(commits));
        do {
            serve(deadline.left_ms());
        } while (!answered() && !deadline.passed());
    }
    if (!answered()) {
        return fail({.action = Action::retry,
                     .op = op,
                     .where = {},
                     .code = "deadline",
                     .detail = "the group's coordinator did not answer in time",
                     .hint = "nothing is lost: the next commit covers it"});
    }
    awaited_ = 0;
    return *std::exchange(awaited_result_, std::nullopt);
}

Result<void> Commits::send(std::span<const Commit> commits) {
    if (pending()) {
        return fail({.action = Action::retry,
                     .op = op,
                     .where = {},
                     .code = "pending",
                     .detail = "the commit before has no answer yet",
                     .hint = {}});
    }
    SLUICE_ASSIGN(pending_, request(commits));
    return {};
}

std::optional<Result<void>> Commits::take_result() {
    while (const EventHandle event{rd_kafka_queue_poll(answers_.get(), 0)}) {
        take_answer(event.get());
    }
    if (std::exchange(awaited_result_, std::nullopt)) {
        awaited_ = 0;
    }
    if (pending_result_) {
        pending_ = 0;
    }
    return std::exchange(pending_result_, std::nullopt);
}

}  // namespace sluice::kafka
