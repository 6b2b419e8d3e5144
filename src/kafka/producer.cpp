#include "kafka/producer.hpp"

#include <array>
#include <unordered_map>

#include "kafka/connection.hpp"
#include "kafka/translate.hpp"

namespace sluice::kafka {
namespace {

constexpr const char* op = "kafka.produce";

// A null pointer means a null value, so an empty one needs an address.
const char* address(const std::optional<std::string_view>& bytes) {
    return !bytes ? nullptr : bytes->data() == nullptr ? "" : bytes->data();
}

Result<ConfHandle> producer_conf(const ClientOptions& options) {
    const std::array defaults{
        Setting{"compression.type", "lz4"},
        Setting{"linger.ms", "10"},
        Setting{"partitioner", "murmur2_random"},
        Setting{"delivery.timeout.ms", "60000"},
        // A record may be as large as its topic takes; the broker says no to larger ones.
        Setting{"message.max.bytes", std::to_string(64 << 20)},
        Setting{"queue.buffering.max.kbytes", std::to_string(64 << 10)},
        Setting{"queue.buffering.max.messages", "400000"},
    };
    const std::array fixed{
        Setting{"enable.idempotence", "true"},
        Setting{"acks", "all"},
        Setting{"allow.auto.create.topics", "false"},
    };
    return make_conf(options, defaults, fixed, RD_KAFKA_EVENT_DR);
}

}  // namespace

struct Producer::Impl {
    Connection connection;
    QueueHandle events;
    Logger log;
    Delivery delivered;
    Troubles troubles;
    std::unordered_map<std::string, TopicHandle> topics;
    std::uint64_t outstanding = 0;

    Impl(Connection made, Logger logger, Delivery delivery)
        : connection(std::move(made)),
          events(rd_kafka_queue_get_main(connection.client.get())),
          log(std::move(logger)),
          delivered(std::move(delivery)) {}

    rd_kafka_topic_t* topic(const std::string& name);
    void take(rd_kafka_event_t* event);
    // Serves one event, and those that wait after it.
    void serve(int wait_ms);
};

Result<Producer> Producer::open(const ClientOptions& options, Logger log, Delivery delivered) {
    SLUICE_ASSIGN(auto conf, producer_conf(options));
    SLUICE_ASSIGN(auto connection, open_connection(RD_KAFKA_PRODUCER, std::move(conf)));
    return Producer(
        std::make_unique<Impl>(std::move(connection), std::move(log), std::move(delivered)));
}

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;
Producer::~Producer() = default;

rd_kafka_topic_t* Producer::Impl::topic(const std::string& name) {
    auto& held = topics[name];
    if (!held) {
        held.reset(rd_kafka_topic_new(connection.client.get(), name.c_str(), nullptr));
    }
    return held.get();
}

Result<void> Producer::send(const std::string& topic, std::optional<std::string_view> key,
                            std::optional<std::string_view> value, std::uint64_t tag) {
    auto* const held = impl_->topic(topic);
    if (held == nullptr) {
        return fail(make_error(rd_kafka_last_error(), op, topic));
    }
    const int refused = rd_kafka_produce(held, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                                         const_cast<char*>(address(value)),
                                         value ? value->size() : 0, address(key),
                                         key ? key->size() : 0, reinterpret_cast<void*>(tag));
    if (refused != 0) {
        return fail(make_error(rd_kafka_last_error(), op, topic));
    }
    ++impl_->outstanding;
    return {};
}

Result<void> Producer::send(const std::string& topic, const Record& record,
                            std::span<const Header> more, std::uint64_t tag) {
    HeadersHandle headers(rd_kafka_headers_new(record.headers.size() + more.size()));
    for (const auto& list : {record.headers, more}) {
        for (const auto& [name, value] : list) {
            rd_kafka_header_add(headers.get(), address(name), static_cast<ssize_t>(name.size()),
                                address(value), value ? static_cast<ssize_t>(value->size()) : 0);
        }
    }
    const auto field = [](rd_kafka_vtype_t type) {
        rd_kafka_vu_t one{};
        one.vtype = type;
        return one;
    };
    std::array fields{field(RD_KAFKA_VTYPE_TOPIC),     field(RD_KAFKA_VTYPE_PARTITION),
                      field(RD_KAFKA_VTYPE_MSGFLAGS),  field(RD_KAFKA_VTYPE_KEY),
                      field(RD_KAFKA_VTYPE_VALUE),     field(RD_KAFKA_VTYPE_HEADERS),
                      field(RD_KAFKA_VTYPE_TIMESTAMP), field(RD_KAFKA_VTYPE_OPAQUE)};
    fields[0].u.cstr = topic.c_str();
    fields[1].u.i32 = RD_KAFKA_PARTITION_UA;
    fields[2].u.i = RD_KAFKA_MSG_F_COPY;
    fields[3].u.mem = {const_cast<char*>(address(record.key)), record.key ? record.key->size() : 0};
    fields[4].u.mem = {const_cast<char*>(address(record.value)),
                       record.value ? record.value->size() : 0};
    fields[5].u.headers = headers.get();
    fields[6].u.i64 = record.timestamp_ms.value_or(0);  // 0: now.
    fields[7].u.ptr = reinterpret_cast<void*>(tag);
    if (const ErrorHandle refused{
            rd_kafka_produceva(impl_->connection.client.get(), fields.data(), fields.size())}) {
        return fail(make_error(rd_kafka_error_code(refused.get()), op, topic));
    }
    (void)headers.release();  // The client owns them where it has taken the record.
    ++impl_->outstanding;
    return {};
}

void Producer::Impl::take(rd_kafka_event_t* event) {
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
        if (const auto error = troubles.sort(connection.client.get(), event, *log)) {
            log->warn("{}", error->message());
        }
        return;
    }
    if (rd_kafka_event_type(event) != RD_KAFKA_EVENT_DR) {
        return;
    }
    while (const auto* const message = rd_kafka_event_message_next(event)) {
        --outstanding;
        std::optional<Error> error;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) [[likely]] {
            troubles.reached();
        } else {
            // Not rd_kafka_message_errstr(): of a message that was sent it gives the payload.
            error = make_error(message->err, op, rd_kafka_topic_name(message->rkt));
        }
        delivered(reinterpret_cast<std::uint64_t>(message->_private), error);
    }
}

void Producer::Impl::serve(int wait_ms) {
    drain_logs(connection.logs.get(), *log);
    while (const EventHandle event{rd_kafka_queue_poll(events.get(), wait_ms)}) {
        take(event.get());
        wait_ms = 0;
    }
}

void Producer::serve(std::chrono::milliseconds wait) {
    impl_->serve(static_cast<int>(wait.count()));
}

bool Producer::flush(Deadline deadline) {
    while (impl_->outstanding > 0 && !deadline.passed()) {
        impl_->serve(deadline.left_ms());
    }
    return impl_->outstanding == 0;
}

}  // namespace sluice::kafka
