// What a column must be to take what records bring: by a schema, by values, and as each database's
// type.
#include <gtest/gtest.h>

#include "map/sample.hpp"
#include "map/shape.hpp"
#include "mapper_fixture.hpp"
#include "sinks/cassandra/definition.hpp"
#include "sinks/postgres/definition.hpp"

namespace sluice {
namespace {

class ShapeTest : public test::MapperTest {
protected:
    // The types of `column` in both databases, after these values of the field `x`.
    std::string types(std::initializer_list<std::string> values, const Reading& reading = {}) {
        Target target;
        target.table = "t";
        target.columns.push_back({"x", parse_path("value.x").value(), reading});
        TableSample sample(target);
        for (const auto& value : values) {
            const std::string event = value.empty() ? "{}" : R"({"x": )" + value + "}";
            decode(std::nullopt, event, test::string_json);
            sample.add(event_);
        }
        return types(sample.shape().columns.at(0));
    }
    static std::string types(const ColumnShape& column) {
        return postgres::column_type(column.shape) + " " + cassandra::column_type(column.shape);
    }
    // Of a field whose schema is `{"type": …}`.
    std::string by_schema(const std::string& schema, const std::string& value) {
        Target target;
        target.table = "t";
        TableSample sample(target);
        const std::string event =
            R"({"schema":{"type":"struct","fields":[{"field":"x","optional":true,)" + schema +
            R"(}]},"payload":{"x":)" + value + "}}";
        decode(std::nullopt, event, test::connect);
        sample.add(event_);
        const TableShape shape = sample.shape();
        EXPECT_TRUE(shape.columns.at(0).from_schema);
        return types(shape.columns.at(0));
    }
};

TEST_F(ShapeTest, OfValuesTakesAllOfThem) {
    EXPECT_EQ(types({"1", "-9223372036854775808"}), "bigint bigint");
    EXPECT_EQ(types({"1", "9223372036854775808"}), "numeric varint");
    EXPECT_EQ(types({"1", "1.5"}), "numeric decimal");
    EXPECT_EQ(types({"1e3", "1"}), "numeric decimal");
    EXPECT_EQ(types({"true", "null", "", "false"}), "boolean boolean");
    EXPECT_EQ(types({"\"2024-01-01\""}), "text text");
    EXPECT_EQ(types({"1", "\"a\""}), "text text");
    EXPECT_EQ(types({"true", "1"}), "text text");
    EXPECT_EQ(types({"{}", "[]"}), "jsonb text");
    EXPECT_EQ(types({"\"a\"", "{}"}), "jsonb text");
    EXPECT_EQ(types({"null", ""}), "text text");
    EXPECT_EQ(types({"\"a\"", "7", "{}", "true"}), "jsonb text");
}

TEST_F(ShapeTest, OfADeclaredReadingIsWhatItSays) {
    EXPECT_EQ(types({"1"}, {.unit = TimeUnit::days}), "date date");
    EXPECT_EQ(types({"1"}, {.unit = TimeUnit::millis}), "timestamptz timestamp");
    EXPECT_EQ(types({"1"}, {.unit = TimeUnit::micros}), "timestamptz bigint");
    EXPECT_EQ(types({"1"}, {.unit = TimeUnit::nanos}), "bigint bigint");
    EXPECT_EQ(types({"\"YQ==\""}, {.encoding = BytesEncoding::base64}), "bytea blob");
    EXPECT_EQ(types({"\"YQ==\""}, {.encoding = BytesEncoding::base64, .scale = 2}),
              "numeric decimal");
    EXPECT_EQ(types({R"("{}")"}, {.encoding = BytesEncoding::json}), "jsonb text");
}

TEST_F(ShapeTest, OfASchemaIsExact) {
    const auto named = [](const std::string& type, const std::string& name) {
        return R"("type":")" + type + R"(","name":")" + name + R"(")";
    };
    EXPECT_EQ(by_schema(R"("type":"int8")", "null"), "smallint smallint");
    EXPECT_EQ(by_schema(R"("type":"int16")", "1"), "smallint smallint");
    EXPECT_EQ(by_schema(R"("type":"int32")", "1"), "integer int");
    EXPECT_EQ(by_schema(R"("type":"int64")", "1"), "bigint bigint");
    EXPECT_EQ(by_schema(R"("type":"float")", "1"), "real float");
    EXPECT_EQ(by_schema(R"("type":"double")", "1"), "double precision double");
    EXPECT_EQ(by_schema(R"("type":"boolean")", "true"), "boolean boolean");
    EXPECT_EQ(by_schema(R"("type":"string")", "\"1\""), "text text");
    EXPECT_EQ(by_schema(R"("type":"bytes")", "\"YQ==\""), "bytea blob");
    EXPECT_EQ(by_schema(named("bytes", "org.apache.kafka.connect.data.Decimal"), "null"),
              "numeric decimal");
    EXPECT_EQ(by_schema(named("int32", "io.debezium.time.Date"), "1"), "date date");
    EXPECT_EQ(by_schema(named("int64", "io.debezium.time.MicroTime"), "1"), "time time");
    EXPECT_EQ(by_schema(named("int64", "io.debezium.time.NanoTime"), "1"), "bigint time");
    EXPECT_EQ(by_schema(named("int64", "io.debezium.time.Timestamp"), "1"), "timestamp timestamp");
    EXPECT_EQ(by_schema(named("int64", "io.debezium.time.MicroTimestamp"), "1"),
              "timestamp bigint");
    EXPECT_EQ(by_schema(named("int64", "io.debezium.time.NanoTimestamp"), "1"), "bigint bigint");
    EXPECT_EQ(by_schema(named("string", "io.debezium.time.ZonedTimestamp"), "null"),
              "timestamptz text");
    EXPECT_EQ(by_schema(named("string", "io.debezium.time.ZonedTime"), "null"), "timetz text");
    EXPECT_EQ(by_schema(named("string", "io.debezium.time.Interval"), "null"), "interval duration");
    EXPECT_EQ(by_schema(named("string", "io.debezium.data.Uuid"), "null"), "uuid uuid");
    EXPECT_EQ(by_schema(named("string", "io.debezium.data.Json"), "null"), "jsonb text");
    EXPECT_EQ(by_schema(named("string", "io.debezium.data.Enum"), "null"), "text text");
    EXPECT_EQ(by_schema(R"("type":"array","items":{"type":"int32","optional":true})", "[1]"),
              "integer[] frozen<list<int>>");
    EXPECT_EQ(by_schema(R"("type":"map","keys":{"type":"string"},"values":{"type":"int32"})", "{}"),
              "jsonb text");
}

TEST_F(ShapeTest, FieldsAreFoundInTheirOrderTheKeysFirst) {
    Target target;
    target.table = "t";
    target.mode = Mode::upsert;
    target.key = {"id"};
    TableSample sample(target);
    for (const auto* event : {R"({"b": 1, "id": 7})", R"({"c": {"x": 1}, "id": 8, "b": null})"}) {
        decode(std::nullopt, event, test::string_json);
        sample.add(event_);
    }
    decode(std::nullopt, std::nullopt, test::string_json);
    sample.add(event_);  // A tombstone.
    const TableShape shape = sample.shape();
    EXPECT_EQ(shape.records, 2U);
    EXPECT_EQ(postgres::table_definition({"s", "t"}, shape).value(),
              R"(CREATE TABLE IF NOT EXISTS "s"."t" ("id" bigint, "b" bigint, "c" jsonb, )"
              R"(PRIMARY KEY ("id")))");
    EXPECT_EQ(shape.columns.at(1).nulls, 1U);
    EXPECT_EQ(shape.columns.at(1).values, 1U);
}

TEST_F(ShapeTest, AKeyOfChangesIsTheRecords) {
    Target target;
    target.table = "t";
    target.mode = Mode::changes;
    TableSample sample(target);
    decode(R"({"b": 1, "a": 2})", R"({"op":"c","before":null,"after":{"a":2,"b":1,"n":"x"}})",
           test::json_json);
    sample.add(event_);
    decode(R"({"b": 1, "a": 2})", R"({"op":"d","before":{"a":2,"b":1,"gone":1},"after":null})",
           test::json_json);
    sample.add(event_);  // Has no row.
    const std::vector<std::string> partition{"b"};
    EXPECT_EQ(cassandra::table_definition({"ks", "t"}, sample.shape(), partition).value(),
              R"(CREATE TABLE IF NOT EXISTS "ks"."t" ("b" bigint, "a" bigint, "n" text, )"
              R"(PRIMARY KEY (("b"), "a")))");
    EXPECT_EQ(sample.shape().records, 1U);
}

}  // namespace
}  // namespace sluice
