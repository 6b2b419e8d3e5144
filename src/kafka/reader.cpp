#include "kafka/reader.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "kafka/connection.hpp"
#include "kafka/poll.hpp"
#include "kafka/translate.hpp"

namespace sluice::kafka {
namespace {

using namespace std::chrono_literals;

constexpr auto silence_max = 30s;
constexpr auto slice = 100ms;

// Fetching of one partition, from its start to its stop.
class Fetching {
public:
    Fetching(rd_kafka_t* client, const TopicPartition& partition)
        : queue_(rd_kafka_queue_new(client)),
          topic_(rd_kafka_topic_new(client, partition.topic.c_str(), nullptr)),
          partition_(partition.partition.value()) {}
    Fetching(const Fetching&) = delete;
    Fetching& operator=(const Fetching&) = delete;
    ~Fetching() {
        if (started_) {
            (void)rd_kafka_consume_stop(topic_.get(), partition_);
        }
    }
    Result<void> start(const TopicPartition& partition, Offset from) {
        if (!topic_ || rd_kafka_consume_start_queue(topic_.get(), partition_, from.value(),
                                                    queue_.get()) != 0) {
            return fail(make_error(rd_kafka_last_error(), "kafka.fetch", partition.at(from)));
        }
        started_ = true;
        return {};
    }
    [[nodiscard]] MessageHandle next() const {
        return MessageHandle(rd_kafka_consume_queue(queue_.get(), static_cast<int>(slice / 1ms)));
    }

private:
    QueueHandle queue_;
    TopicHandle topic_;
    std::int32_t partition_;
    bool started_ = false;
};

Error silent(const TopicPartition& partition, Offset next) {
    return make_error(RD_KAFKA_RESP_ERR__TIMED_OUT, "kafka.fetch", partition.at(next),
                      "no broker gave a record within 30 s");
}

}  // namespace

// The client goes last.
struct Reader::Impl {
    Connection connection;
    Logger log;
    QueueHandle events;
    Troubles troubles;

    Impl(Connection made, Logger logger)
        : connection(std::move(made)),
          log(std::move(logger)),
          events(rd_kafka_queue_get_main(connection.client.get())) {}

    std::optional<Error> serve() {
        drain_logs(connection.logs.get(), *log);
        while (const EventHandle event{rd_kafka_queue_poll(events.get(), 0)}) {
            if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_ERROR) {
                auto error = troubles.sort(connection.client.get(), event.get(), *log);
                if (error && error->action != Action::retry) {
                    return error;
                }
            }
        }
        return std::nullopt;
    }
};

Result<Reader> Reader::open(const ClientOptions& options, Logger log) {
    const std::array defaults{Setting{"fetch.wait.max.ms", "100"},
                              Setting{"fetch.error.backoff.ms", "200"},
                              Setting{"queued.max.messages.kbytes", "16384"},
                              Setting{"receive.message.max.bytes", "100000000"}};
    const std::array fixed{
        Setting{"enable.auto.commit", "false"}, Setting{"enable.auto.offset.store", "false"},
        Setting{"auto.offset.reset", "error"},  Setting{"isolation.level", "read_committed"},
        Setting{"check.crcs", "true"},          Setting{"allow.auto.create.topics", "false"},
        Setting{"enable.partition.eof", "true"}};
    SLUICE_ASSIGN(auto conf, make_conf(options, defaults, fixed, 0));
    SLUICE_ASSIGN(auto connection, open_connection(RD_KAFKA_CONSUMER, std::move(conf)));
    return Reader(std::make_unique<Impl>(std::move(connection), std::move(log)));
}

Reader::Reader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<void> Reader::read(const OffsetRange& range,
                          const std::function<bool(const Record&)>& each) {
    if (range.from >= range.to) {
        return {};
    }
    Fetching fetching(impl_->connection.client.get(), range.partition);
    SLUICE_TRY(fetching.start(range.partition, range.from));
    std::vector<Header> headers;
    Offset next = range.from;
    Deadline silence = Deadline::in(silence_max);
    while (true) {
        const MessageHandle message = fetching.next();
        if (auto trouble = impl_->serve()) {
            return fail(*std::move(trouble));
        }
        if (!message) {
            if (silence.passed()) {
                return fail(impl_->troubles.explain(silent(range.partition, next)));
            }
            continue;
        }
        impl_->troubles.reached();
        silence = Deadline::in(silence_max);
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            return {};
        }
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return fail(make_error(message->err, "kafka.fetch", range.partition.at(next),
                                   rd_kafka_message_errstr(message.get())));
        }
        if (Offset(message->offset) >= range.to) {
            return {};
        }
        Record record;
        record.partition = &range.partition;
        read_message(*message, record);
        headers.clear();
        read_headers(*message, headers);
        record.headers = headers;
        if (!each(record)) {
            return {};
        }
        next = record.offset.next();
        if (next >= range.to) {
            return {};
        }
    }
}

}  // namespace sluice::kafka
