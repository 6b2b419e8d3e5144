#include "kafka/assignment.hpp"

#include <utility>

#include "kafka/connection.hpp"
#include "kafka/translate.hpp"

namespace sluice::kafka {
namespace {

std::vector<TopicPartition> to_vector(const rd_kafka_topic_partition_list_t& list) {
    std::vector<TopicPartition> out;
    out.reserve(static_cast<std::size_t>(list.cnt));
    for (int i = 0; i < list.cnt; ++i) {
        out.push_back({list.elems[i].topic, PartitionId(list.elems[i].partition)});
    }
    return out;
}

Error not_ours(const TopicPartition& partition, const char* op) {
    return {.action = Action::stop,
            .op = op,
            .where = partition.to_string(),
            .code = {},
            .detail = "the partition is not assigned to this process",
            .hint = {}};
}

PartitionListHandle positions(std::span<Slot* const> slots) {
    PartitionListHandle list{rd_kafka_topic_partition_list_new(static_cast<int>(slots.size()))};
    for (const auto* slot : slots) {
        auto* const added = rd_kafka_topic_partition_list_add(
            list.get(), slot->partition.topic.c_str(), slot->partition.partition.value());
        added->offset = slot->next.value();
    }
    return list;
}

Result<void> to_result(rd_kafka_error_t* raw) {
    if (const ErrorHandle error{raw}) {
        const auto code = rd_kafka_error_code(error.get());
        auto failed = make_error(code, "kafka.assign", {}, rd_kafka_error_string(error.get()));
        // Any other is the state that the group is in, which passes.
        failed.action = code == RD_KAFKA_RESP_ERR__FATAL ? Action::stop : Action::retry;
        return fail(std::move(failed));
    }
    return {};
}

}  // namespace

Slot* Assignment::find(std::string_view topic, PartitionId partition) {
    const auto found = slots_.find(topic);
    if (found == slots_.end()) {
        return nullptr;
    }
    const auto slot = found->second.find(partition.value());
    return slot == found->second.end() ? nullptr : &slot->second;
}

bool Assignment::owns(const TopicPartition& partition) const {
    const auto found = slots_.find(partition.topic);
    if (found == slots_.end()) {
        return false;
    }
    const auto slot = found->second.find(partition.partition.value());
    return slot != found->second.end() && slot->second.owned;
}

Result<void> Assignment::start(const TopicPartition& partition, Offset next) {
    auto* const slot = find(partition.topic, partition.partition);
    if (slot == nullptr || !slot->owned) {
        return fail(not_ours(partition, "kafka.start"));
    }
    slot->wanted = true;
    slot->again = slot->fetched;
    slot->next = next;
    slot->at_end = false;
    unsettled_ = true;
    return settle();
}

Result<void> Assignment::stop(const TopicPartition& partition) {
    auto* const slot = find(partition.topic, partition.partition);
    if (slot == nullptr || !slot->owned) {
        return fail(not_ours(partition, "kafka.stop"));
    }
    slot->wanted = false;
    unsettled_ = true;
    return settle();
}

void Assignment::rebalance(rd_kafka_event_t* event, AssignmentListener& listener) {
    if (released_) {
        const auto nothing = positions({});
        const bool gain = rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        (void)to_result(gain ? rd_kafka_incremental_assign(client_, nothing.get())
                             : rd_kafka_incremental_unassign(client_, nothing.get()));
        return;
    }
    const auto* const list = rd_kafka_event_topic_partition_list(event);
    switch (rd_kafka_event_error(event)) {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            assigned(*list, listener);
            return;
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            revoked(*list, unsure_ || rd_kafka_assignment_lost(client_) != 0, listener);
            return;
        default:
            log_->error("a rebalance failed: {}", rd_kafka_event_error_string(event));
            if (auto freed = unfetch({}); !freed) {
                log_->error("{}", freed.error().message());
            }
            return;
    }
}

void Assignment::assigned(const rd_kafka_topic_partition_list_t& list,
                          AssignmentListener& listener) {
    const auto partitions = to_vector(list);
    for (const auto& partition : partitions) {
        auto& slot = slots_[partition.topic][partition.partition.value()];
        slot.partition = partition;
        slot.owned = true;
        slot.wanted = false;
    }
    // Unassigning first does not answer the event, so no other can come between the two.
    std::vector<Slot*> restarted;
    for (auto& [topic, slots] : slots_) {
        for (auto& [number, slot] : slots) {
            if (slot.delivers() && slot.at_end) {
                restarted.push_back(&slot);
            }
        }
    }
    auto answered = restarted.empty() ? Result<void>{} : unfetch(restarted);
    if (answered) {
        answered = fetch(restarted);
    }
    if (!answered) {
        // The rebalance waits for an answer in any case.
        log_->error("{}", answered.error().message());
        unsettled_ = true;
        (void)to_result(rd_kafka_incremental_assign(client_, positions({}).get()));
    }
    log_->debug("{} partitions assigned", partitions.size());
    if (!partitions.empty()) {
        listener.assigned(partitions);
    }
}

void Assignment::revoked(const rd_kafka_topic_partition_list_t& list, bool lost,
                         AssignmentListener& listener) {
    const auto partitions = to_vector(list);
    log_->debug("{} partitions {}", partitions.size(), lost ? "lost" : "revoked");
    if (!partitions.empty()) {
        lost ? listener.lost(partitions) : listener.revoked(partitions);
    }
    for (const auto& partition : partitions) {
        if (auto* const slot = find(partition.topic, partition.partition)) {
            slot->owned = false;
            slot->wanted = false;
        }
    }
    // Those at their end go too; settle() starts them again.
    std::vector<Slot*> ended;
    for (auto& [topic, slots] : slots_) {
        for (auto& [number, slot] : slots) {
            if (slot.fetched && (!slot.wanted || slot.at_end)) {
                ended.push_back(&slot);
                unsettled_ = unsettled_ || slot.wanted;
            }
        }
    }
    if (auto answered = unfetch(ended); !answered) {
        log_->error("{}", answered.error().message());
        for (auto* slot : ended) {
            slot->fetched = false;  // The client has let go of them by itself.
        }
        (void)to_result(rd_kafka_incremental_unassign(client_, positions({}).get()));
    }
}

void Assignment::release(AssignmentListener& listener) {
    released_ = true;
    std::vector<TopicPartition> owned;
    std::vector<Slot*> fetched;
    for (auto& [topic, slots] : slots_) {
        for (auto& [number, slot] : slots) {
            if (slot.owned) {
                owned.push_back(slot.partition);
            }
            if (slot.fetched) {
                fetched.push_back(&slot);
            }
        }
    }
    if (!owned.empty()) {
        listener.revoked(owned);
    }
    for (const auto& partition : owned) {
        auto* const slot = find(partition.topic, partition.partition);
        slot->owned = false;
        slot->wanted = false;
    }
    if (auto freed = unfetch(fetched); !freed) {
        log_->debug("{}", freed.error().message());
    }
}

Result<void> Assignment::settle() {
    if (released_ || serving_ || !unsettled_ || rd_kafka_queue_length(events_) > 0) {
        return {};  // serve() comes here again.
    }
    std::vector<Slot*> ended;
    std::vector<Slot*> begun;
    for (auto& [topic, slots] : slots_) {
        for (auto& [number, slot] : slots) {
            if (slot.fetched && (!slot.wanted || slot.again)) {
                ended.push_back(&slot);
            }
            if (slot.wanted && (!slot.fetched || slot.again)) {
                begun.push_back(&slot);
            }
        }
    }
    unsettled_ = false;
    auto done = ended.empty() ? Result<void>{} : unfetch(ended);
    if (done && !begun.empty()) {
        done = fetch(begun);
    }
    if (rd_kafka_queue_length(events_) > 0) {
        distrust();
    }
    if (!done) {
        unsettled_ = true;
    }
    return done;
}

// An event came while we called, and our call may have answered it.
void Assignment::distrust() {
    unsure_ = true;
    for (auto& [topic, slots] : slots_) {
        for (auto& [number, slot] : slots) {
            if (slot.delivers() && slot.at_end) {
                slot.again = true;
                unsettled_ = true;
            }
        }
    }
}

Result<void> Assignment::fetch(std::span<Slot* const> slots) {
    for (const auto* slot : slots) {
        forward(*slot);
    }
    SLUICE_TRY(to_result(rd_kafka_incremental_assign(client_, positions(slots).get())));
    for (auto* slot : slots) {
        slot->fetched = true;
        slot->again = false;
        slot->flowing = false;
        slot->at_end = false;
    }
    starting_ = starting_ || !slots.empty();
    return {};
}

Result<void> Assignment::unfetch(std::span<Slot* const> slots) {
    SLUICE_TRY(to_result(rd_kafka_incremental_unassign(client_, positions(slots).get())));
    for (auto* slot : slots) {
        slot->fetched = false;
        slot->again = false;
    }
    return {};
}

void Assignment::forward(const Slot& slot) {
    const QueueHandle own{rd_kafka_queue_get_partition(client_, slot.partition.topic.c_str(),
                                                       slot.partition.partition.value())};
    if (own) {
        rd_kafka_queue_forward(own.get(), records_);
    }
}

void Assignment::forward_queues() {
    if (!starting_) {
        return;
    }
    starting_ = false;
    for (auto& [topic, slots] : slots_) {
        for (auto& [number, slot] : slots) {
            if (slot.fetched && !slot.flowing) {
                forward(slot);
                starting_ = true;
            }
        }
    }
}

}  // namespace sluice::kafka
