#include "kafka/client.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"
#include "kafka/handles.hpp"

namespace sluice::kafka {
namespace {

struct Refusal {
    std::string_view name;
    std::string_view reason;
};

constexpr std::string_view addresses = "the addresses are set by `brokers`";
constexpr std::string_view our_offsets = "Sluice keeps the offsets with the rows they belong to";
constexpr std::string_view our_start = "where to start is set by `start`";
constexpr std::string_view our_group = "the group's name follows from the pipeline's";
constexpr std::string_view loads_code = "it would load foreign code into this process";
constexpr std::string_view our_writes = "`sluice produce` needs acknowledged, ordered writes";

constexpr std::array refusals{
    Refusal{"bootstrap.servers", addresses},
    Refusal{"metadata.broker.list", addresses},
    Refusal{"group.id", our_group},
    Refusal{"group.instance.id", "it is set by `instance`, a name of its own for each process"},
    // librdkafka 2.12.1: a member with an instance id that joins by KIP-848 after a crash is told
    // that the id is in use, and its client is dead for good; without one it takes 45 s.
    Refusal{"group.protocol",
            "Sluice uses the classic protocol: by `consumer` a killed process comes back after "
            "45 s, and one with an `instance` not at all"},
    Refusal{"group.protocol.type", our_group},
    Refusal{"group.remote.assignor", "Sluice uses the classic group protocol"},
    Refusal{"partition.assignment.strategy",
            "Sluice needs cooperative-sticky: the others stop every partition at each rebalance"},
    Refusal{"enable.auto.commit", our_offsets},
    Refusal{"auto.commit.enable", our_offsets},
    Refusal{"auto.commit.interval.ms", our_offsets},
    Refusal{"enable.auto.offset.store", our_offsets},
    Refusal{"offset.store.method", our_offsets},
    Refusal{"offset.store.path", our_offsets},
    Refusal{"offset.store.sync.interval.ms", our_offsets},
    Refusal{"auto.offset.reset", our_start},
    Refusal{"isolation.level", "records of aborted transactions must not reach a table"},
    Refusal{"check.crcs", "a damaged batch must be found, not written"},
    Refusal{"enable.partition.eof", "Sluice needs to know when it reaches the end of a log"},
    Refusal{"allow.auto.create.topics", "a misspelt topic would come into being"},
    Refusal{"queued.max.messages.kbytes", "it follows from the lane's memory budget"},
    Refusal{"transactional.id", "Sluice does not write in Kafka transactions"},
    Refusal{"enable.idempotence", our_writes},
    Refusal{"acks", our_writes},
    Refusal{"request.required.acks", our_writes},
    Refusal{"delivery.report.only.error", our_writes},
    Refusal{"enable.gapless.guarantee", our_writes},
    Refusal{"plugin.library.paths", loads_code},
    Refusal{"ssl.engine.location", loads_code},
    Refusal{"ssl.engine.id", loads_code},
    Refusal{"ssl.providers", loads_code},
    Refusal{"sasl.kerberos.kinit.cmd", "it would run a shell command; run kinit beside Sluice"},
    Refusal{"log.queue", "Sluice writes librdkafka's log lines into its own log"},
    Refusal{"internal.termination.signal", "Sluice handles signals itself"},
    Refusal{"opaque", "it can't be given as text"},
    Refusal{"default_topic_conf", "it can't be given as text"},
    Refusal{"interceptors", loads_code},
    Refusal{"ssl_key", "it can't be given as text; use ssl.key.pem or ssl.key.location"},
    Refusal{"ssl_certificate",
            "it can't be given as text; use ssl.certificate.pem or ssl.certificate.location"},
    Refusal{"ssl_ca", "it can't be given as text; use ssl.ca.pem or ssl.ca.location"},
    Refusal{"ssl_engine_callback_data", loads_code},
    Refusal{"msg_order_cmp", "it can't be given as text"},
    Refusal{"partitioner_cb", "it can't be given as text; use `partitioner`"},
};

// librdkafka's own list, from a dump of an empty configuration.
std::vector<std::string> known_properties() {
    std::vector<std::string> names;
    const ConfHandle conf{rd_kafka_conf_new()};
    std::size_t count = 0;
    const char** dump = rd_kafka_conf_dump(conf.get(), &count);
    for (std::size_t i = 0; i + 1 < count; i += 2) {
        if (!refused_property(dump[i])) {
            names.emplace_back(dump[i]);
        }
    }
    rd_kafka_conf_dump_free(dump, count);
    return names;
}

Error bad_property(const std::string& name, std::string detail, std::string hint) {
    return {.action = Action::configure,
            .op = "kafka.properties",
            .where = {},
            .code = {},
            .detail = "'" + name + "' " + std::move(detail),
            .hint = std::move(hint)};
}

}  // namespace

std::optional<std::string> refused_property(std::string_view name) {
    const auto* const found = std::ranges::find(refusals, name, &Refusal::name);
    if (found != refusals.end()) {
        return std::string(found->reason);
    }
    if (name.ends_with("_cb")) {
        return "it is a callback, which can't be given as text";
    }
    if (name.starts_with("test.") || name.starts_with("ut_")) {
        return "it is for librdkafka's own tests";
    }
    return std::nullopt;
}

bool secret_property(std::string_view name) {
    constexpr std::array<std::string_view, 6> marks{"password", "passphrase", "secret",
                                                    ".pem",     "jaas",       "oauthbearer.config"};
    return std::ranges::any_of(
        marks, [&](std::string_view mark) { return name.find(mark) != std::string_view::npos; });
}

Result<void> check_property(const std::string& name, const std::string& value) {
    // Asked first: librdkafka loads plugins while the property is being set.
    if (auto reason = refused_property(name)) {
        return fail(bad_property(name, "can't be set: " + *std::move(reason), "remove it"));
    }
    const ConfHandle conf{rd_kafka_conf_new()};
    std::array<char, 512> why{};
    switch (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), why.data(), why.size())) {
        case RD_KAFKA_CONF_OK:
            return {};
        case RD_KAFKA_CONF_UNKNOWN: {
            const auto names = known_properties();
            const std::vector<std::string_view> views(names.begin(), names.end());
            const auto near = nearest(name, views);
            return fail(bad_property(name, "is not a property of " + library_version(),
                                     near ? "did you mean '" + std::string(*near) + "'?" : ""));
        }
        default:
            break;
    }
    // librdkafka quotes the value in its text, which is fine unless it may be a secret.
    return fail(bad_property(name,
                             secret_property(name)
                                 ? "has a value that librdkafka does not take"
                                 : "is refused by librdkafka: " + std::string(why.data()),
                             {}));
}

std::string library_version() { return std::string("librdkafka ") + rd_kafka_version_str(); }

}  // namespace sluice::kafka
