// Mistakes in a configuration: where each is reported, and what is said about it.
#include <gtest/gtest.h>

#include "app/config.hpp"
#include "config_fixture.hpp"

namespace sluice {
namespace {

using test::canary;
using test::fake_checks;
using test::messages;
using test::minimal;
using test::Mistake;

class ConfigMistake : public testing::TestWithParam<Mistake> {};

TEST_P(ConfigMistake, IsNamedWithItsPlace) { test::expect_reported(GetParam()); }

// `minimal` with one more line, which is the fifth.
std::string with(const std::string& line) { return minimal + line + "\n"; }
// A route of `minimal` with settings from line 5 on.
std::string route(const std::string& lines) { return minimal + lines + "\n"; }
std::string kafka(const std::string& flow) {
    return "kafka: {" + flow + "}\npostgres: {url: postgresql://h/d}\nroutes: [{topic: t}]\n";
}
std::string postgres(const std::string& flow) {
    return "postgres: {" + flow + "}\nkafka: {brokers: k1}\nroutes: [{topic: t}]\n";
}
std::string cassandra(const std::string& flow) {
    return "cassandra: {" + flow + "}\nkafka: {brokers: k1}\nroutes: [{topic: t}]\n";
}

const std::vector<Mistake> names_and_kinds{
    {"unknown_with_nearest",
     with("pipelin: x"),
     {"f:5:1: unknown setting 'pipelin'; allowed: pipeline, instance, kafka, postgres, "
      "cassandra, dead_letters, routes, start_timeout, drain_timeout, http, memory; did you "
      "mean 'pipeline'?"}},
    {"unknown_inside",
     postgres("url: postgresql://h/d, pol: 2"),
     {"f:1:35: unknown setting 'postgres.pol'; allowed: url, user, password, pool, schema, "
      "rows_per_s_max; did you mean 'pool'?"}},
    {"unknown_prefix",
     postgres("url: postgresql://h/d, username: x"),
     {"f:1:35: unknown setting 'postgres.username'; allowed: url, user, password, pool, schema, "
      "rows_per_s_max; did you mean 'user'?"}},
    {"unknown_here_known_there",
     with("brokers: k1"),
     {"f:5:1: unknown setting 'brokers'; allowed: pipeline, instance, kafka, postgres, "
      "cassandra, dead_letters, routes, start_timeout, drain_timeout, http, memory; 'brokers' "
      "belongs under 'kafka'"}},
    {"repeated_section",
     with("kafka: {}"),
     {"f:5:1: 'kafka' is said twice, first at f:1:1; keep one of them"}},
    {"repeated_in_flow",
     postgres("url: postgresql://h/d, pool: 1, pool: 1"),
     {"f:1:44: 'postgres.pool' is said twice, first at f:1:35"}},
    {"repeated_property",
     kafka("brokers: k1, properties: {a: b, a: b}"),
     {"f:1:41: 'kafka.properties.a' is said twice, first at f:1:35"}},
    {"list_for_section",
     "kafka: [k1]\npostgres: {url: postgresql://h/d}\nroutes: [{topic: t}]",
     {"f:1:8: 'kafka' must be a section of settings, not a list"}},
    {"url_for_section",
     "kafka: {brokers: k1}\npostgres: postgresql://u:canary-8b1f@h/d\n"
     "routes: [{topic: t}]",
     {"f:2:11: 'postgres' must be a section of settings, not a single value"}},
    {"section_for_value",
     with("pipeline: {a: b}"),
     {"f:5:11: 'pipeline' must be a single value, not a section of settings"}},
    {"map_for_routes",
     "kafka: {brokers: k1}\npostgres: {url: postgresql://h/d}\n"
     "routes: {topic: t}",
     {"f:3:9: 'routes' must be a list; begin each route with a dash: `- topic: orders`"}},
    {"nothing_for_section",
     "kafka: {brokers: k1}\npostgres:\nroutes: [{topic: t}]",
     {"f:2:1: 'postgres' has no value; give it a section of settings, or remove it"}},
    {"null_for_topic",
     "kafka: {brokers: k1}\npostgres: {url: postgresql://h/d}\n"
     "routes: [{topic: null}]",
     {"f:3:18: 'routes[0].topic' has no value; give it a value or a list of values, or remove "
      "it; a text null is written \"null\""}},
    {"not_a_map", "just text", {"f:1:1: the configuration must be a section of settings, not a "}},
};

const std::vector<Mistake> values{
    {"pool_too_large",
     postgres("url: postgresql://h/d, pool: 65"),
     {"f:1:41: 'postgres.pool' is '65', out of range; allowed: a whole number from 1 to 64"}},
    {"pool_octal",
     postgres("url: postgresql://h/d, pool: 010"),
     {"f:1:41: 'postgres.pool' is '010', not a whole number; allowed: a whole number from 1 to "
      "64, in decimal digits without leading zeros"}},
    {"pool_underscore",
     postgres("url: postgresql://h/d, pool: 1_0"),
     {"f:1:41: 'postgres.pool' is '1_0', not a whole number"}},
    {"pool_huge",
     postgres("url: postgresql://h/d, pool: 99999999999999999999"),
     {"f:1:41: 'postgres.pool' is '99999999999999999999', not a whole number"}},
    {"pool_from_variable",
     postgres("url: postgresql://h/d, pool: \"${SECRET}\""),
     {"f:1:41: 'postgres.pool' is '${SECRET}', not a whole number"}},
    {"duration_without_unit",
     with("start_timeout: 30"),
     {"f:5:16: 'start_timeout' is '30', not a duration; write a whole number and a unit"}},
    {"duration_negative",
     with("start_timeout: -1s"),
     {"f:5:16: 'start_timeout' is '-1s', not a duration"}},
    {"duration_huge",
     with("drain_timeout: 99d"),
     {"f:5:16: 'drain_timeout' is '99d', out of range; allowed: 1s to 10m"}},
    {"size_without_unit",
     with("memory: 512"),
     {"f:5:9: 'memory' is '512', not a size; write a whole number and a unit: 512KiB, 256MiB"}},
    {"size_small",
     with("memory: 64MiB"),
     {"f:5:9: 'memory' is '64MiB', out of range; allowed: 128MiB to 64GiB"}},
    {"start_word",
     kafka("brokers: k1, start: lates"),
     {"f:1:29: 'kafka.start' is 'lates'; allowed: earliest, latest, error; did you mean "
      "'latest'?; a time since 1970 is allowed too, like 2026-01-31T08:00:00Z"}},
    {"start_without_zone",
     kafka("brokers: k1, start: \"2026-01-31T08:00:00\""),
     {"f:1:29: 'kafka.start' is '2026-01-31T08:00:00'; allowed: "}},
    {"start_before_1970",
     kafka("brokers: k1, start: \"1969-12-31T23:59:59Z\""),
     {"f:1:29: 'kafka.start' is '1969-12-31T23:59:59Z'; allowed: "}},
    {"port",
     kafka("brokers: [k0, \"k1:99999\"]"),
     {"f:1:23: 'kafka.brokers': the port is not a number from 1 to 65535; write host or "
      "host:port, for example localhost:9092"}},
    {"broker_protocol",
     kafka("brokers: \"ssl://k1\""),
     {"f:1:18: 'kafka.brokers': an address without a protocol is needed"}},
    {"brokers_empty", kafka("brokers: []"), {"f:1:18: 'kafka.brokers' is an empty list"}},
    {"http_without_listen",
     with("http: {}"),
     {"f:5:7: 'http.listen' is missing; for example `listen: 127.0.0.1:9464`"}},
    {"http_name",
     with("http: {listen: \"metrics.example.com:1\"}"),
     {"f:5:16: 'http.listen': an IP address of this machine is needed; write 127.0.0.1:9464 for "
      "this machine alone, 0.0.0.0 for all who reach it, or [::1]"}},
    {"http_all",
     with("http: {listen: \":9464\"}"),
     {"f:5:16: 'http.listen': this is not the name of a host"}},
    {"http_ipv6_port",
     with("http: {listen: \"[::1]:99999\"}"),
     {"f:5:16: 'http.listen': the port is not a number from 1 to 65535"}},
    {"http_address",
     with("http: {listen: \"127.0.0.256:1\"}"),
     {"f:5:16: 'http.listen': an IP address of this machine is needed"}},
    {"refused_property",
     kafka("brokers: k1, properties: {group.id: x}"),
     {"f:1:35: 'kafka.properties.group.id' can't be set: pipeline names the group"}},
    {"property_value",
     kafka("brokers: k1, properties: {queue: bad}"),
     {"f:1:35: 'kafka.properties.queue': invalid value \"bad\""}},
    {"secret_property_value",
     kafka("brokers: k1, properties: {sasl.password: bad-canary-8b1f}"),
     {"f:1:35: 'kafka.properties.sasl.password': librdkafka refuses the name or the value"}},
    {"property_value_from_variable",
     kafka("brokers: k1, properties: {queue: \"bad${SECRET}\"}"),
     {"f:1:35: 'kafka.properties.queue': librdkafka refuses the name or the value"}},
    {"property_list",
     kafka("brokers: k1, properties: [a]"),
     {"f:1:34: 'kafka.properties' must be librdkafka's settings, `name: value`, not a list"}},
    {"pipeline_characters",
     with("pipeline: a b"),
     {"f:5:11: 'pipeline' may hold letters, digits, '.', '_' and '-' only"}},
    {"pipeline_long",
     with("pipeline: " + std::string(201, 'x')),
     {"f:5:11: 'pipeline' has 201 bytes; at most 200 are allowed"}},
    {"instance_characters",
     with("instance: a/b"),
     {"f:5:11: 'instance' may hold letters, digits, '.', '_' and '-' only; it names this process"}},
    {"instance_long",
     with("instance: " + std::string(201, 'x')),
     {"f:5:11: 'instance' has 201 bytes; at most 200 are allowed"}},
    {"instance_empty", with("instance: ''"), {"f:5:11: 'instance'"}},
    {"pipeline_default_long",
     "kafka: {brokers: k1}\npostgres: {url: postgresql://h/d}\nroutes: [{topic: " +
         std::string(220, 'x') + "}]",
     {"f:1:1: 'pipeline' has 227 bytes; at most 200 are allowed; its default is sluice-<first"}},
    {"url_scheme",
     postgres("url: mysql://u:canary-8b1f@h/d"),
     {"f:1:17: 'postgres.url': this is not a PostgreSQL URL; write postgresql://host:port/data"}},
    {"password_twice",
     postgres("url: \"postgresql://u:canary-8b1f@h/d\", password: canary-8b1f"),
     {"f:1:61: 'postgres.password' and the password in 'postgres.url': which one?; take the "}},
    {"user_twice",
     postgres("url: postgresql://u@h/d, user: v"),
     {"f:1:43: 'postgres.user' and the user in 'postgres.url': which one?"}},
    {"schema",
     postgres("url: postgresql://h/d, schema: pg_x"),
     {"f:1:43: 'postgres.schema' is 'pg_x'; allowed: lower-case letters, digits and _"}},
    {"consistency_any",
     cassandra("hosts: c, keyspace: k, consistency: any"),
     {"f:1:49: 'cassandra.consistency' is 'any', which is not safe"}},
    {"consistency_near",
     cassandra("hosts: c, keyspace: k, consistency: local_quorm"),
     {"f:1:49: 'cassandra.consistency' is 'local_quorm'; allowed: one, local_one, two, three, "
      "quorum, local_quorum, each_quorum, all; did you mean 'local_quorum'?"}},
    {"keyspace",
     cassandra("hosts: c, keyspace: my-ks"),
     {"f:1:33: 'cassandra.keyspace' is 'my-ks'; Cassandra allows letters, digits and _"}},
    {"user_without_password",
     cassandra("hosts: c, keyspace: k, username: u"),
     {"f:1:46: 'cassandra.username' without a password; set the environment variable CASSANDRA"}},
    {"password_without_user",
     cassandra("hosts: c, keyspace: k, password: canary-8b1f"),
     {"f:1:46: 'cassandra.password' without 'cassandra.username'"}},
    {"variable_unset",
     with("pipeline: a-${NOPE}"),
     {"f:5:11: 'pipeline': the environment variable NOPE is not set; set it, or write "
      "${NOPE:-default}"}},
    {"reference_open",
     with("pipeline: a-${NOPE"),
     {"f:5:11: 'pipeline': a ${ without its }; allowed: ${VAR}, ${VAR:-default}"}},
};

const std::vector<Mistake> routes{
    {"no_kafka",
     "postgres: {url: postgresql://h/d}\nroutes: [{topic: t}]",
     {"f:1:1: 'kafka.brokers' is missing; for example `kafka: {brokers: [localhost:9092]}`"}},
    {"no_brokers",
     kafka("start: latest"),
     {"f:1:8: 'kafka.brokers' is missing; for example `brokers: [localhost:9092]`"}},
    {"no_database",
     "kafka: {brokers: k1}\nroutes: [{topic: t}]",
     {"f:1:1: no database is configured; add a section 'postgres', 'cassandra', or both"}},
    {"no_routes",
     "kafka: {brokers: k1}\npostgres: {url: postgresql://h/d}",
     {"f:1:1: 'routes' is missing; for example `routes: [{topic: orders}]`"}},
    {"no_url", postgres("pool: 1"), {"f:1:11: 'postgres.url' is missing; for example `url: "}},
    {"no_keyspace", cassandra("hosts: c"), {"f:1:12: 'cassandra.keyspace' is missing"}},
    {"no_topic",
     route("  - value: json"),
     {"f:5:5: 'routes[1].topic' is missing; for example `topic: orders`"}},
    {"topic_and_topics",
     route("  - {topic: a, topics: [b]}"),
     {"f:5:24: 'routes[1]' has both topic and topics; keep one of them"}},
    {"list_for_topic",
     route("  - topic: [a]"),
     {"f:5:12: 'routes[1].topic' must be one topic, not a list; write topics: [...]"}},
    {"topic_name",
     route("  - topics: [a, \"b c\"]"),
     {"f:5:17: 'routes[1].topics' is 'b c'; a topic's name may hold letters"}},
    {"topic_in_two_routes",
     route("  - topics: [a, orders]"),
     {"f:5:5: the topic 'orders' stands in a route already (f:4:5); give one route several "}},
    {"format",
     route("  - topic: a\n    value: jsn"),
     {"f:6:12: 'routes[1].value' is 'jsn'; allowed: json, string, bytes, connect_json; did you "
      "mean 'json'?"}},
    {"later_format",
     route("  - topic: a\n    value: avro"),
     {"f:6:12: 'routes[1].value' is 'avro'; allowed: json, string, bytes"}},
    {"dead_letters_setting",
     with("dead_letters: {tabel: x}"),
     {"f:5:15: 'dead_letters.table' is missing; for example `dead_letters: {table: dead_letters}`",
      "f:5:16: unknown setting 'dead_letters.tabel'; allowed: table, topic; did you mean "
      "'table'?"}},
    {"dead_letters_word",
     with("dead_letters: skip"),
     {"f:5:15: 'dead_letters' is 'skip'; allowed: stop"}},
    {"dead_letters_table",
     with("dead_letters: {table: a.b.c}"),
     {"f:5:23: 'dead_letters.table' is 'a.b.c'; write table or schema.table"}},
    {"dead_letters_both",
     with("dead_letters: {table: lost, topic: lost}"),
     {"f:5:36: 'dead_letters' has both table and topic; keep one of them"}},
    {"dead_letters_topic_name",
     with("dead_letters: {topic: a/b}"),
     {"f:5:23: 'dead_letters.topic' is 'a/b'; a topic's name may hold letters, digits, '.', '_' "
      "and '-'"}},
    {"dead_letters_topic_read",
     with("dead_letters: {topic: orders}"),
     {"f:5:23: the topic 'orders' is read by a route (f:4:5): its dead letters would be read "
      "again; "
      "name another topic"}},
    {"database_not_configured",
     route("  - topic: a\n    cassandra: true"),
     {"f:6:16: a route feeds 'cassandra', which the file does not configure; add the section"}},
    {"database_not_fed",
     "kafka: {brokers: k1}\npostgres: {url: postgresql://h/d}\n"
     "cassandra: {hosts: c, keyspace: k}\nroutes: [{topic: t, postgres: true}]",
     {"f:3:12: no route feeds 'cassandra'; add `cassandra: true` or a table to a route"}},
};

INSTANTIATE_TEST_SUITE_P(Names, ConfigMistake, testing::ValuesIn(names_and_kinds), test::name_of);
INSTANTIATE_TEST_SUITE_P(Values, ConfigMistake, testing::ValuesIn(values), test::name_of);
INSTANTIATE_TEST_SUITE_P(Routes, ConfigMistake, testing::ValuesIn(routes), test::name_of);

TEST(ConfigMistakes, AreAllReportedAtOnceInTheOrderOfTheFile) {
    const auto result = parse_config(R"(kafka: {broker: [k1], start: lates}
postgres: {url: "postgresql://u:canary-8b1f@h:x/d", pool: 0, password: "${NOPE}"}
routes:
  - topic: a b
    vaule: json
pipeline: "?"
)",
                                     "f", fake_checks());
    ASSERT_FALSE(result);
    std::string places;
    for (const auto& error : result.error()) {
        places.append(error.where).append(" ");
    }
    EXPECT_EQ(places, "f:1:8 f:1:9 f:1:30 f:2:17 f:2:59 f:2:72 f:4:12 f:5:5 f:6:11 ");
    EXPECT_EQ(messages(result).find(canary), std::string::npos);
}

TEST(ConfigMistakes, BeyondAHundredAreCounted) {
    std::string yaml = minimal;
    for (int i = 0; i < 2'000; ++i) {
        yaml.append("unknown").append(std::to_string(i)).append(": x\n");
    }
    const auto result = parse_config(yaml, "f", fake_checks());
    ASSERT_FALSE(result);
    ASSERT_EQ(result.error().size(), 101U);
    EXPECT_EQ(result.error().back().message(),
              "f:105:1: 1900 more problems; is this the right file?");
}

// Each check is at most n log n: a hostile file costs a second, not minutes.
TEST(ConfigMistakes, ManyNamesAreCheckedQuickly) {
    std::string topics;
    std::string columns;
    for (int i = 0; i < 20'000; ++i) {
        topics.append(",t").append(std::to_string(i));
        columns.append(",c").append(std::to_string(i)).append(": key");
    }
    const auto good = parse_config(minimal + "  - topics: [x" + topics + "]\n", "f", fake_checks());
    EXPECT_TRUE(good) << messages(good);
    const auto wide = parse_config(minimal + "    postgres: {table: t, columns: {c: key" + columns +
                                       "}}\n",
                                   "f", fake_checks());
    EXPECT_EQ(messages(wide), "f:5:35: 'routes[0].postgres.columns' has 20001 columns; a table "
                              "has at most 1600\n");
}

}  // namespace
}  // namespace sluice
