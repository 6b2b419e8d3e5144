// Mistakes in a route's targets: where each is reported, and what is said about it.
#include <gtest/gtest.h>

#include "config_fixture.hpp"

namespace sluice {
namespace {

using test::minimal;
using test::Mistake;

class TargetMistake : public testing::TestWithParam<Mistake> {};

TEST_P(TargetMistake, IsNamedWithItsPlace) { test::expect_reported(GetParam()); }

// A route of `minimal` with settings from line 5 on.
std::string route(const std::string& lines) { return minimal + lines + "\n"; }

const std::vector<Mistake> targets{
    {"yes_for_target",
     route("  - topic: a\n    postgres: yes"),
     {"f:6:15: 'routes[1].postgres' must be true, a table's settings, or a list of those"}},
    {"target_list_empty",
     route("  - topic: a\n    postgres: []"),
     {"f:6:15: 'routes[1].postgres' is an empty list; name a table, write true, or remove it"}},
    {"target_without_table",
     route("  - topic: a\n    postgres: {mode: append}"),
     {"f:6:15: 'routes[1].postgres.table' is missing; for example `table: orders`"}},
    {"table_with_two_dots",
     route("  - topic: a\n    postgres: {table: a.b.c}"),
     {"f:6:23: 'routes[1].postgres.table' is 'a.b.c'; write table or schema.table"}},
    {"table_too_long",
     route("  - topic: a\n    postgres: {table: s." + std::string(64, 'x') + "}"),
     {"f:6:23: 'routes[1].postgres.table' is 's.xxxx"}},
    {"table_name_of_nothing",
     route("  - topic: a\n    postgres: {table: \"x_{foo}\"}"),
     {"f:6:23: 'routes[1].postgres.table' is 'x_{foo}': '{foo}' says nothing; between braces"}},
    {"table_name_half_open",
     route("  - topic: a\n    postgres: {table: \"x_{topic\"}"),
     {"f:6:23: 'routes[1].postgres.table' is 'x_{topic': a table's name has a { without its }"}},
    {"table_name_too_long",
     route("  - topic: a\n    postgres: {table: \"" + std::string(64, 'x') + "{topic}\"}"),
     {"f:6:23: 'routes[1].postgres.table' is 'xxx"}},
    {"table_name_with_group",
     route("  - topic_pattern: a(.*)\n    postgres: {table: \"{2}\"}"),
     {"f:6:15: the table's name asks for group 2 of topic_pattern, which has 1; put what"}},
    {"table_name_without_tables",
     route("  - topic: a\n    postgres: {table: \"{value.type}\"}"),
     {"f:6:23: 'routes[1].postgres.table' takes its name from value.type, and "
      "'routes[1].postgres.tables' does not say which it may be; for example"}},
    {"tables_without_field",
     route("  - topic: a\n    postgres: {table: x, tables: [y]}"),
     {"f:6:34: 'routes[1].postgres.tables' lists tables, and 'table' does not choose"}},
    {"tables_wrong_and_twice",
     route("  - topic: a\n    postgres: {table: \"{value.t}\", tables: [a.b.c, d, d]}"),
     {"f:6:45: 'routes[1].postgres.tables' names 'a.b.c'; write table or schema.table",
      "f:6:55: 'routes[1].postgres.tables' names 'd' twice; keep one of them"}},
    {"changes_into_tables_by_a_field",
     route("  - topic: a\n    postgres: {table: \"{value.after.t}\", tables: a, mode: changes}"),
     {"f:6:15: "}},
    {"pattern_and_topic",
     route("  - topic: a\n    topic_pattern: b"),
     {"f:6:20: 'routes[1]' has topics and a topic_pattern; keep one of them"}},
    {"pattern_is_none",
     route("  - topic_pattern: \"(a\""),
     {"f:5:20: 'routes[1].topic_pattern' is '(a', which is no regular expression"}},
    {"mode",
     route("  - topic: a\n    postgres: {table: x, mode: upsrt, key: id}"),
     {"f:6:32: 'routes[1].postgres.mode' is 'upsrt'; allowed: append, upsert, changes, "
      "insert_ignore, upsert_newer, update, delete; did you mean "}},
    {"upsert_without_key",
     route("  - topic: a\n    postgres: [true, {table: x, mode: upsert}]"),
     {"f:6:22: 'routes[1].postgres[1].key' is missing: mode upsert needs the columns that "
      "tell rows apart; for example `key: [id]`"}},
    {"update_in_cassandra",
     route("  - topic: a\n    cassandra: {table: x, mode: update, key: id}"),
     {"f:6:16: a route feeds 'cassandra'",
      "f:6:33: 'routes[1].cassandra.mode' is update; Cassandra would have to read before"}},
    {"upsert_newer_without_version",
     route("  - topic: a\n    postgres: {table: x, mode: upsert_newer, key: id}"),
     {"f:6:15: 'routes[1].postgres.version' is missing: upsert_newer needs the column"}},
    {"version_in_upsert",
     route("  - topic: a\n    postgres: {table: x, mode: upsert, key: id, version: v}"),
     {"f:6:58: 'routes[1].postgres.version' has a meaning in mode upsert_newer only"}},
    {"keep_in_upsert_newer",
     route("  - topic: a\n    postgres: {table: x, mode: upsert_newer, key: id, version: v, "
           "absent: keep}"),
     {"f:6:75: 'routes[1].postgres.absent' is keep, in mode upsert_newer"}},
    {"when_is_no_path",
     route("  - topic: a\n    postgres: {table: x, when: {valu.type: a}}"),
     {"f:6:33: 'routes[1].postgres.when.valu.type': "}},
    {"when_without_values",
     route("  - topic: a\n    postgres: {table: x, when: {value.type: []}}"),
     {"f:6:45: 'routes[1].postgres.when.value.type' is an empty list"}},
    {"when_of_a_changed_row",
     route("  - topic: a\n    postgres: {table: x, mode: changes, when: {value.after.a: 1}}"),
     {"f:6:47: `value.after.a` is no condition in mode changes: a row of which it no longer"}},
    {"when_beside_the_envelope",
     route("  - topic: a\n    postgres: {table: x, mode: changes, when: {value.a: 1}}"),
     {"f:6:47: `value.a` leads to nothing: in mode changes the value is an envelope"}},
    {"when_empty",
     route("  - topic: a\n    postgres: {table: x, when: {}}"),
     {"f:6:32: 'routes[1].postgres.when' is empty; for example {value.type: order}"}},
    {"ttl_in_postgres",
     route("  - topic: a\n    postgres: {table: x, ttl: 30d}"),
     {"f:6:31: 'routes[1].postgres.ttl' is of Cassandra's: rows of PostgreSQL do not expire"}},
    {"create_in_append_of_cassandra",
     route("  - topic: a\n    cassandra: {table: x, create: true}"),
     {"f:6:16: a route feeds 'cassandra'",
      "f:6:35: 'routes[1].cassandra.create' makes a table without a primary key, in append"}},
    {"create_is_neither",
     route("  - topic: a\n    postgres: {table: x, create: perhaps}"),
     {"f:6:34: 'routes[1].postgres.create' is 'perhaps'"}},
    {"create_with_a_partition_key",
     route("  - topic: a\n    postgres: {table: x, create: {partition_key: a}}\n"
           "    cassandra: {table: x, mode: upsert, key: [a, b], create: {partition_key: [c]}}"),
     {"f:6:50: 'routes[1].postgres.create.partition_key' is of Cassandra's",
      "f:7:16: a route feeds 'cassandra'",
      "f:7:79: 'routes[1].cassandra.create.partition_key' names 'c', which 'key' does not"}},
    {"evolve_without_room",
     route("  - topic: a\n    postgres: {table: x, evolve: add_columns, columns: {a: value.a}}"),
     {"f:6:34: 'routes[1].postgres.evolve' adds columns, and 'columns' lists all there are"}},
    {"evolve_in_delete",
     route("  - topic: a\n    postgres: {table: x, mode: delete, key: a, evolve: add_columns}"),
     {"f:6:56: 'routes[1].postgres.evolve' adds columns, and mode delete writes none"}},
    {"ttl_is_neither",
     route("  - topic: a\n    postgres: true\n    cassandra: {table: x, ttl: soon}"),
     {"f:7:16: a route feeds 'cassandra'", "f:7:32: 'routes[1].cassandra.ttl': `soon` is no path"}},
    {"constant_beside_a_path",
     route("  - topic: a\n    postgres: {table: x, columns: {a: {constant: b, from: value.a}}}"),
     {"f:6:59: 'routes[1].postgres.columns.a.from' stands beside a constant; keep one"}},
    {"default_null",
     route("  - topic: a\n    postgres: {table: x, columns: {a: {default: null}}}"),
     {"f:6:49: 'routes[1].postgres.columns.a.default' is null; `absent: null` in the target"}},
    {"deleted_in_append",
     route("  - topic: a\n    postgres: {table: x, deleted: {when: value.gone}}"),
     {"f:6:35: 'routes[1].postgres.deleted' has no meaning in mode append"}},
    {"deleted_without_when",
     route("  - topic: a\n    postgres: {table: x, mode: upsert, key: id, deleted: {}}"),
     {"f:6:58: 'routes[1].postgres.deleted"}},
    {"key_in_append",
     route("  - topic: a\n    postgres: {table: x, key: id, absent: keep}"),
     {"f:6:31: 'routes[1].postgres.key' has no meaning in mode append; add `mode: upsert`",
      "f:6:43: 'routes[1].postgres.absent' has no meaning in mode append"}},
    {"key_not_in_columns",
     route("  - topic: a\n    postgres: {table: x, mode: upsert, key: [idd], columns: {id: key}}"),
     {"f:6:46: 'routes[1].postgres.key' names 'idd', which 'columns' does not fill; allowed: id; "
      "did you mean 'id'?"}},
    {"key_twice",
     route("  - topic: a\n    postgres: {table: x, mode: upsert, key: [id, id]}"),
     {"f:6:50: 'routes[1].postgres.key' names 'id' twice"}},
    {"columns_empty",
     route("  - topic: a\n    postgres: {table: x, columns: {}}"),
     {"f:6:35: 'routes[1].postgres.columns' is empty; leave it out to fill the table's columns"}},
    {"column_twice",
     route("  - topic: a\n    postgres:\n      table: x\n      columns:\n"
           "        a: value.a\n        a: value.b"),
     {"f:10:9: 'routes[1].postgres.columns.a' is said twice, first at f:9:9; keep one of them"}},
    {"column_path",
     route("  - topic: a\n    postgres: {table: x, columns: {a: valu.x}}"),
     {"f:6:39: 'routes[1].postgres.columns.a': "}},
    {"column_unit",
     route("  - topic: a\n    postgres: {table: x, columns: {a: {from: value.x, "
           "unit: minutes}}}"),
     {"f:6:61: 'routes[1].postgres.columns.a.unit' is 'minutes'; allowed: s, ms, us, ns, days"}},
    {"scale_without_encoding",
     route("  - topic: a\n    postgres: {table: x, columns: {a: {scale: 2}}}"),
     {"f:6:47: 'routes[1].postgres.columns.a.scale' is for a number that is written as bytes; add "
      "`encoding: base64`"}},
    {"others_is_no_pattern",
     route("  - topic: a\n    postgres: {table: x, columns: {'*': value}}"),
     {"f:6:41: 'routes[1].postgres.columns.*' is 'value'; it fills all other columns by their "
      "names: write value.*"}},
    {"unavailable_without_changes",
     route("  - topic: a\n    postgres: {table: x, unavailable: y}"),
     {"f:6:39: 'routes[1].postgres.unavailable' has a meaning in the modes changes, upsert and "
      "update only; add `mode: "
      "changes`"}},
    {"changes_of_texts",
     route("  - topic: a\n    value: string\n    postgres: {table: x, mode: changes}"),
     {"f:6:12: 'routes[1].value' is no JSON, and mode changes reads envelopes; write value: "
      "connect_json, or remove it"}},
    {"change_path",
     route("  - topic: a\n    postgres: {table: x, mode: changes, columns: {a: value.a}}"),
     {"f:6:51: `value.a` leads to nothing: in mode changes the value is an envelope, with before, "
      "after, source, op and ts_ms; write `value.after.a`"}},
    {"change_paths_of_others",
     route("  - topic: a\n    postgres: {table: x, mode: changes, columns: {'*': value.*}}"),
     {"f:6:15: `value.*` leads to nothing: in mode changes"}},
    {"cassandra_column",
     "cassandra: {hosts: c, keyspace: k}\nkafka: {brokers: k1}\nroutes:\n"
     "  - {topic: t, cassandra: {table: x, columns: {a-b: value.x}}}",
     {"f:4:48: 'a-b' can't be a column; Cassandra allows letters, digits and _"}},
};

INSTANTIATE_TEST_SUITE_P(Targets, TargetMistake, testing::ValuesIn(targets), test::name_of);

}  // namespace
}  // namespace sluice
