// What consumer, producer and admin share inside: making a client, its log lines and its error
// events. Private to src/kafka.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kafka/client.hpp"
#include "kafka/handles.hpp"

namespace sluice::kafka {

struct Setting {
    const char* name;
    std::string value;
};

// `defaults` may be overridden by the user's properties, `fixed` may not. `events` is a set of
// RD_KAFKA_EVENT_*; errors and log lines are always among them.
Result<ConfHandle> make_conf(const ClientOptions& options, std::span<const Setting> defaults,
                             std::span<const Setting> fixed, int events);

struct Connection {
    ClientHandle client;
    QueueHandle logs;  // Declared after the client: a queue must be gone before its client.
};
Result<Connection> open_connection(rd_kafka_type_t type, ConfHandle conf);

// Moves librdkafka's waiting log lines into ours. Its text holds addresses and names of topics
// and groups, never payloads.
void drain_logs(rd_kafka_queue_t* logs, spdlog::logger& log);

// Sorts error events. Once the cluster has been reached, one broker's trouble is only remembered;
// it becomes an error when no broker is left.
class Troubles {
public:
    std::optional<Error> sort(rd_kafka_t* client, rd_kafka_event_t* event, spdlog::logger& log);
    // Some broker has answered.
    void reached() { reached_ = true; }
    // Gives an error that only says "no answer" the last trouble as its cause.
    [[nodiscard]] Error explain(Error error) const;

private:
    std::optional<Error> cause_;  // The last trouble of a single broker.
    bool reached_ = false;
};

PartitionListHandle to_list(std::span<const TopicPartition> partitions);

}  // namespace sluice::kafka
