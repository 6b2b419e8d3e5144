// RAII holders of librdkafka's objects. Private to src/kafka: the one header that shows rdkafka.h.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

namespace sluice::kafka {

// The deleter is a type, so a holder is no larger than the pointer.
template <class T, auto destroy>
struct HandleDeleter {
    void operator()(T* handle) const { destroy(handle); }
};
template <class T, auto destroy>
using Handle = std::unique_ptr<T, HandleDeleter<T, destroy>>;

// Joins the client's threads; one that waits for a broker's answer ends after socket.timeout.ms
// (20 s) at the latest. Never rd_kafka_destroy(): with a commit pending and no coordinator it was
// still blocked after 140 s. A consumer has answered its events by then, and left its group unless
// it keeps its place there (see consumer.cpp).
inline void destroy_client(rd_kafka_t* client) {
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

using ConfHandle = Handle<rd_kafka_conf_t, rd_kafka_conf_destroy>;
using ClientHandle = Handle<rd_kafka_t, destroy_client>;
using QueueHandle = Handle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using EventHandle = Handle<rd_kafka_event_t, rd_kafka_event_destroy>;
using ErrorHandle = Handle<rd_kafka_error_t, rd_kafka_error_destroy>;
using MessageHandle = Handle<rd_kafka_message_t, rd_kafka_message_destroy>;
using HeadersHandle = Handle<rd_kafka_headers_t, rd_kafka_headers_destroy>;
using TopicHandle = Handle<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using PartitionListHandle =
    Handle<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;
using PartitionHandle = Handle<rd_kafka_topic_partition_t, rd_kafka_topic_partition_destroy>;
using AdminOptionsHandle = Handle<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
using NewTopicHandle = Handle<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using TopicNamesHandle = Handle<rd_kafka_TopicCollection_t, rd_kafka_TopicCollection_destroy>;
using ConfigResourceHandle = Handle<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;
using DeleteOffsetsHandle =
    Handle<rd_kafka_DeleteConsumerGroupOffsets_t, rd_kafka_DeleteConsumerGroupOffsets_destroy>;

}  // namespace sluice::kafka
