// One record, many rows: a target's `each`.
#include "mapper_fixture.hpp"

namespace sluice {
namespace {

using test::string_json;

class ItemsTest : public test::MapperTest {
protected:
    Route route_of(Mode mode, std::initializer_list<std::string_view> columns,
                   std::vector<std::string> key = {}) {
        Route out = route(mode, columns, std::move(key), string_json);
        out.targets[0].each = parse_path("value.items").value();
        return out;
    }
    Mapper& each(Route route) {
        routes_.push_back(std::move(route));
        mappers_.push_back(Mapper::create(routes_.back(), 0).value());
        return mappers_.back();
    }
};

TEST_F(ItemsTest, EachItemIsARow) {
    auto& by = each(route_of(Mode::append, {"id=value.id", "n=meta.item", "sku=item.sku",
                                            "second=item.parts[1]", "whole=item"}));
    decode("k", R"({"id":7,"items":[{"sku":"a","parts":[1,2]},{"sku":null},3,null]})", string_json);
    EXPECT_EQ(map(by), "put | number 7 | integer 0 | string a | number 2 | json "
                       "{\"sku\":\"a\",\"parts\":[1,2]}; "
                       "put | number 7 | integer 1 | null | absent | json {\"sku\":null}; "
                       "put | number 7 | integer 2 | absent | absent | number 3; "
                       "put | number 7 | integer 3 | absent | absent | null");
    EXPECT_EQ(by.map(event_, topic_id_)->back().item, 3U);
    // Outside of it no item is left behind.
    EXPECT_EQ(shown("item"), "absent");
    EXPECT_EQ(shown("meta.item"), "absent");
}

TEST_F(ItemsTest, WithoutItemsThereIsNoRow) {
    auto& by = each(route_of(Mode::append, {"sku=item.sku"}));
    for (const auto* value : {R"({"items":[]})", R"({"items":null})", R"({})", "7", "null"}) {
        decode("k", value, string_json);
        EXPECT_EQ(map(by), "") << value;
    }
    decode("k", std::nullopt, string_json);
    EXPECT_EQ(map(by), "");
    for (const auto* value : {R"({"items":{"sku":1}})", R"({"items":"[]"})", R"({"items":1})"}) {
        decode("k", value, string_json);
        EXPECT_EQ(map(by), "error: orders[3]@120: `value.items` is no array") << value;
    }
}

TEST_F(ItemsTest, OneBadItemRejectsTheRecordAndIsNamed) {
    auto& by = each(route_of(Mode::upsert, {"sku=item.sku", "n=item.n"}, {"sku"}));
    decode("k", R"({"items":[{"sku":"a"},{"n":1}]})", string_json);
    EXPECT_EQ(map(by),
              "error: orders[3]@120, item 1, column sku: a key column is absent (`item.sku`)");
    decode("k", R"({"items":[{"sku":"a"}]})", string_json);
    EXPECT_EQ(map(by), "put | string a | absent");
    // Which rows are to go?
    decode("k", std::nullopt, string_json);
    EXPECT_EQ(map(by), "error: orders[3]@120: a null value does not say which items it deletes");
}

TEST_F(ItemsTest, ConditionsAreOfTheItem) {
    Route route = route_of(Mode::upsert, {"sku=item.sku"}, {"sku"});
    const auto is = [](std::string_view path, std::string value) {
        return Condition{{{.path = parse_path(path).value(),
                           .values = {std::move(value)},
                           .or_nothing = false}}};
    };
    route.targets[0].when = is("item.kind", "part");
    route.targets[0].deleted = is("item.gone", "true");
    auto& by = each(std::move(route));
    decode("k",
           R"({"items":[{"sku":"a","kind":"part"},{"sku":"b","kind":"fee"},
              {"sku":"c","kind":"part","gone":true}]})",
           string_json);
    EXPECT_EQ(map(by), "put | string a; del | string c");
    const auto rows = by.map(event_, topic_id_);
    EXPECT_EQ(rows->back().item, 2U);
}

TEST_F(ItemsTest, EachHasItsOwnTtl) {
    Route route = route_of(Mode::append, {"sku=item.sku"});
    route.targets[0].ttl = parse_path("item.ttl").value();
    auto& by = each(std::move(route));
    decode("k", R"({"items":[{"sku":"a","ttl":1},{"sku":"b","ttl":2},{"sku":"c"}]})", string_json);
    const auto rows = by.map(event_, topic_id_);
    ASSERT_EQ(rows->size(), 3U);
    EXPECT_EQ(test::show(*(*rows)[0].ttl), "number 1");
    EXPECT_EQ(test::show(*(*rows)[1].ttl), "number 2");
    EXPECT_EQ(test::show(*(*rows)[2].ttl), "absent");
}

TEST_F(ItemsTest, TheNumberOfItemsHasABound) {
    auto& by = each(route_of(Mode::append, {"item=item", "n=meta.item"}));
    const std::size_t most = Mapper::cells_max / 2;
    std::string items = "1";
    for (std::size_t i = 1; i < most; ++i) {
        items += ",1";
    }
    const std::string fits = R"({"items":[)" + items + "]}";
    decode("k", fits, string_json);
    EXPECT_EQ(by.map(event_, topic_id_)->size(), most);
    const std::string one_more = R"({"items":[1,)" + items + "]}";
    decode("k", one_more, string_json);
    EXPECT_EQ(map(by),
              "error: orders[3]@120: `value.items` has " + std::to_string(most + 1) + " items");
}

TEST_F(ItemsTest, TheSchemaOfAnItemTellsHowItIsRead) {
    Route route = route_of(Mode::append, {"day=item.day"});
    route.value_format = Format::connect_json;
    auto& by = each(std::move(route));
    constexpr std::string_view value = R"({"schema":{"type":"struct","fields":[{"field":"items",
        "type":"array","items":{"type":"struct","fields":[{"field":"day","type":"int32",
        "name":"io.debezium.time.Date"}]}}]},"payload":{"items":[{"day":1},{"day":"x"}]}})";
    decode("k", value, {Format::string, Format::connect_json});
    EXPECT_EQ(map(by),
              "error: orders[3]@120, item 1, column day: the schema beside it says int32, and it "
              "is a JSON string");
    constexpr std::string_view good = R"({"schema":{"type":"struct","fields":[{"field":"items",
        "type":"array","items":{"type":"struct","fields":[{"field":"day","type":"int32",
        "name":"io.debezium.time.Date"}]}}]},"payload":{"items":[{"day":1},{"day":2}]}})";
    decode("k", good, {Format::string, Format::connect_json});
    const auto rows = by.map(event_, topic_id_);
    ASSERT_TRUE(rows);
    EXPECT_EQ((*rows)[1].cells[0].reading.unit, TimeUnit::days);
}

}  // namespace
}  // namespace sluice
