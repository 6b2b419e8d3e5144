// Taking messages off the record queue and giving them out as Records. Private to src/kafka.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "kafka/assignment.hpp"
#include "kafka/consumer.hpp"
#include "kafka/handles.hpp"

namespace sluice::kafka {

class PollPool;

// The buffers of one Poll, used again by a later one.
struct Poll::Impl {
    std::vector<rd_kafka_message_t*> messages;  // Those not null are ours to destroy.
    std::vector<Record> records;
    std::vector<Header> headers;
    std::vector<std::pair<std::size_t, std::size_t>> header_ranges;  // One for each record.
    std::vector<PartitionEnd> ends;
    std::vector<PartitionFault> faults;
    std::shared_ptr<PollPool> home;  // Set while the Poll is out.

    Impl() = default;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    ~Impl() { clear(); }
    void clear();
};

// Free buffers, and the client itself: a message that outlived its client would hang its end, so
// whichever is the last, the consumer or one of its Polls, frees the client.
class PollPool {
public:
    explicit PollPool(ClientHandle client) : client_(std::move(client)) {}
    [[nodiscard]] rd_kafka_t* client() const { return client_.get(); }

    std::unique_ptr<Poll::Impl> take();
    void give_back(std::unique_ptr<Poll::Impl> buffers);  // From any thread.

private:
    ClientHandle client_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Poll::Impl>> free_;
};

// Offset, timestamp, key and value; views into the message.
void read_message(const rd_kafka_message_t& message, Record& out);
// Appends the message's headers; views into it.
void read_headers(const rd_kafka_message_t& message, std::vector<Header>& out);

// Fills `out` from the queue; waits up to `wait` for the first message.
void read_queue(rd_kafka_queue_t* queue, std::chrono::milliseconds wait, const PollMax& most,
                bool headers, Assignment& assignment, Poll::Impl& out);

}  // namespace sluice::kafka
