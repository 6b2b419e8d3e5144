#include "kafka/translate.hpp"

#include <utility>

#include "kafka/handles.hpp"

namespace sluice::kafka {

Action action_for(int code) {
    switch (static_cast<rd_kafka_resp_err_t>(code)) {
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__RESOLVE:
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
        case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
        case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        case RD_KAFKA_RESP_ERR__WAIT_COORD:
        case RD_KAFKA_RESP_ERR__WAIT_CACHE:
        case RD_KAFKA_RESP_ERR__IN_PROGRESS:
        case RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS:
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        case RD_KAFKA_RESP_ERR__RETRY:
        case RD_KAFKA_RESP_ERR__INTR:
        case RD_KAFKA_RESP_ERR__OUTDATED:
        case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
        case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
        case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
        case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
        case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
        case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
        case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
        case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
        // A commit crossed a rebalance: with the new generation it is taken.
        case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
        case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
        case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
        case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
        case RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH:
        case RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH:
        case RD_KAFKA_RESP_ERR_STALE_BROKER_EPOCH:
        case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR_PREFERRED_LEADER_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT:
        case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
            return Action::retry;

        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR__SSL:
        case RD_KAFKA_RESP_ERR__INVALID_ARG:
        case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID:
        case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
        case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
        case RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
        case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
        case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
        case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
        case RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED:
        case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
        case RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC:
        case RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND:
        case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
        case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
        case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
        case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
            return Action::configure;

        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
        case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
        case RD_KAFKA_RESP_ERR_INVALID_RECORD:
            return Action::reject;

        default:
            return Action::stop;
    }
}

std::string hint_for(int code) {
    switch (static_cast<rd_kafka_resp_err_t>(code)) {
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__RESOLVE:
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
            return "check the brokers' addresses, and that their advertised.listeners can be "
                   "reached from here";
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
        case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
            return "check security.protocol, sasl.mechanism, sasl.username and sasl.password";
        case RD_KAFKA_RESP_ERR__SSL:
            return "check security.protocol and the ssl.* properties";
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID:
            return "create the topic, or correct its name";
        case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
            return "topic names hold letters, digits, '.', '_' and '-', at most 249 of them";
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            return "give the user the right to Describe and Read (or Write) this topic";
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
            return "give the user the right to Read this consumer group";
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return "give the user the right on the cluster, or create the topic yourself";
        case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
        case RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC:
            return "stop every process of this group first";
        case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
            return "another kind of consumer uses this group's name; choose another name";
        case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
            return "another process runs with the same group.instance.id";
        case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
            return "set session.timeout.ms within the broker's group.min.session.timeout.ms and "
                   "group.max.session.timeout.ms";
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
            return "the log was truncated, its records expired, or the topic was made again; "
                   "decide where to go on";
        case RD_KAFKA_RESP_ERR__BAD_MSG:
        case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
            return "the stored batch is damaged, or its codec is unknown here";
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
            return "raise max.message.bytes of the topic, and message.max.bytes or "
                   "receive.message.max.bytes here";
        default:
            return {};
    }
}

Error make_error(int code, std::string op, std::string where, std::string detail) {
    const auto native = static_cast<rd_kafka_resp_err_t>(code);
    if (detail.empty()) {
        detail = rd_kafka_err2str(native);
    }
    while (!detail.empty() && (detail.back() == '.' || detail.back() == '\n')) {
        detail.pop_back();
    }
    return {.action = action_for(code),
            .op = std::move(op),
            .where = std::move(where),
            .code = rd_kafka_err2name(native),
            .detail = std::move(detail),
            .hint = hint_for(code)};
}

bool outranks(const Error& a, const Error& b) {
    const auto rank = [](Action action) {
        return action == Action::stop ? 2 : action == Action::configure ? 1 : 0;
    };
    return rank(a.action) > rank(b.action);
}

Uuid uuid_from_halves(std::int64_t most, std::int64_t least) {
    Uuid uuid;
    for (std::size_t i = 0; i < 8; ++i) {
        const auto shift = 56 - 8 * i;
        uuid.bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(most) >> shift);
        uuid.bytes[8 + i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(least) >> shift);
    }
    return uuid;
}

}  // namespace sluice::kafka
