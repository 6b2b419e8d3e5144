#include "kafka/connection.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "kafka/translate.hpp"

namespace sluice::kafka {
namespace {

const std::array common{
    Setting{"socket.keepalive.enable", "true"},
    Setting{"socket.nagle.disable", "true"},
    // A frozen broker is given up after this, not after librdkafka's 60 s.
    Setting{"socket.timeout.ms", "20000"},
    // A broker that is back is found within 2 s, not 10.
    Setting{"reconnect.backoff.max.ms", "2000"},
    // New partitions are found within a minute, not five.
    Setting{"topic.metadata.refresh.interval.ms", "60000"},
    // Clients do not report their metrics to the brokers unasked.
    Setting{"enable.metrics.push", "false"},
};

Result<void> set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
    std::array<char, 512> why{};
    if (rd_kafka_conf_set(conf, name, value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) {
        return fail({.action = Action::configure,
                     .op = "kafka.open",
                     .where = {},
                     .code = {},
                     .detail = why.data(),
                     .hint = "the property is not one of this librdkafka, or takes other values"});
    }
    return {};
}

spdlog::level::level_enum level_of(int syslog_level, std::string_view facility) {
    // Connection failures come as error events too, where they are told apart and rate-limited. A
    // broker that has just started has no producer ids yet, and is asked again.
    if (facility == "FAIL" || facility == "GETPID" || syslog_level >= 7) {
        return spdlog::level::debug;
    }
    return syslog_level <= 3   ? spdlog::level::err
           : syslog_level == 4 ? spdlog::level::warn
                               : spdlog::level::info;
}

}  // namespace

Result<ConfHandle> make_conf(const ClientOptions& options, std::span<const Setting> defaults,
                             std::span<const Setting> fixed, int events) {
    if (options.brokers.empty()) {
        return fail({.action = Action::configure,
                     .op = "kafka.open",
                     .where = {},
                     .code = {},
                     .detail = "no broker is given",
                     .hint = "set `brokers` to one or more host:port"});
    }
    ConfHandle conf{rd_kafka_conf_new()};
    for (const auto& setting : common) {
        SLUICE_TRY(set(conf.get(), setting.name, setting.value));
    }
    SLUICE_TRY(set(conf.get(), "client.id", "sluice"));
    for (const auto& setting : defaults) {
        SLUICE_TRY(set(conf.get(), setting.name, setting.value));
    }
    for (const auto& [name, value] : options.properties) {
        SLUICE_TRY(check_property(name, value));
        SLUICE_TRY(set(conf.get(), name.c_str(), value));
    }
    const std::vector<std::string_view> brokers(options.brokers.begin(), options.brokers.end());
    SLUICE_TRY(set(conf.get(), "bootstrap.servers", join(brokers, ",")));
    SLUICE_TRY(set(conf.get(), "log.queue", "true"));
    for (const auto& setting : fixed) {
        SLUICE_TRY(set(conf.get(), setting.name, setting.value));
    }
    rd_kafka_conf_set_events(conf.get(), events | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    return conf;
}

Result<Connection> open_connection(rd_kafka_type_t type, ConfHandle conf) {
    std::array<char, 512> why{};
    Connection made;
    made.client.reset(rd_kafka_new(type, conf.get(), why.data(), why.size()));
    if (!made.client) {
        return fail({.action = Action::configure,
                     .op = "kafka.open",
                     .where = {},
                     .code = {},
                     .detail = why.data(),
                     .hint = {}});
    }
    (void)conf.release();  // The client owns the configuration only once it exists.
    made.logs.reset(rd_kafka_queue_new(made.client.get()));
    rd_kafka_set_log_queue(made.client.get(), made.logs.get());
    return made;
}

void drain_logs(rd_kafka_queue_t* logs, spdlog::logger& log) {
    for (int lines = 0; lines < 1000; ++lines) {
        const EventHandle event{rd_kafka_queue_poll(logs, 0)};
        if (!event) {
            return;
        }
        const char* facility = nullptr;
        const char* text = nullptr;
        int level = 0;
        if (rd_kafka_event_log(event.get(), &facility, &text, &level) != 0) {
            continue;
        }
        std::string_view line(text);
        // Every kind of client is given all of the user's properties.
        if (line.find("will be ignored by this") != std::string_view::npos) {
            continue;
        }
        if (line.starts_with("[thrd:")) {
            const auto end = line.find("]: ");
            line.remove_prefix(end == std::string_view::npos ? 0 : end + 3);
        }
        log.log(level_of(level, facility), "{}: {}", facility, line);
    }
}

std::optional<Error> Troubles::sort(rd_kafka_t* client, rd_kafka_event_t* event,
                                    spdlog::logger& log) {
    const auto code = rd_kafka_event_error(event);
    std::string text = rd_kafka_event_error_string(event);
    text.resize(std::min(text.size(), text.rfind(" (after ")));  // "(after 0ms in state CONNECT)"
    if (code == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_event_error_is_fatal(event) != 0) {
        std::array<char, 512> why{};
        const auto cause = rd_kafka_fatal_error(client, why.data(), why.size());
        auto error = make_error(cause == RD_KAFKA_RESP_ERR_NO_ERROR ? code : cause, "kafka.client",
                                {}, cause == RD_KAFKA_RESP_ERR_NO_ERROR ? text : why.data());
        error.action = Action::stop;
        return error;
    }
    switch (code) {
        case RD_KAFKA_RESP_ERR__BAD_MSG:  // Not of a partition: an answer that is not Kafka's.
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__RESOLVE:
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
            cause_ = make_error(code, "kafka.connect", {}, std::move(text));
            if (code == RD_KAFKA_RESP_ERR__BAD_MSG) {
                cause_->action = Action::retry;
                auto& detail = cause_->detail;  // "…: increase receive.message.max.bytes" misleads.
                detail.resize(std::min(detail.size(), detail.find(": increase ")));
                cause_->hint = "check the address, and that security.protocol is what its port "
                               "speaks";
            }
            if (!reached_) {
                return cause_;
            }
            log.debug("{}", cause_->detail);
            return std::nullopt;
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR__SSL:
            cause_ = make_error(code, "kafka.connect", {}, std::move(text));
            return cause_;
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN: {
            auto error = cause_ ? *cause_ : make_error(code, "kafka.connect", {}, std::move(text));
            error.detail = "no broker can be reached: " + error.detail;
            return error;
        }
        default:
            break;
    }
    std::string where;
    if (const PartitionHandle at{rd_kafka_event_topic_partition(event)}) {
        where = at->partition >= 0
                    ? TopicPartition{at->topic, PartitionId(at->partition)}.to_string()
                    : at->topic;
    }
    auto error = make_error(code, "kafka.client", std::move(where), std::move(text));
    if (error.action == Action::stop) {
        error.action = Action::retry;  // The client has not given up, whatever the brokers say.
    }
    return error;
}

Error Troubles::explain(Error error) const {
    const bool silent = error.code == "_TIMED_OUT" || error.code == "_TRANSPORT" ||
                        error.code == "_WAIT_COORD" || error.code == "deadline";
    if (!silent || !cause_ || reached_) {
        return error;
    }
    auto explained = *cause_;
    explained.op = std::move(error.op);
    explained.where = std::move(error.where);
    return explained;
}

PartitionListHandle to_list(std::span<const TopicPartition> partitions) {
    PartitionListHandle list{
        rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size()))};
    for (const auto& partition : partitions) {
        rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(),
                                          partition.partition.value());
    }
    return list;
}

}  // namespace sluice::kafka
