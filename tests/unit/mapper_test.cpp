// An event becomes the row that the target asks for, or is refused by column.
#include "mapper_fixture.hpp"

namespace sluice {
namespace {

using test::json_json;
using test::MapperTest;
using test::string_json;

TEST_F(MapperTest, FindsMembersElementsAndTheirAbsence) {
    decode("k", R"({"a":{"b":[10,{"c":"x\ty"}]},"n":null,"t":true,"o":{ "p" : 1 },"a.b":5,"":6})",
           string_json);
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"value.a.b[0]", "number 10"},
        {"value.a.b[1].c", "string x\ty"},
        {"value.a.b[1]", R"(json {"c":"x\ty"})"},
        {"value.a.b", R"(json [10,{"c":"x\ty"}])"},
        {"value.n", "null"},
        {"value.t", "true"},
        {"value.o", R"(json { "p" : 1 })"},
        {R"(value."a.b")", "number 5"},
        {R"(value."")", "number 6"},
        {"value.missing", "absent"},
        {"value.A", "absent"},
        {"value.a.b[2]", "absent"},
        {"value.a[0]", "absent"},
        {"value.a.b.c", "absent"},
        {"value.n.x", "absent"},
        {"value.t.x", "absent"},
        {"value[0]", "absent"},
    };
    for (const auto& [path, expected] : cases) {
        EXPECT_EQ(shown(path), expected) << path;
    }
    EXPECT_EQ(at("value.a").document, &event_.value.json);
    EXPECT_EQ(at("value.a.b[1].c").raw, R"("x\ty")");
}

TEST_F(MapperTest, GivesTheWholeValueByItsKind) {
    decode("k", " {\"a\": 1}\n", string_json);
    EXPECT_EQ(shown("value"), "json  {\"a\": 1}\n") << "byte for byte as it came";
    EXPECT_EQ(at("value").document, &event_.value.json);
    decode("k", " 12.50 ", string_json);
    EXPECT_EQ(shown("value"), "number 12.50");
    decode("k", R"("a\nb")", string_json);
    EXPECT_EQ(shown("value"), "string a\nb");
    EXPECT_EQ(at("value").raw, R"("a\nb")");
    decode("k", "null", string_json);
    EXPECT_EQ(shown("value"), "null");
    EXPECT_EQ(shown("value.a"), "absent");
    decode("k", "plain", {Format::string, Format::string});
    EXPECT_EQ(shown("value"), "text plain");
    EXPECT_EQ(shown("value.a"), "absent");
    EXPECT_EQ(shown("key"), "text k");
    decode("k", "\xff\x01", {Format::bytes, Format::bytes});
    EXPECT_EQ(shown("value"), "bytes 2");
    EXPECT_EQ(shown("key"), "bytes 1");
}

TEST_F(MapperTest, ReadsKeysAndHeaders) {
    const Header headers[] = {{"trace", "one"}, {"trace", "two"}, {"none", std::nullopt},
                              {"raw", "\xff"},  {"", "empty"},    {"blank", ""}};
    record_.headers = headers;
    decode(R"({"id":7})", "{}", json_json);
    EXPECT_EQ(shown("key.id"), "number 7");
    EXPECT_EQ(shown("key"), R"(json {"id":7})");
    EXPECT_EQ(at("key.id").document, &event_.key.json);
    EXPECT_EQ(shown("headers.trace"), "text two");
    EXPECT_EQ(shown("headers.none"), "null");
    EXPECT_EQ(shown("headers.raw"), "bytes 1");
    EXPECT_EQ(shown("headers.blank"), "text ");
    EXPECT_EQ(shown(R"(headers."")"), "text empty");
    EXPECT_EQ(shown("headers.Trace"), "absent");
    decode(std::nullopt, "{}", json_json);
    EXPECT_EQ(shown("key"), "null");
    EXPECT_EQ(shown("key.id"), "absent");
}

TEST_F(MapperTest, KnowsWhereTheRecordCameFrom) {
    decode("k", "{}", string_json);
    EXPECT_EQ(shown("meta.topic"), "text orders");
    EXPECT_EQ(shown("meta.partition"), "integer 3");
    EXPECT_EQ(shown("meta.offset"), "integer 120");
    EXPECT_EQ(shown("meta.timestamp"), "time_ms 1517363399650");
    record_.timestamp_ms.reset();
    EXPECT_EQ(shown("meta.timestamp"), "absent");
}

// The rule for ids is public: other programs compute them too, so it must never change.
TEST_F(MapperTest, NamesRecordsByTopicPartitionAndOffset) {
    decode("k", "{}", string_json);
    EXPECT_EQ(at("meta.id").uuid, uuid_v5(topic_id_, "3:120"));
    // python3: uuid.uuid5(uuid.NAMESPACE_DNS, "3:120")
    EXPECT_EQ(shown("meta.id"), "uuid c7c25c81-bf12-56ff-9f48-1935df472494");
    partition_.partition = PartitionId{2147483647};
    record_.offset = Offset{9223372036854775807};
    EXPECT_EQ(at("meta.id").uuid, uuid_v5(topic_id_, "2147483647:9223372036854775807"));
}

TEST_F(MapperTest, AppendsWhateverTheRecordHolds) {
    auto& append = mapper(Mode::append, {"id=value.id", "data=value", "key=key", "at=meta.offset"});
    decode("k", R"({"id":1})", string_json);
    EXPECT_EQ(map(append), R"(put | number 1 | json {"id":1} | text k | integer 120)");
    decode(std::nullopt, std::nullopt, string_json);
    EXPECT_EQ(map(append), "put | absent | null | null | integer 120");
    decode("k", "[]", string_json);
    EXPECT_EQ(map(append), "put | absent | json [] | text k | integer 120");
}

TEST_F(MapperTest, UpsertsPutAndTombstonesDelete) {
    auto& upsert = mapper(Mode::upsert, {"name=value.name", "id=key"}, {"id"});
    decode("7", R"({"name":"Ada"})", string_json);
    EXPECT_EQ(map(upsert), "put | string Ada | text 7");
    decode("7", R"({"name":null})", string_json);
    EXPECT_EQ(map(upsert), "put | null | text 7");
    decode("7", "{}", string_json);
    EXPECT_EQ(map(upsert), "put | absent | text 7");
    decode("7", "null", string_json);
    EXPECT_EQ(map(upsert), "put | absent | text 7") << "the JSON value null deletes nothing";
    decode("7", R"({"name":"Ada"})", string_json);
    EXPECT_EQ(map(upsert), "put | string Ada | text 7");
    decode("7", std::nullopt, string_json);
    EXPECT_EQ(map(upsert), "del | absent | text 7") << "and nothing is left of the record before";
}

TEST_F(MapperTest, DeletesOnlyByKeysThatATombstoneHas) {
    auto& mixed = mapper(Mode::upsert, {"p=meta.partition", "id=value.id"}, {"p", "id"});
    decode("7", R"({"id":7})", string_json);
    EXPECT_EQ(map(mixed), "put | integer 3 | number 7");
    decode("7", std::nullopt, string_json);
    EXPECT_EQ(map(mixed),
              "error: orders[3]@120, column id: a null value deletes only when the key columns "
              "come from the record's key");
    auto& by_parts = mapper(Mode::upsert, {"a=key.a", "b=key.b", "v=value"}, {"b", "a"}, json_json);
    decode(R"({"a":1,"b":"x"})", std::nullopt, json_json);
    EXPECT_EQ(map(by_parts), "del | number 1 | string x | absent");
}

TEST_F(MapperTest, RefusesRowsWithoutTheirWholeKey) {
    auto& by_value = mapper(Mode::upsert, {"id=value.id", "v=value.v"}, {"id"});
    decode("k", R"({"v":1})", string_json);
    EXPECT_EQ(map(by_value),
              "error: orders[3]@120, column id: a key column is absent (`value.id`)");
    decode("k", R"({"id":null})", string_json);
    EXPECT_EQ(map(by_value), "error: orders[3]@120, column id: a key column is null (`value.id`)");
    auto& by_key = mapper(Mode::upsert, {"id=key", "v=value.v"}, {"id"});
    decode(std::nullopt, R"({"v":1})", string_json);
    EXPECT_EQ(map(by_key), "error: orders[3]@120, column id: a key column is null (`key`)");
    decode(std::nullopt, std::nullopt, string_json);
    EXPECT_EQ(map(by_key), "error: orders[3]@120, column id: a key column is null (`key`)");
}

TEST_F(MapperTest, MarksWhatIsDeletedWhereAsked) {
    Route marks = route(Mode::upsert, {"id=key", "a=value.a"}, {"id"}, string_json);
    marks.targets[0].deleted = Condition{
        {{.path = parse_path("value.gone").value(), .values = {"true"}, .or_nothing = false}}};
    marks.targets[0].deleted_column = "is_gone";
    marks.targets[0].absent_is_null = true;
    marks.targets[0] = with_mark(marks.targets[0]);
    auto mapper = Mapper::create(marks, 0).value();
    decode("7", R"({"a":1})", string_json);
    EXPECT_EQ(map(mapper), "put | text 7 | number 1 | false");
    decode("7", R"({"a":1,"gone":true})", string_json);
    EXPECT_EQ(map(mapper), "put | text 7 | absent | true");
    decode("7", std::nullopt, string_json);
    EXPECT_EQ(map(mapper), "put | text 7 | absent | true");
}

TEST_F(MapperTest, TurnsAbsentIntoNullWhereAsked) {
    Route keep = route(Mode::upsert, {"id=key", "a=value.a", "b=value.b"}, {"id"}, string_json);
    keep.targets[0].absent_is_null = true;
    auto mapper = Mapper::create(keep, 0).value();
    decode("7", R"({"b":1})", string_json);
    EXPECT_EQ(map(mapper), "put | text 7 | null | number 1");
    decode("7", std::nullopt, string_json);
    EXPECT_EQ(map(mapper), "del | text 7 | absent | absent");
    // An absent key is still an error, not a null key.
    Route by_value = route(Mode::upsert, {"id=value.id"}, {"id"}, string_json);
    by_value.targets[0].absent_is_null = true;
    auto strict = Mapper::create(by_value, 0).value();
    decode("7", "{}", string_json);
    EXPECT_TRUE(map(strict).starts_with("error: ")) << map(strict);
}

TEST_F(MapperTest, RefusesTargetsThatCanNeverWork) {
    const auto problem = [](const Route& route) {
        const auto made = Mapper::create(route, 0);
        EXPECT_FALSE(made);
        EXPECT_EQ(made.error().action, Action::configure);
        return made.error().message();
    };
    EXPECT_EQ(problem(route(Mode::append, {"id=key.id"}, {}, string_json)),
              "public.orders: `key.id` looks into the key, which is not read as JSON (map); set "
              "`key: json` in the route, or use `key`");
    EXPECT_NE(problem(route(Mode::append, {"id=value[0]"}, {}, {Format::json, Format::bytes}))
                  .find("looks into the value"),
              std::string::npos);
    EXPECT_NE(problem(route(Mode::upsert, {"id=key"}, {}, string_json)).find("no key columns"),
              std::string::npos);
    EXPECT_NE(problem(route(Mode::upsert, {"id=key"}, {"ID"}, string_json)).find("key column ID"),
              std::string::npos);
}

TEST_F(MapperTest, CarriesTheNumberOfItsTarget) {
    Route two = route(Mode::append, {"a=value"}, {}, string_json);
    two.targets.push_back(two.targets[0]);
    auto second = Mapper::create(two, 1).value();
    decode("k", "{}", string_json);
    EXPECT_EQ(second.map(event_, topic_id_)->front().target, 1U);
}

}  // namespace
}  // namespace sluice
