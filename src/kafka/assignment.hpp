// The consumer's partitions: which are ours, which are fetched, where each one stands. Keeps
// librdkafka's two assignments apart: the group's (what is ours) and the fetched one.
// Private to src/kafka.
//
// What this rests on, read in librdkafka 2.12.1:
//  - A rebalance event changes the group's assignment when it is queued; the client answers with
//    incremental_assign or incremental_unassign of any list, also of an empty one. The next
//    JoinGroup reports the group's assignment, not the fetched one (rdkafka_cgrp.c,
//    rd_kafka_rebalance_op_incr, rd_kafka_cgrp_handle_assignment_cooperative).
//  - Any incremental_unassign answers a waiting revocation, and any of the two calls clears the
//    "lost" mark, even where it was meant for something else. So outside of an event they are
//    made only while no event waits; if one slipped in meanwhile, a revocation counts as lost,
//    which is always safe.
//  - Fetching stops with the forwarding of a partition's queue undone, some time after
//    incremental_unassign returned. So a queue is forwarded again until something came through.
//  - rd_kafka_consume_batch_queue counts an end-of-partition event as if it were a record: the
//    client's own position is then one too far, and a rebalance, which pauses and resumes at
//    that position, would skip a record. So partitions that stand at their end are started
//    again, at the position known here, within each rebalance. (Without it, 40 s of rebalances
//    on a real broker lost 7 of 1.4 million records.)
#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "kafka/consumer.hpp"
#include "kafka/handles.hpp"

namespace sluice::kafka {

struct Slot {
    TopicPartition partition;
    Offset next;           // The next record delivered is at or after this.
    bool owned = false;    // The group gave it to us.
    bool wanted = false;   // start() was called, and no stop() or fault since.
    bool fetched = false;  // librdkafka was told to fetch it.
    bool again = false;    // Fetched from another position than `next`; to be started again.
    bool flowing = false;  // Something came since it was started.
    bool at_end = false;   // The last that came was the end of the partition.

    [[nodiscard]] bool delivers() const { return wanted && fetched && !again; }
};

class Assignment {
public:
    // `events` is the client's main queue, `records` the one that all partitions flow into.
    Assignment(rd_kafka_t* client, rd_kafka_queue_t* events, rd_kafka_queue_t* records, Logger log)
        : client_(client), events_(events), records_(records), log_(std::move(log)) {}

    // Null for a partition that never was ours. Pointers stay valid.
    Slot* find(std::string_view topic, PartitionId partition);
    [[nodiscard]] bool owns(const TopicPartition& partition) const;

    Result<void> start(const TopicPartition& partition, Offset next);
    Result<void> stop(const TopicPartition& partition);

    // Answers a rebalance event, with the listener told in between.
    void rebalance(rd_kafka_event_t* event, AssignmentListener& listener);
    // Gives every partition away, as far as this process goes; later events are only answered.
    void release(AssignmentListener& listener);
    // After the waiting events were served: does what start() and stop() had to put off.
    Result<void> settle();
    void forward_queues();
    // Around serving events: start() and stop() from within a listener are put off.
    void begin_serving() { serving_ = true; }
    void end_serving() {
        serving_ = false;
        unsure_ = false;
    }

private:
    void assigned(const rd_kafka_topic_partition_list_t& list, AssignmentListener& listener);
    void revoked(const rd_kafka_topic_partition_list_t& list, bool lost,
                 AssignmentListener& listener);
    Result<void> fetch(std::span<Slot* const> slots);
    Result<void> unfetch(std::span<Slot* const> slots);
    void forward(const Slot& slot);
    void distrust();

    struct NameHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };
    // By topic, then by partition number; nodes and their slots never move.
    std::unordered_map<std::string, std::unordered_map<std::int32_t, Slot>, NameHash,
                       std::equal_to<>>
        slots_;

    rd_kafka_t* client_;
    rd_kafka_queue_t* events_;
    rd_kafka_queue_t* records_;
    Logger log_;
    bool serving_ = false;
    bool unsettled_ = false;  // Some slot's `wanted` and `fetched` differ.
    bool unsure_ = false;     // An event may have been answered, or its mark cleared, by accident.
    bool released_ = false;   // release() was called.
    bool starting_ = false;   // Some slot may be fetched and not flowing yet.
};

}  // namespace sluice::kafka
