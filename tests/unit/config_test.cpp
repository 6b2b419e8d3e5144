// What good files mean, and that their printed form means the same.
#include "app/config.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "app/yaml_tree.hpp"
#include "config_fixture.hpp"
#include "temporary_folder.hpp"

namespace sluice {
namespace {

using test::canary;
using test::fake_checks;
using test::messages;
using test::minimal;

Config good(const std::string& yaml, std::map<std::string, std::string> variables = {}) {
    auto config = parse_config(yaml, "sluice.yaml", fake_checks(std::move(variables)));
    EXPECT_TRUE(config) << messages(config);
    return config ? *std::move(config) : Config{};
}

// Printed, read again and printed again, it is the same text.
void expect_round_trip(const Config& config, std::map<std::string, std::string> variables = {}) {
    const std::string printed = print_config(config);
    EXPECT_EQ(print_config(good(printed, std::move(variables))), printed);
}

constexpr const char* everything = R"(
pipeline: shop
kafka:
  brokers: [k1:9093, "[::1]:9092", k2]
  start: 2026-01-31T08:00:00+01:00
  properties: {security.protocol: sasl_ssl, sasl.password: "${KAFKA_PASSWORD}", queue: 0100}
postgres: {url: postgresql://localhost/shop, user: app, password: "${PG}", pool: 2, schema: s1, rows_per_s_max: 5000}
cassandra:
  hosts: c1,c2:9043
  local_dc: dc1
  keyspace: shop
  consistency: quorum
  username: app
  password: ${CASS}
  rows_per_s_max: 20000
start_timeout: 90s
drain_timeout: 1500ms
routes:
  - topic: orders
    key: json
    value: json
    postgres:
      table: public.orders
      mode: upsert
      key: [id]
      absent: null
      each: value.lines
      columns:
        id: value.id
        placed_at: {from: value.ts, unit: ms}
        picture: {from: value.picture, encoding: base64}
        "odd: name": headers.trace
        line: item."line no"
    cassandra:
      - table: orders_by_customer
        mode: upsert
        key: customer
        deleted: {when: value.gone, column: is_gone}
        create: {sample: 10, partition_key: customer}
        evolve: add_columns
      - true
  - topics: [logs, "null", 'audit.v1']
    value: string
    cassandra: true
  - topic_pattern: 'shop[.](\d+)\.x'
    postgres: {table: "{1}_{value.type}", tables: [click, view]}
instance: host-1
memory: 400MiB
)";

TEST(Config, SmallestFileHasTheDefaults) {
    const Config config = good(minimal);
    EXPECT_EQ(config.pipeline, "sluice-orders");
    EXPECT_FALSE(config.instance);
    EXPECT_EQ(config.kafka.brokers, std::vector<std::string>{"k1:9092"});
    EXPECT_EQ(config.kafka.start.kind, StartPolicy::Kind::earliest);
    EXPECT_FALSE(config.kafka.start.given);
    ASSERT_TRUE(config.postgres);
    EXPECT_EQ(config.postgres->pool, 1);
    EXPECT_EQ(config.postgres->schema, "sluice");
    EXPECT_FALSE(config.cassandra);
    ASSERT_EQ(config.routes.size(), 1U);
    EXPECT_EQ(config.routes[0].key_format, Format::string);
    EXPECT_EQ(config.routes[0].value_format, Format::json);
    EXPECT_EQ(config.start_timeout_ms, 30'000);
    EXPECT_EQ(config.drain_timeout_ms, 25'000);
    EXPECT_EQ(config.memory, 256 << 20);
    EXPECT_FALSE(config.postgres->rows_per_s_max);
    expect_round_trip(config);
}

TEST(Config, RouteWithoutTargetFeedsEventsOfEveryDatabase) {
    const Config config = good(minimal + "cassandra: {hosts: [c1], keyspace: app}\n");
    ASSERT_EQ(config.routes[0].postgres.size(), 1U);
    ASSERT_EQ(config.routes[0].cassandra.size(), 1U);
    EXPECT_EQ(config.routes[0].cassandra[0].target.table, "");
    EXPECT_EQ(config.cassandra->hosts, std::vector<std::string>{"c1:9042"});
    EXPECT_EQ(config.cassandra->consistency, "local_quorum");
    expect_round_trip(config);
}

TEST(Config, EverySettingArrives) {
    const std::map<std::string, std::string> env{
        {"KAFKA_PASSWORD", canary}, {"PG", canary}, {"CASS", canary}};
    const Config config = good(everything, env);
    EXPECT_EQ(config.instance, "host-1");
    EXPECT_EQ(config.kafka.brokers, (std::vector<std::string>{"k1:9093", "[::1]:9092", "k2:9092"}));
    EXPECT_EQ(config.kafka.start.kind, StartPolicy::Kind::time);
    EXPECT_EQ(config.kafka.start.time_ms, 1'769'842'800'000);
    ASSERT_EQ(config.kafka.properties.size(), 3U);
    EXPECT_EQ(config.kafka.properties[1].second, canary);
    EXPECT_EQ(config.kafka.properties[2].second, "0100");
    EXPECT_EQ(config.postgres->user, "app");
    EXPECT_EQ(config.postgres->password->secret.reveal(), canary);
    EXPECT_EQ(config.postgres->schema, "s1");
    EXPECT_EQ(config.cassandra->hosts, (std::vector<std::string>{"c1:9042", "c2:9043"}));
    EXPECT_EQ(config.cassandra->local_dc, "dc1");
    EXPECT_EQ(config.cassandra->consistency, "quorum");
    EXPECT_EQ(config.start_timeout_ms, 90'000);
    EXPECT_EQ(config.drain_timeout_ms, 1500);
    EXPECT_EQ(config.memory, 400 << 20);
    EXPECT_EQ(config.postgres->rows_per_s_max, 5000);
    EXPECT_EQ(config.cassandra->rows_per_s_max, 20'000);

    ASSERT_EQ(config.routes.size(), 3U);
    const auto& orders = config.routes[0].postgres.at(0);
    EXPECT_EQ(orders.target.table, "public.orders");
    EXPECT_EQ(orders.target.mode, Mode::upsert);
    EXPECT_EQ(orders.target.key, std::vector<std::string>{"id"});
    EXPECT_TRUE(orders.target.absent_is_null);
    ASSERT_EQ(orders.target.columns.size(), 5U);
    EXPECT_EQ(orders.target.columns[1].reading.unit, TimeUnit::millis);
    EXPECT_EQ(orders.target.columns[2].reading.encoding, BytesEncoding::base64);
    EXPECT_EQ(orders.target.columns[3].column, "odd: name");
    EXPECT_EQ(orders.target.columns[3].path.source, Source::header);
    EXPECT_EQ(orders.target.columns[4].path.source, Source::item);
    EXPECT_EQ(orders.target.each->spelling, "value.lines");
    EXPECT_EQ(orders.column_places[1].to_string(), "sluice.yaml:30:9");
    EXPECT_EQ(orders.place.to_string(), "sluice.yaml:23:7");
    EXPECT_EQ(config.routes[0].cassandra.size(), 2U);
    const auto& create = config.routes[0].cassandra[0].target.create;
    ASSERT_TRUE(create);
    EXPECT_TRUE(config.routes[0].cassandra[0].target.adds_columns);
    EXPECT_EQ(create->sample, 10U);
    EXPECT_EQ(create->partition_key, std::vector<std::string>{"customer"});
    EXPECT_EQ(config.routes[1].topics, (std::vector<std::string>{"logs", "null", "audit.v1"}));
    EXPECT_TRUE(config.routes[1].postgres.empty());
}

TEST(Config, PrintedFormMeansTheSameAndShowsNoSecret) {
    const std::map<std::string, std::string> env{
        {"KAFKA_PASSWORD", canary}, {"PG", canary}, {"CASS", canary}};
    const Config config = good(everything, env);
    const std::string printed = print_config(config);
    EXPECT_EQ(printed.find(canary), std::string::npos) << printed;
    EXPECT_NE(printed.find("password: \"${PG}\"\n"), std::string::npos) << printed;
    EXPECT_NE(printed.find("sasl.password: \"${KAFKA_PASSWORD}\"\n"), std::string::npos);
    const Config again = good(printed, env);
    EXPECT_EQ(print_config(again), printed);
    EXPECT_EQ(again.kafka.properties, config.kafka.properties);
    EXPECT_EQ(again.kafka.start.time_ms, config.kafka.start.time_ms);
    EXPECT_EQ(again.cassandra->password->secret.reveal(), canary);
    EXPECT_EQ(again.routes[0].postgres[0].target.columns[3].path.spelling, "headers.trace");
}

TEST(Config, SecretsInPlainTextAreReplacedWhenPrinted) {
    const Config config = good(R"(
kafka: {brokers: k1, properties: {sasl.password: canary-8b1f, ssl.key.pem: "${X:-canary-8b1f}"}}
postgres: {url: "postgresql://u:canary-8b1f@h/d?sslmode=require"}
cassandra: {hosts: c, keyspace: k, username: u, password: "${Y:-canary-8b1f}"}
routes: [{topic: t}]
)");
    const std::string printed = print_config(config);
    EXPECT_EQ(printed.find(canary), std::string::npos) << printed;
    EXPECT_NE(printed.find("sasl.password: \"${SASL_PASSWORD}\"  #"), std::string::npos);
    EXPECT_NE(printed.find("password: \"${PGPASSWORD}\"  #"), std::string::npos);
    EXPECT_NE(printed.find("password: \"${CASSANDRA_PASSWORD}\"  #"), std::string::npos);
    EXPECT_NE(printed.find("url: \"postgresql://u@h/d?sslmode=require\""), std::string::npos);
    EXPECT_EQ(config.postgres->password->secret.reveal(), canary);
    EXPECT_EQ(config.cassandra->password->secret.reveal(), canary);
}

TEST(Config, APasswordsFileIsReadAtEachLogin) {
    const TemporaryFolder folder;
    const std::string path = folder.path() / "password";
    const auto write = [&path](const std::string& text) { std::ofstream(path) << text; };
    write("first\n");
    const Config config = good("kafka: {brokers: k}\nroutes: [{topic: t}]\n"
                               "postgres: {url: 'postgresql://u@h/d', password: '${file:" +
                               path + "}'}\n");
    const Secret& secret = config.postgres->password->secret;
    EXPECT_EQ(secret.reveal(), "first");
    write("second\n");
    EXPECT_EQ(secret.reveal(), "second");
    write("");
    EXPECT_EQ(secret.reveal(), "first");
    std::filesystem::remove(path);
    EXPECT_EQ(secret.reveal(), "first");
}

TEST(Config, OddTextsSurvivePrinting) {
    for (const std::string text :
         {"a: b", "null", "~", "$${X}", "#no", "- x", "a\\b\"c", "ключ", "tab\t", "x:", "'"}) {
        Config config = good(minimal);
        config.kafka.properties = {{text, text}};
        config.postgres->user = text;
        config.routes[0].postgres[0].target.table = "t";
        config.routes[0].postgres[0].target.columns = {
            {text, Path{Source::value, {}, {}, "value"}, {}}};
        const bool control = text == "tab\t";
        if (control) {  // No column name; the rest takes any text.
            config.routes[0].postgres[0].target.columns[0].column = "c";
        }
        const Config again = good(print_config(config));
        EXPECT_EQ(again.kafka.properties, config.kafka.properties) << text;
        EXPECT_EQ(again.postgres->user, text);
        if (!control) {
            EXPECT_EQ(again.routes[0].postgres[0].target.columns[0].column, text);
        }
    }
}

TEST(Config, StringsStayAsTheyAreWritten) {
    const Config config = good(R"(
pipeline: no
kafka: {brokers: k1, properties: {a: 0123, b: 1_000, c: yes, d: 1e3, e: "", f: 2026-01-01}}
postgres: {url: postgresql://h/d, user: 007}
routes: [{topic: 0x1f}]
)");
    EXPECT_EQ(config.pipeline, "no");
    EXPECT_EQ(config.postgres->user, "007");
    EXPECT_EQ(config.routes[0].topics[0], "0x1f");
    std::string values;
    for (const auto& [name, value] : config.kafka.properties) {
        values.append(value).append("|");
    }
    EXPECT_EQ(values, "0123|1_000|yes|1e3||2026-01-01|");
    expect_round_trip(config);
}

TEST(Config, InterpolatedValueAddsNoStructure) {
    const Config config = good(minimal + "pipeline: ${P}\n", {{"P", "a-b"}});
    EXPECT_EQ(config.pipeline, "a-b");
    const auto bad = parse_config(minimal + "start_timeout: ${P}\n", "f",
                                  fake_checks({{"P", "1s\npostgres: {pool: 3}"}}));
    EXPECT_EQ(messages(bad),
              "f:5:16: 'start_timeout' is '${P}', not a duration; write a whole number and a "
              "unit: 500ms, 30s, 5m, 1h\n");
    // A list inside a variable works where the file itself may write a list as one text.
    const Config brokers = good("kafka: {brokers: \"${B}\"}\npostgres: {url: postgresql://h/d}\n"
                                "routes: [{topic: t}]\n",
                                {{"B", "k1, k2:1"}});
    EXPECT_EQ(brokers.kafka.brokers, (std::vector<std::string>{"k1:9092", "k2:1"}));
}

TEST(Config, PasswordsComeFromTheCustomaryVariables) {
    const std::string yaml = minimal + "cassandra: {hosts: [c1], keyspace: app, username: u}\n";
    const std::map<std::string, std::string> env{{"PGPASSWORD", "p1"},
                                                 {"CASSANDRA_PASSWORD", "p2"}};
    const Config config = good(yaml, env);
    EXPECT_EQ(config.postgres->password->secret.reveal(), "p1");
    EXPECT_EQ(config.cassandra->password->secret.reveal(), "p2");
    EXPECT_EQ(config.cassandra->password->spelling, "${CASSANDRA_PASSWORD}");
    expect_round_trip(config, env);
    const Config ours = good(yaml,
                             {{"SLUICE_CASSANDRA_PASSWORD", "p3"}, {"CASSANDRA_PASSWORD", ""}});
    EXPECT_EQ(ours.cassandra->password->secret.reveal(), "p3");
}

TEST(Config, OptionalPasswordMayBeEmpty) {
    const Config config = good("kafka: {brokers: k1}\nroutes: [{topic: t}]\n"
                               "postgres: {url: postgresql://h/d, password: \"${PW:-}\"}\n");
    ASSERT_TRUE(config.postgres->password);
    EXPECT_TRUE(config.postgres->password->secret.empty());
    EXPECT_EQ(config.postgres->password->spelling, "${PW:-}");
}

TEST(Config, FileIsReadFromDiskAndNamedInErrors) {
    const TemporaryFolder temporary;
    const auto& folder = temporary.path();
    const std::string file = folder / "sluice.yaml";
    std::ofstream(file) << "\xef\xbb\xbf" << minimal;
    const auto config = load_config(file, fake_checks());
    EXPECT_TRUE(config) << messages(config);
    std::ofstream(file) << "\xef\xbb\xbfkafka: 1\n";
    EXPECT_NE(messages(load_config(file, fake_checks())).find(file + ":1:8: 'kafka' must be"),
              std::string::npos);
    EXPECT_NE(messages(load_config(folder, fake_checks())).find("is a directory"),
              std::string::npos);
    EXPECT_NE(messages(load_config(folder / "none", fake_checks())).find("can't be read"),
              std::string::npos);
    std::ofstream(file) << std::string(yaml_bytes_max + 1, ' ');
    EXPECT_NE(messages(load_config(file, fake_checks())).find("is larger than 1024 KiB"),
              std::string::npos);
}

}  // namespace
}  // namespace sluice
