#include "kafka/poll.hpp"

#include <algorithm>
#include <cstring>

#include "kafka/translate.hpp"

namespace sluice::kafka {
namespace {

std::string_view bytes_of(const void* data, std::size_t size) {
    return {static_cast<const char*>(data), size};
}

// The slot of the message before is nearly always the right one. A topic's pointer identifies it
// only while some message of this poll holds the topic, so this lives no longer than the poll.
class SlotCache {
public:
    explicit SlotCache(Assignment& assignment) : assignment_(assignment) {}

    Slot* find(const rd_kafka_message_t& message) {
        if (message.rkt != topic_ || message.partition != partition_) [[unlikely]] {
            topic_ = message.rkt;
            partition_ = message.partition;
            slot_ = topic_ == nullptr
                        ? nullptr
                        : assignment_.find(rd_kafka_topic_name(topic_), PartitionId(partition_));
        }
        return slot_;
    }

private:
    Assignment& assignment_;
    const rd_kafka_topic_t* topic_ = nullptr;
    std::int32_t partition_ = -1;
    Slot* slot_ = nullptr;
};

void take_error(const rd_kafka_message_t& message, Slot& slot, Poll::Impl& out) {
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        slot.next = std::max(slot.next, Offset(message.offset));
        slot.at_end = true;
        out.ends.push_back({slot.partition, slot.next});
        return;
    }
    // librdkafka goes on with the next batch after a damaged one; we do not.
    slot.wanted = false;
    const Offset offset = message.offset >= 0 ? Offset(message.offset) : slot.next;
    auto error = make_error(message.err, "kafka.fetch", slot.partition.at(offset),
                            rd_kafka_message_errstr(&message));
    if (error.action == Action::reject) {
        error.action = Action::configure;  // There is no record to reject.
    }
    out.faults.push_back({slot.partition, std::move(error)});
}

void take_record(const rd_kafka_message_t& message, Slot& slot, bool headers, Poll::Impl& out) {
    // A pause between two polls can make librdkafka read again what was already given out.
    if (message.offset < slot.next.value()) [[unlikely]] {
        return;
    }
    slot.next = Offset(message.offset + 1);
    slot.at_end = false;
    auto& record = out.records.emplace_back();
    record.partition = &slot.partition;
    read_message(message, record);
    if (headers) {
        const auto first = out.headers.size();
        read_headers(message, out.headers);
        out.header_ranges.emplace_back(first, out.headers.size() - first);
    }
}

std::size_t size_of(const rd_kafka_message_t& message, bool with_headers) {
    std::size_t sum = message.len + message.key_len;
    rd_kafka_headers_t* headers = nullptr;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    if (!with_headers ||
        rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return sum;
    }
    for (std::size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
        sum += sizeof(Header) + std::strlen(name) + size;
    }
    return sum;
}

void take_messages(rd_kafka_queue_t* queue, std::chrono::milliseconds wait, const PollMax& most,
                   bool headers, std::vector<rd_kafka_message_t*>& out) {
    // A batch call alone would wait until the batch is full.
    auto* const first = most.records == 0
                            ? nullptr
                            : rd_kafka_consume_queue(queue, static_cast<int>(wait.count()));
    if (first == nullptr) {
        return;
    }
    out.push_back(first);
    std::size_t bytes = size_of(*first, headers);
    while (out.size() < most.records && bytes < most.bytes.value()) {
        // As many as fit if they are like those before, of which few tell little.
        constexpr std::size_t growth_max = 32;
        const std::size_t had = out.size();
        const std::size_t fit = (most.bytes.value() - bytes) * had /
                                std::max<std::size_t>(bytes, 1);
        const std::size_t wanted = std::min(
            {most.records - had, had * growth_max, std::max<std::size_t>(fit, 1)});
        out.resize(had + wanted, nullptr);
        const auto got = rd_kafka_consume_batch_queue(queue, 0, out.data() + had, wanted);
        out.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (out.size() < had + wanted) {
            return;
        }
        for (std::size_t i = had; i < out.size(); ++i) {
            bytes += size_of(*out[i], headers);
        }
    }
}

}  // namespace

void read_message(const rd_kafka_message_t& message, Record& out) {
    out.offset = Offset(message.offset);
    rd_kafka_timestamp_type_t kind{};
    const auto timestamp = rd_kafka_message_timestamp(&message, &kind);
    if (kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && timestamp != -1) {
        out.timestamp_ms = timestamp;
    }
    if (message.key != nullptr) {
        out.key = bytes_of(message.key, message.key_len);
    }
    if (message.payload != nullptr) {
        out.value = bytes_of(message.payload, message.len);
    }
}

void read_headers(const rd_kafka_message_t& message, std::vector<Header>& out) {
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
        Header header;
        header.name = name;
        if (value != nullptr) {
            header.value = bytes_of(value, size);
        }
        out.push_back(header);
    }
}

void Poll::Impl::clear() {
    for (auto* message : messages) {
        if (message != nullptr) {
            rd_kafka_message_destroy(message);
        }
    }
    messages.clear();
    records.clear();
    headers.clear();
    header_ranges.clear();
    ends.clear();
    faults.clear();
}

std::unique_ptr<Poll::Impl> PollPool::take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
        return std::make_unique<Poll::Impl>();
    }
    auto buffers = std::move(free_.back());
    free_.pop_back();
    return buffers;
}

void PollPool::give_back(std::unique_ptr<Poll::Impl> buffers) {
    constexpr std::size_t kept_max = 8;
    const std::lock_guard lock(mutex_);
    if (free_.size() < kept_max) {
        free_.push_back(std::move(buffers));
    }
}

void read_queue(rd_kafka_queue_t* queue, std::chrono::milliseconds wait, const PollMax& most,
                bool headers, Assignment& assignment, Poll::Impl& out) {
    take_messages(queue, wait, most, headers, out.messages);
    SlotCache cache(assignment);
    for (const auto* message : out.messages) {
        auto* const slot = cache.find(*message);
        // Not delivered: what a stopped partition had still in the queue.
        if (slot == nullptr || !slot->delivers()) {
            continue;
        }
        slot->flowing = true;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) [[unlikely]] {
            take_error(*message, *slot, out);
        } else {
            take_record(*message, *slot, headers, out);
        }
    }
    for (std::size_t i = 0; i < out.header_ranges.size(); ++i) {
        const auto [begin, count] = out.header_ranges[i];
        out.records[i].headers = std::span(out.headers).subspan(begin, count);
    }
}

Poll::Poll() = default;
Poll::Poll(Poll&&) noexcept = default;

Poll& Poll::operator=(Poll&& other) noexcept {
    if (this != &other) {
        const Poll old(std::move(*this));
        impl_ = std::move(other.impl_);
    }
    return *this;
}

Poll::~Poll() {
    if (impl_ == nullptr) {
        return;
    }
    impl_->clear();
    const auto home = std::move(impl_->home);  // May free the client when it goes.
    home->give_back(std::move(impl_));
}

std::span<const Record> Poll::records() const {
    return impl_ ? std::span<const Record>(impl_->records) : std::span<const Record>();
}
std::span<const PartitionEnd> Poll::ends() const {
    return impl_ ? std::span<const PartitionEnd>(impl_->ends) : std::span<const PartitionEnd>();
}
std::span<const PartitionFault> Poll::faults() const {
    return impl_ ? std::span<const PartitionFault>(impl_->faults)
                 : std::span<const PartitionFault>();
}

}  // namespace sluice::kafka
