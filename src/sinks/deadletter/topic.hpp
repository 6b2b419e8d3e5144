// A topic of dead letters: each record with its key, value, headers and timestamp as they came,
// and behind its own headers those of Kafka Connect, so that existing tools read them
// (org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter, Kafka 4.1).
#pragma once

#include <memory>
#include <string>

#include "base/log.hpp"
#include "kafka/client.hpp"
#include "sinks/dead_letters.hpp"

namespace sluice::deadletter {

// `group` is the lane's: the header `__connect.errors.connector.name` takes it. Connects when the
// first record is sent. What was sent and is not settled is kept, and dies with the object.
std::shared_ptr<DeadLetterTopic> make_topic(kafka::ClientOptions client, std::string topic,
                                            std::string group, Logger log);

}  // namespace sluice::deadletter
