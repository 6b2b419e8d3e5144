// Kafka Connect's envelopes are taken apart, whether their schema is known already or not.
#include <gtest/gtest.h>

#include <string>

#include "decode/decode.hpp"

namespace sluice {
namespace {

std::string schema_of(const std::string& fields) {
    return R"({"type":"struct","optional":false,"fields":[)" + fields + "]}";
}
const std::string one_field = schema_of(R"({"type":"int32","optional":false,"field":"id"})");

class ConnectTest : public ::testing::Test {
protected:
    ConnectTest() { record_.partition = &partition_; }

    // Empty, or why the value is refused.
    std::string read(std::string_view value) {
        held_ = value;
        record_.value = held_;
        const auto done = decoder_.decode(record_, Format::string, Format::connect_json,
                                          DuplicateNames::last, event_);
        return done ? std::string{} : done.error().detail;
    }
    [[nodiscard]] const Decoded& value() const { return event_.value; }

    TopicPartition partition_{"t", PartitionId{0}};
    std::string held_;
    Record record_;
    Decoder decoder_;
    Event event_;
};

TEST_F(ConnectTest, TheSameSchemaIsReadOnce) {
    const std::string before = R"({"schema":)" + one_field + R"(,"payload":)";
    ASSERT_EQ(read(before + R"({"id":1}})"), "");
    const std::uint64_t id = value().schema_id;
    EXPECT_NE(id, 0U);
    EXPECT_EQ(value().text, R"({"id":1})");
    ASSERT_EQ(read(before + " {\"id\": 2 } } \n"), "");
    EXPECT_EQ(value().schema_id, id);
    EXPECT_EQ(value().text, R"({"id": 2 })");
    EXPECT_EQ(value().json.member(value().json.root(), "id")->raw, "2");
    ASSERT_NE(value().schema, nullptr);
    ASSERT_NE(value().schema->find("id"), nullptr);
    EXPECT_EQ(value().schema->find("id")->type, ConnectType::int32);

    ASSERT_EQ(read(R"({"schema":)" + schema_of("") + R"(,"payload":{"id":3}})"), "");
    EXPECT_NE(value().schema_id, id);
    EXPECT_EQ(value().schema->find("id"), nullptr);
    ASSERT_EQ(read(before + R"({"id":4}})"), "");
    EXPECT_EQ(value().schema_id, id) << "it is not forgotten for another one";
}

TEST_F(ConnectTest, WhatIsNoEnvelopeIsThePayload) {
    for (const auto* plain :
         {R"({"id":1})", "[]", "7", R"({"schema":1})", R"({"payload":1})", "{}",
          R"({"schema":null,"payload":1,"more":2})", R"({"schema":{},"schema":{}})"}) {
        ASSERT_EQ(read(plain), "") << plain;
        EXPECT_EQ(value().text, plain);
        EXPECT_EQ(value().schema, nullptr);
        EXPECT_FALSE(value().null);
    }
}

TEST_F(ConnectTest, AKnownBeginningDoesNotHideWhatFollowsIt) {
    const std::string before = R"({"schema":)" + one_field + R"(,"payload":)";
    ASSERT_EQ(read(before + R"({"id":1}})"), "");
    ASSERT_EQ(read(before + R"({"id":1},"more":2})"), "");
    EXPECT_EQ(value().schema, nullptr) << "three members are no envelope";
    EXPECT_EQ(read(before + R"({"id":}})"),
              "not JSON: something else stands where a value is expected, at byte " +
                  std::to_string(before.size() + 6));
    EXPECT_NE(read(before), "");
    EXPECT_NE(read(before + "}"), "");
}

TEST_F(ConnectTest, TheOrderOfTheMembersDoesNotMatter) {
    for (int turn = 0; turn < 3; ++turn) {
        ASSERT_EQ(read(R"({"payload":{"id":1},"schema":)" + one_field + "}"), "");
        EXPECT_EQ(value().text, R"({"id":1})");
        EXPECT_NE(value().schema, nullptr);
    }
    ASSERT_EQ(read(R"({"schema":null,"payload":{"id":1}})"), "");
    EXPECT_EQ(value().text, R"({"id":1})");
    EXPECT_EQ(value().schema, nullptr);
}

TEST_F(ConnectTest, ANullPayloadIsANullValue) {
    const std::string before = R"({"schema":)" + one_field + R"(,"payload":)";
    for (int turn = 0; turn < 2; ++turn) {
        ASSERT_EQ(read(before + "null}"), "");
        EXPECT_TRUE(value().null);
    }
    ASSERT_EQ(read(before + R"({"id":1}})"), "");
    EXPECT_FALSE(value().null);
}

TEST_F(ConnectTest, ManySchemasAreTakenInTurn) {
    for (int turn = 0; turn < 3; ++turn) {
        for (int i = 0; i < 100; ++i) {
            const std::string name = "f" + std::to_string(i);
            ASSERT_EQ(read(R"({"schema":)" +
                           schema_of(R"({"type":"string","field":")" + name + "\"}") +
                           R"(,"payload":{}})"),
                      "");
            ASSERT_NE(value().schema->find(name), nullptr);
        }
    }
}

TEST_F(ConnectTest, ASchemaOfAnotherKindIsRefused) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {R"({"schema":{},"payload":1})", "it names no type of Kafka Connect"},
        {R"({"schema":"int32","payload":1})", "it names no type of Kafka Connect"},
        {R"({"schema":{"type":"record"},"payload":1})", "it names no type of Kafka Connect"},
        {R"({"schema":{"type":"struct"},"payload":{}})", "a part of it is missing"},
        {R"({"schema":{"type":"array"},"payload":[]})", "a part of it is missing"},
    };
    for (const auto& [text, why] : cases) {
        EXPECT_EQ(read(text), "not JSON: its `schema` is not one of Kafka Connect: " +
                                  std::string(why) + ", at byte 10");
    }
    std::string deep = R"({"type":"int8"})";
    for (int i = 0; i < 100; ++i) {
        deep = R"({"type":"array","items":)" + deep + "}";
    }
    EXPECT_NE(read(R"({"schema":)" + deep + R"(,"payload":[]})").find("nested too deep"),
              std::string::npos);
}

}  // namespace
}  // namespace sluice
