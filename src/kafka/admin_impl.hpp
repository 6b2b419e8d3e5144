// What an Admin holds. Private to src/kafka.
#pragma once

#include <utility>

#include "kafka/admin.hpp"
#include "kafka/connection.hpp"

namespace sluice::kafka {

struct Admin::Impl {
    // Over a consumer's client; its error events are the consumer's to serve.
    Impl(rd_kafka_t* shared, Logger logger) : client(shared), log(std::move(logger)) {}
    Impl(Connection connection, Logger logger)
        : own(std::move(connection)),
          events(rd_kafka_queue_get_main(own.client.get())),
          client(own.client.get()),
          log(std::move(logger)) {}

    Connection own;
    QueueHandle events;  // Empty over a shared client.
    rd_kafka_t* client;
    Logger log;
    Troubles troubles;
};

}  // namespace sluice::kafka
