#include "kafka/consumer_conf.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace sluice::kafka {
namespace {

constexpr const char* session_name = "session.timeout.ms";
// The smallest that brokers allow by default is 6 s.
constexpr std::chrono::milliseconds session{8000};

}  // namespace

Result<ConfHandle> consumer_conf(const ConsumerOptions& options) {
    const std::array defaults{
        // A dead process is replaced within 10 s: when its session has ended, the others hear of it
        // with their next heartbeat. Each 2 s, it came to 10.0 s.
        Setting{session_name, std::to_string(session.count())},
        Setting{"heartbeat.interval.ms", "1000"},
        Setting{"max.poll.interval.ms", "600000"},
        // librdkafka's default of 1000 starves a fast sink: it got 15 to 45 % of its capacity.
        Setting{"fetch.queue.backoff.ms", "10"},
        // A partition that is started waits for the fetch under way, so this stays short.
        Setting{"fetch.wait.max.ms", "100"},
        Setting{"fetch.error.backoff.ms", "200"},
        // The bytes of the values limit the queue, and this all else that a record has there: the
        // client counts neither its own 0.4 KB nor the key. 1.5 million records without a value
        // took 411 MiB.
        Setting{"queued.min.messages", std::to_string(options.queue_max.value() / 512)},
        // What is asked for may come on top of a full queue, and is compressed: 4 MiB of 200-byte
        // events cost 70 MB more at the peak than 1 MiB, and were no faster. A batch that is
        // larger comes whole nevertheless.
        Setting{"fetch.max.bytes", std::to_string(std::clamp<std::size_t>(
                                       options.queue_max.value() / 16, 1 << 20, 16 << 20))},
        Setting{"fetch.message.max.bytes", "262144"},
        Setting{"receive.message.max.bytes", "100000000"},
    };
    const auto kib = std::clamp<std::size_t>(options.queue_max.value() >> 10, 1 << 10, 2'097'151);
    std::vector<Setting> fixed{
        {"group.id", options.group},
        {"group.protocol", "classic"},
        {"partition.assignment.strategy", "cooperative-sticky"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"isolation.level", "read_committed"},
        {"check.crcs", "true"},
        {"allow.auto.create.topics", "false"},
        {"enable.partition.eof", "true"},
        {"queued.max.messages.kbytes", std::to_string(kib)},
    };
    if (options.instance) {
        fixed.push_back({"group.instance.id", *options.instance});
    }
    return make_conf(options.client, defaults, fixed,
                     RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT);
}

std::chrono::milliseconds session_timeout(const ConsumerOptions& options) {
    std::int64_t ms = session.count();
    for (const auto& [name, value] : options.client.properties) {
        if (name == session_name) {
            (void)std::from_chars(value.data(), value.data() + value.size(), ms);
        }
    }
    return std::chrono::milliseconds{ms};
}

}  // namespace sluice::kafka
