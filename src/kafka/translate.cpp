#include "kafka/translate.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "kafka/handles.hpp"

namespace sluice::kafka {

namespace {

// What passes by itself. ILLEGAL_GENERATION and REBALANCE_IN_PROGRESS are a commit that crossed a
// rebalance: with the new generation it is taken.
constexpr std::array retry_codes{
    RD_KAFKA_RESP_ERR__TRANSPORT,
    RD_KAFKA_RESP_ERR__RESOLVE,
    RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
    RD_KAFKA_RESP_ERR__TIMED_OUT,
    RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
    RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
    RD_KAFKA_RESP_ERR__WAIT_COORD,
    RD_KAFKA_RESP_ERR__WAIT_CACHE,
    RD_KAFKA_RESP_ERR__IN_PROGRESS,
    RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS,
    RD_KAFKA_RESP_ERR__QUEUE_FULL,
    RD_KAFKA_RESP_ERR__RETRY,
    RD_KAFKA_RESP_ERR__INTR,
    RD_KAFKA_RESP_ERR__OUTDATED,
    RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED,
    RD_KAFKA_RESP_ERR__PURGE_QUEUE,
    RD_KAFKA_RESP_ERR__PURGE_INFLIGHT,
    RD_KAFKA_RESP_ERR_UNKNOWN,  // A broker's own trouble.
    RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
    RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
    RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
    RD_KAFKA_RESP_ERR_NOT_CONTROLLER,
    RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
    RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
    RD_KAFKA_RESP_ERR_STALE_BROKER_EPOCH,
    RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_PREFERRED_LEADER_NOT_AVAILABLE,
    RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
    RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED,
};

// What somebody has to change.
constexpr std::array configure_codes{
    RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
    RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
    RD_KAFKA_RESP_ERR__AUTHENTICATION,
    RD_KAFKA_RESP_ERR__SSL,
    RD_KAFKA_RESP_ERR__INVALID_ARG,
    RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,
    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID,
    RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
    RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM,
    RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE,
    RD_KAFKA_RESP_ERR_SECURITY_DISABLED,
    RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
    RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT,
    RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
    RD_KAFKA_RESP_ERR_GROUP_MAX_SIZE_REACHED,
    RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP,
    RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC,
    RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND,
    RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,
    RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
    RD_KAFKA_RESP_ERR_INVALID_CONFIG,
    RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
    RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
};

// What one record's own bytes are to blame for.
constexpr std::array reject_codes{
    RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
    RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,   RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
    RD_KAFKA_RESP_ERR_INVALID_RECORD,
};

}  // namespace

Action action_for(int code) {
    // As numbers: a newer broker's code need not be a value of the enumeration.
    const auto among = [code](const auto& codes) {
        return std::ranges::any_of(codes,
                                   [code](auto known) { return static_cast<int>(known) == code; });
    };
    return among(retry_codes)       ? Action::retry
           : among(configure_codes) ? Action::configure
           : among(reject_codes)    ? Action::reject
                                    : Action::stop;
}

std::string hint_for(int code) {
    switch (code) {
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
            return "stop every process of this group first; one with an `instance` counts until "
                   "its session has ended";
        case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
            return "give each process a name of its own (`instance`)";
        case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
            return "another kind of consumer uses this group's name; choose another name";
        case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
            return "set session.timeout.ms within the broker's group.min.session.timeout.ms and "
                   "group.max.session.timeout.ms";
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
            return "the log was truncated, its records expired, or the topic was made again";
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
