// What of src/kafka needs no broker: properties that may not be set, and what codes mean.
#include <gtest/gtest.h>

#include <initializer_list>
#include <limits>

#include "kafka/client.hpp"
#include "kafka/translate.hpp"

namespace sluice::kafka {
namespace {

TEST(KafkaProperties, ThoseThatWouldBreakAGuaranteeAreRefusedWithAReason) {
    for (const auto* name :
         {"bootstrap.servers", "metadata.broker.list", "group.id", "group.protocol",
          "partition.assignment.strategy", "enable.auto.commit", "enable.auto.offset.store",
          "auto.offset.reset", "isolation.level", "check.crcs", "enable.partition.eof",
          "allow.auto.create.topics", "transactional.id", "enable.idempotence", "acks",
          "request.required.acks", "delivery.report.only.error"}) {
        const auto reason = refused_property(name);
        ASSERT_TRUE(reason) << name;
        EXPECT_FALSE(reason->empty()) << name;
    }
}

TEST(KafkaProperties, WhatBelongsToTheGroupNamesTheSettingInstead) {
    for (const auto* name : {"group.instance.id", "group.protocol"}) {
        const auto checked = check_property(name, "consumer");
        ASSERT_FALSE(checked) << name;
        EXPECT_NE(checked.error().message().find("`instance`"), std::string::npos) << name;
    }
}

TEST(KafkaProperties, ThoseThatLoadOrRunForeignCodeAreRefused) {
    for (const auto* name : {"plugin.library.paths", "ssl.engine.location", "ssl.engine.id",
                             "ssl.providers", "sasl.kerberos.kinit.cmd", "interceptors"}) {
        EXPECT_TRUE(refused_property(name)) << name;
    }
}

TEST(KafkaProperties, CallbacksAndTheLibrarysOwnTestsAreRefused) {
    for (const auto* name : {"rebalance_cb", "oauthbearer_token_refresh_cb", "opaque",
                             "test.mock.num.brokers", "ut_handle_ApiVersionResponse"}) {
        EXPECT_TRUE(refused_property(name)) << name;
    }
}

TEST(KafkaProperties, ConnectionAndTuningOnesAreAllowed) {
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
             {"security.protocol", "sasl_ssl"},
             {"sasl.mechanism", "SCRAM-SHA-512"},
             {"sasl.username", "app"},
             {"sasl.password", "s3cret"},
             {"fetch.max.bytes", "8388608"},
             {"client.rack", "a"},
             {"session.timeout.ms", "10000"}}) {
        EXPECT_FALSE(refused_property(name)) << name;
        EXPECT_TRUE(check_property(name, value)) << name;
    }
}

TEST(KafkaProperties, AMisspeltOneNamesItsNearest) {
    const auto checked = check_property("securty.protocol", "ssl");
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().action, Action::configure);
    EXPECT_NE(checked.error().detail.find("securty.protocol"), std::string::npos);
    EXPECT_NE(checked.error().hint.find("'security.protocol'"), std::string::npos);
}

TEST(KafkaProperties, AWrongValueIsRefusedBeforeAnythingStarts) {
    EXPECT_FALSE(check_property("security.protocol", "carrier-pigeon"));
    EXPECT_FALSE(check_property("session.timeout.ms", "soon"));
    // Refused by name, so nothing is loaded either.
    EXPECT_FALSE(check_property("plugin.library.paths", "does-not-exist"));
}

// librdkafka's own text quotes the value, which would show a secret behind a misspelt name.
TEST(KafkaProperties, AnErrorNeverQuotesASecret) {
    for (const auto* name : {"sasl.password.typo", "ssl.key.pem.typo"}) {
        const auto checked = check_property(name, "hunter2");
        ASSERT_FALSE(checked) << name;
        EXPECT_EQ(checked.error().message().find("hunter2"), std::string::npos);
    }
}

TEST(KafkaProperties, SecretsAreKnownByTheirNames) {
    for (const auto* name :
         {"sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem",
          "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config",
          "sasl.oauthbearer.assertion.private.key.passphrase", "sasl.jaas.config"}) {
        EXPECT_TRUE(secret_property(name)) << name;
    }
    for (const auto* name : {"sasl.username", "sasl.oauthbearer.method", "ssl.key.location",
                             "security.protocol", "sasl.oauthbearer.client.id"}) {
        EXPECT_FALSE(secret_property(name)) << name;
    }
}

// Kafka's own numbers, and librdkafka's negative ones, are part of their interfaces.
TEST(KafkaErrors, WhatPassesByItselfIsTriedAgain) {
    for (const int code : {-195 /* _TRANSPORT */, -193 /* _RESOLVE */, -187 /* _ALL_BROKERS_DOWN */,
                           -185 /* _TIMED_OUT */, -184 /* _QUEUE_FULL */, -180 /* _WAIT_COORD */,
                           5 /* LEADER_NOT_AVAILABLE */, 6 /* NOT_LEADER */, 7 /* timed out */,
                           14 /* COORDINATOR_LOAD_IN_PROGRESS */, 15, 16 /* NOT_COORDINATOR */,
                           19 /* NOT_ENOUGH_REPLICAS */, 22 /* ILLEGAL_GENERATION */,
                           27 /* REBALANCE_IN_PROGRESS */, 56 /* KAFKA_STORAGE_ERROR */}) {
        EXPECT_EQ(action_for(code), Action::retry) << code;
    }
}

TEST(KafkaErrors, WhatSomebodyMustChangeIsConfiguration) {
    for (const int code : {-169 /* _AUTHENTICATION */, -181 /* _SSL */, -188 /* _UNKNOWN_TOPIC */,
                           3 /* UNKNOWN_TOPIC_OR_PART */, 17 /* INVALID_TOPIC */,
                           29 /* TOPIC_AUTHORIZATION_FAILED */, 30, 31,
                           58 /* SASL_AUTHENTICATION_FAILED */, 68 /* NON_EMPTY_GROUP */}) {
        EXPECT_EQ(action_for(code), Action::configure) << code;
        EXPECT_FALSE(make_error(code, "kafka.test").detail.empty()) << code;
    }
}

TEST(KafkaErrors, WhatCouldLoseDataStops) {
    for (const int code :
         {-150 /* _FATAL */, -140 /* _AUTO_OFFSET_RESET */, -199 /* _BAD_MSG */,
          -198 /* _BAD_COMPRESSION */, 25 /* UNKNOWN_MEMBER_ID */, 82 /* FENCED_INSTANCE_ID */,
          12 /* OFFSET_METADATA_TOO_LARGE */, 31337 /* never heard of */}) {
        EXPECT_EQ(action_for(code), Action::stop) << code;
    }
}

TEST(KafkaErrors, AFencedMemberIsToldWhatToChange) {
    EXPECT_NE(make_error(82, "kafka.test").hint.find("`instance`"), std::string::npos);
}

TEST(KafkaErrors, ARecordThatIsTooLargeIsTheRecordsFault) {
    EXPECT_EQ(action_for(10 /* MSG_SIZE_TOO_LARGE */), Action::reject);
    EXPECT_EQ(action_for(32 /* INVALID_TIMESTAMP */), Action::reject);
}

TEST(KafkaErrors, AnErrorCarriesTheNativeNameAndNoFullStop) {
    const auto error = make_error(3, "kafka.describe", "orders", "it is not there.\n");
    EXPECT_EQ(error.code, "UNKNOWN_TOPIC_OR_PART");
    EXPECT_EQ(error.message(),
              "orders: it is not there (kafka.describe, UNKNOWN_TOPIC_OR_PART); create the topic, "
              "or correct its name");
}

TEST(KafkaErrors, StopOutranksConfigureOutranksRetry) {
    const auto stop = make_error(-150, "a");
    const auto configure = make_error(3, "b");
    const auto retry = make_error(-185, "c");
    EXPECT_TRUE(outranks(stop, configure));
    EXPECT_TRUE(outranks(configure, retry));
    EXPECT_FALSE(outranks(retry, retry));
    EXPECT_FALSE(outranks(configure, stop));
}

TEST(KafkaUuid, HalvesAreInNetworkOrder) {
    EXPECT_EQ(uuid_from_halves(0x0123456789abcdef, 0x0011223344556677).to_string(),
              "01234567-89ab-cdef-0011-223344556677");
    EXPECT_EQ(uuid_from_halves(-1, std::numeric_limits<std::int64_t>::min()).to_string(),
              "ffffffff-ffff-ffff-8000-000000000000");
    EXPECT_EQ(uuid_from_halves(0, 0), Uuid{});
}

}  // namespace
}  // namespace sluice::kafka
