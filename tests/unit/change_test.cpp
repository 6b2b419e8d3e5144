// Debezium's envelopes become puts and deletes, and what can't be applied is refused by column.
#include "mapper_fixture.hpp"

namespace sluice {
namespace {

using test::connect;

class ChangeTest : public test::MapperTest {
protected:
    Mapper& follow(std::initializer_list<std::string_view> columns,
                   std::vector<std::string> key = {"id"}) {
        return mapper(Mode::changes, columns, std::move(key), connect);
    }
    std::string mapped(Mapper& by, std::optional<std::string_view> key,
                       std::optional<std::string_view> value) {
        decode(key, value, connect);
        return map(by);
    }
};

constexpr auto id = R"({"id":1})";

TEST_F(ChangeTest, PutsAfterAndDeletesByTheKey) {
    auto& by = follow({"id=value.after.id", "name=value.after.name", "lsn=value.source.lsn"});
    EXPECT_EQ(
        mapped(by, id,
               R"({"before":null,"after":{"id":1,"name":"Ada"},"source":{"lsn":7},"op":"c"})"),
        "put | number 1 | string Ada | number 7");
    EXPECT_EQ(mapped(by, id,
                     R"({"before":null,"after":{"id":1,"name":null},"source":{"lsn":8},"op":"r"})"),
              "put | number 1 | null | number 8");
    EXPECT_EQ(mapped(by, id, R"({"before":null,"after":{"id":1},"source":{"lsn":9},"op":"u"})"),
              "put | number 1 | absent | number 9");
    EXPECT_EQ(
        mapped(by, id, R"({"before":{"id":1,"name":"Ada"},"after":null,"source":{},"op":"d"})"),
        "del | number 1 | absent | absent");
    EXPECT_EQ(mapped(by, std::nullopt, R"({"before":{"id":1},"after":null,"op":"d"})"),
              "del | number 1 | absent | absent")
        << "a topic without keys";
    EXPECT_EQ(mapped(by, id, std::nullopt), "del | number 1 | absent | absent");
}

TEST_F(ChangeTest, AChangedKeyDeletesTheFormerRow) {
    auto& by = follow({"id=value.after.id", "city=value.after.city", "name=value.after.name"},
                      {"id", "city"});
    EXPECT_EQ(mapped(by, id, R"({"before":{"id":1,"city":"Rome","name":"Ada"},
                                 "after":{"id":1,"city":"Oslo","name":"Ada"},"op":"u"})"),
              "del | number 1 | string Rome | absent; put | number 1 | string Oslo | string Ada");
    EXPECT_EQ(mapped(by, id, R"({"before":{"id":1,"city":"Oslo"},
                                 "after":{"id":1,"city":"Oslo","name":"Eve"},"op":"u"})"),
              "put | number 1 | string Oslo | string Eve");
    EXPECT_EQ(
        mapped(by, id, R"({"before":null,"after":{"id":1,"city":"Bonn"},"op":"u"})"),
        "error: orders[3]@120, column city: neither `before` nor the record's key tells which "
        "row this was (`value.after.city`)");
    EXPECT_EQ(
        mapped(by, id, R"({"before":{"id":1},"after":null,"op":"d"})"),
        "error: orders[3]@120, column city: neither the record's key nor `before` tells which "
        "row is deleted (`value.after.city`)");
    EXPECT_EQ(mapped(by, id, std::nullopt), "") << "the tombstone behind a delete";
}

TEST_F(ChangeTest, TheRecordsKeyCountsBeforeWhatTheSourceMayHaveMadeUp) {
    auto& by = follow({"id=value.after.id"});
    EXPECT_EQ(mapped(by, id, R"({"before":{"id":0},"after":null,"op":"d"})"), "del | number 1");
    EXPECT_EQ(mapped(by, id, R"({"before":null,"after":{"id":1},"op":"u"})"), "put | number 1");
}

TEST_F(ChangeTest, AValueThatWasNotSentIsKept) {
    auto& by = follow({"id=value.after.id", "doc=value.after.doc"});
    for (const auto* unsent :
         {R"("__debezium_unavailable_value")", R"(["__debezium_unavailable_value"])",
          R"("X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==")",
          R"({"__debezium_unavailable_value":"__debezium_unavailable_value"})",
          "[95,95,100,101,98,101,122,105,117,109,95,117,110,97,118,97,105,108,97,98,108,101,95,118,"
          "97,108,117,101]"}) {
        const std::string after = R"("after":{"id":1,"doc":)" + std::string(unsent) + "}";
        EXPECT_EQ(mapped(by, id, R"({"before":null,)" + after + R"(,"op":"u"})"),
                  "put | number 1 | absent")
            << unsent;
        EXPECT_EQ(mapped(by, id, R"({"before":{"id":1,"doc":"long"},)" + after + R"(,"op":"u"})"),
                  "put | number 1 | string long")
            << unsent;
        EXPECT_TRUE(mapped(by, id, "{" + after + R"(,"op":"c"})")
                        .starts_with("error: orders[3]@120, column doc: the source did not send"));
        EXPECT_TRUE(mapped(by, R"({"id":1})", R"({"before":{"id":2},)" + after + R"(,"op":"u"})")
                        .starts_with("error: orders[3]@120: the row has another key now"));
    }
    EXPECT_EQ(mapped(by, id, R"({"after":{"id":1,"doc":"__debezium"},"op":"u"})"),
              "put | number 1 | string __debezium");
}

TEST_F(ChangeTest, KeptValuesStayWhereAbsentOnesBecomeNull) {
    routes_.push_back(route(Mode::changes,
                            {"id=value.after.id", "a=value.after.a", "b=value.after.b"}, {"id"},
                            connect));
    routes_.back().targets.front().absent_is_null = true;
    routes_.back().targets.front().unavailable = "?";
    auto by = Mapper::create(routes_.back(), 0).value();
    EXPECT_EQ(mapped(by, id, R"({"after":{"id":1,"b":"?"},"op":"u"})"),
              "put | number 1 | null | absent");
}

TEST_F(ChangeTest, MarksWhatIsDeletedWhereAsked) {
    Route marks = route(Mode::changes, {"id=value.after.id", "b=value.after.b"}, {"id"}, connect);
    marks.targets[0].deleted_column = "is_gone";
    marks.targets[0] = with_mark(marks.targets[0]);
    auto by = Mapper::create(marks, 0).value();
    EXPECT_EQ(mapped(by, id, R"({"after":{"id":1,"b":2},"op":"c"})"),
              "put | number 1 | number 2 | false");
    EXPECT_EQ(mapped(by, id, R"({"before":{"id":1,"b":2},"op":"d"})"),
              "put | number 1 | absent | true");
    EXPECT_EQ(mapped(by, id, R"({"before":{"id":1},"after":{"id":9,"b":2},"op":"u"})"),
              "put | number 1 | absent | true; put | number 9 | number 2 | false");
}

TEST_F(ChangeTest, WhatIsOfTheConnectorGivesNoRow) {
    auto& by = follow({"id=value.after.id"});
    EXPECT_EQ(mapped(by, R"({"serverName":"shop"})", R"({"ts_ms":1})"), "") << "a heartbeat";
    EXPECT_EQ(mapped(by, R"({"id":"571"})",
                     R"({"status":"END","id":"571","event_count":2,"data_collections":[]})"),
              "");
    EXPECT_EQ(
        mapped(by, R"({"prefix":"p"})", R"({"op":"m","message":{"prefix":"p","content":"eA=="}})"),
        "");
}

TEST_F(ChangeTest, RefusesWhatItCantApply) {
    auto& by = follow({"id=value.after.id"});
    const std::pair<std::string_view, std::string_view> cases[] = {
        {R"({"after":{"id":1},"op":"x"})", ": the change event has an unknown `op`"},
        {R"({"after":{"id":1},"op":null})", ": the change event has an unknown `op`"},
        {R"({"after":{"id":1}})", ": the value is no change event: it has no `op`"},
        {"[1]", ": the value is no change event: it has no `op`"},
        {R"({"op":"c"})", ": the change event has no `after`"},
        {R"({"op":"u","after":null})", ": the change event has no `after`"},
        {R"({"op":"u","after":[]})", ": the change event has no `after`"},
        {R"({"op":"c","after":{"name":"x"}})",
         ", column id: a key column is absent (`value.after.id`)"},
        {R"({"op":"c","after":{"id":null}})",
         ", column id: a key column is null (`value.after.id`)"},
    };
    for (const auto& [value, why] : cases) {
        EXPECT_EQ(mapped(by, id, value), "error: orders[3]@120" + std::string(why)) << value;
    }
    decode(id, R"({"op":"t","source":{}})", connect);
    const auto truncated = by.map(event_, topic_id_);
    ASSERT_FALSE(truncated);
    EXPECT_EQ(truncated.error().action, Action::stop);
    EXPECT_EQ(truncated.error().detail, "the source table was truncated");
}

TEST_F(ChangeTest, ATruncateIsAppliedWhereAsked) {
    Route applies = route(Mode::changes, {"id=value.after.id"}, {"id"}, connect);
    applies.targets[0].truncates = true;
    auto by = Mapper::create(applies, 0).value();
    EXPECT_EQ(mapped(by, id, R"({"op":"t","source":{}})"), "truncate");
    EXPECT_EQ(mapped(by, id, R"({"after":{"id":1},"op":"c"})"), "put | number 1");
}

TEST_F(ChangeTest, PathsThatLeadNowhereAreToldAtTheStart) {
    const auto made = Mapper::create(
        route(Mode::changes, {"id=value.after.id", "name=value.name"}, {"id"}, connect), 0);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().action, Action::configure);
    EXPECT_NE(made.error().detail.find("`value.name` leads to nothing"), std::string::npos);
    EXPECT_NE(made.error().hint.find("value.after.name"), std::string::npos);
}

constexpr std::string_view with_schema =
    R"({"schema":{"type":"struct","optional":false,"name":"s.Envelope","fields":[
    {"type":"struct","optional":true,"field":"after","fields":[
      {"type":"int32","optional":false,"field":"id"},
      {"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,
       "parameters":{"scale":"2","connect.decimal.precision":"12"},"field":"balance"},
      {"type":"int64","optional":true,"name":"io.debezium.time.MicroTimestamp","version":1,"field":"at"},
      {"type":"string","optional":true,"name":"io.debezium.data.Json","version":1,"field":"doc"}]},
    {"type":"string","optional":false,"field":"op"}]},"payload":)";

TEST_F(ChangeTest, TheSchemaBesideAValueSaysHowItIsRead) {
    auto& by = follow({"id=value.after.id", "balance=value.after.balance", "at=value.after.at",
                       "doc=value.after.doc"});
    const std::string payload =
        R"({"after":{"id":1,"balance":"J0I=","at":1767323045678901,"doc":"{\"k\":1}"},"op":"c"})";
    for (int turn = 0; turn < 2; ++turn) {
        decode(
            R"({"schema":{"type":"struct","fields":[{"type":"int32","field":"id"}]},"payload":{"id":1}})",
            std::string(with_schema) + payload + "}", connect);
        const auto rows = by.map(event_, topic_id_);
        ASSERT_TRUE(rows) << rows.error().message();
        const auto cells = rows->front().cells;
        EXPECT_EQ(cells[0].reading, Reading{});
        EXPECT_EQ(cells[1].reading, (Reading{.encoding = BytesEncoding::base64, .scale = 2}));
        EXPECT_EQ(cells[2].reading, Reading{.unit = TimeUnit::micros});
        EXPECT_EQ(cells[3].reading, Reading{.encoding = BytesEncoding::json});
    }
    EXPECT_EQ(mapped(by, id, payload),
              "put | number 1 | string J0I= | number 1767323045678901 | string {\"k\":1}")
        << "the same without a schema";
    EXPECT_EQ(by.map(event_, topic_id_)->front().cells[2].reading, Reading{});
}

TEST_F(ChangeTest, ASchemaThatLiesIsRefused) {
    auto& by = follow({"id=value.after.id", "at=value.after.at"});
    EXPECT_EQ(mapped(by, id, std::string(with_schema) + R"({"after":{"id":"1","at":1},"op":"c"}})"),
              "error: orders[3]@120, column id: the schema beside it says int32, and it is a JSON "
              "string");
    EXPECT_EQ(
        mapped(by, id, std::string(with_schema) + R"({"after":{"id":1,"at":{}},"op":"c"}})"),
        "error: orders[3]@120, column at: the schema beside it says int64, and it is a JSON object "
        "or array");
}

}  // namespace
}  // namespace sluice
