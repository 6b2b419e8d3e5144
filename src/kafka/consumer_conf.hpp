// What the client of a Consumer is told. Private to src/kafka.
#pragma once

#include "kafka/connection.hpp"
#include "kafka/consumer.hpp"

namespace sluice::kafka {

Result<ConfHandle> consumer_conf(const ConsumerOptions& options);

}  // namespace sluice::kafka
