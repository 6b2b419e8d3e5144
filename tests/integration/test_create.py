"""Tables that Sluice makes, by a topic's schema or by a sample of its records."""

import json
from decimal import Decimal

from servers import eventually
from test_changes import ANNA, both, samples

BOTH = "    postgres: {{table: {0}, {1}, create: true}}\n    cassandra: {{table: {0}, {1}, create: {2}}}\n"


def types(database, table):
    return dict(database.rows("SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
                              f"WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum"))


def cassandra_types(keyspace, table):
    return dict(keyspace.rows("SELECT column_name, type FROM system_schema.columns "
                              f"WHERE keyspace_name = '{keyspace.name}' AND table_name = '{table}'"))


def test_tables_from_a_sample_of_json(sluice, make_topic, database, keyspace, table):
    topic = make_topic(1)
    events = ['{"id": 1, "n": 5, "exact": 1.50, "huge": 7, "ok": true, "doc": {"a": [1]}, "mixed": 1, "list": [1], "nothing": null}',
              '{"id": 2, "n": -9, "exact": 2, "huge": 99999999999999999999, "name": "é", "mixed": "x", "list": 7, "nothing": null}']
    for i, event in enumerate(events, 1):
        topic.send(event, key=f'{{"id": {i}}}')
    route = "    key: json\n" + BOTH.format(table, "mode: upsert, key: id", "true")
    file = sluice.config(topic, route, database, keyspace)
    check = sluice.run("check", "-c", file).expect(0)
    assert f'run will create: CREATE TABLE IF NOT EXISTS "public"."{table}" ("id" bigint, "n" bigint' in check.out
    assert database.value(f"SELECT to_regclass('{table}')") is None, "check writes nothing"
    done = sluice.drain_file(file).expect(0)
    assert len(done.lines("created the table, which was missing", "CREATE TABLE")) == 2
    assert types(database, table) == {
        "id": "bigint", "n": "bigint", "exact": "numeric", "huge": "numeric", "ok": "boolean", "doc": "jsonb", "mixed": "text",
        "list": "jsonb", "nothing": "text", "name": "text"}
    assert cassandra_types(keyspace, table) == {
        "id": "bigint", "n": "bigint", "exact": "decimal", "huge": "varint", "ok": "boolean", "doc": "text", "mixed": "text",
        "list": "text", "nothing": "text", "name": "text"}
    names = "id, n, exact, huge, ok, mixed, name"
    rows = [(1, 5, Decimal("1.50"), 7, True, "1", None), (2, -9, 2, Decimal("99999999999999999999"), None, "x", "é")]
    assert database.rows(f"SELECT {names} FROM {table} ORDER BY id") == rows
    assert sorted(keyspace.rows(f"SELECT {names} FROM {{ks}}.{table}")) == rows


def test_tables_from_the_schemas_of_change_events(sluice, make_topic, database, keyspace, table):
    topic = make_topic(1)
    topic.send_records(samples("with-schema", "insert"))
    sluice.drain_file(sluice.config(topic, both(table, "\n      create: true"), database, keyspace)).expect(0)
    assert types(database, table) == {
        "id": "integer", "name": "text", "balance": "numeric", "tags": "text[]", "doc": "jsonb", "active": "boolean", "born": "date",
        "created": "timestamp without time zone", "updated": "timestamp with time zone", "big": "bigint", "ratio": "double precision",
        "raw": "bytea", "uid": "uuid", "note": "text"}
    assert database.rows(f"SELECT * FROM {table}") == [ANNA]
    # Cassandra's times have milliseconds: the finer ones stay what they are written as.
    assert {name: kind for name, kind in cassandra_types(keyspace, table).items() if name in ("created", "updated", "tags", "raw")} == {
        "created": "bigint", "updated": "text", "tags": "frozen<list<text>>", "raw": "blob"}
    assert keyspace.rows(f"SELECT id, balance, created, updated, big FROM {{ks}}.{table}") == [
        (1, Decimal("100.50"), 1767323045678901, "2026-01-02T01:04:05.678901Z", 9007199254740993)]


def test_columns_that_are_named_have_their_types_from_what_stands_there(sluice, make_topic, database, keyspace, table):
    topic = make_topic(2)
    topic.send(*(json.dumps({"tenant": "t", "at": 1700000000000 + n, "in": {"raw": "3q2+7w=="}}) for n in range(10)))
    columns = ("columns: {tenant: value.tenant, off: meta.offset, part: meta.partition, at: {from: value.at, unit: ms}, "
               "raw: {from: value.in.raw, encoding: base64}, whole: value}")
    route = BOTH.format(table, f"mode: upsert, key: [part, off, tenant], {columns}", "{partition_key: [tenant], sample: 4}")
    sluice.drain_file(sluice.config(topic, route, database, keyspace)).expect(0)
    assert types(database, table) == {"part": "integer", "off": "bigint", "tenant": "text", "at": "timestamp with time zone",
                                      "raw": "bytea", "whole": "jsonb"}
    assert database.value(f"SELECT count(*) FROM {table} WHERE raw = '\\xdeadbeef'") == 10
    keys = keyspace.rows("SELECT column_name, kind, position FROM system_schema.columns "
                         f"WHERE keyspace_name = '{keyspace.name}' AND table_name = '{table}'")
    assert sorted(key for key in keys if key[1] != "regular") == [
        ("off", "clustering", 1), ("part", "clustering", 0), ("tenant", "partition_key", 0)]
    assert len(keyspace.rows(f"SELECT * FROM {{ks}}.{table} WHERE tenant = 't'")) == 10


def test_an_empty_topic_is_waited_for(sluice, make_topic, database):
    topic = make_topic(2)
    run = sluice.start("run", "-c", sluice.config(topic, "    postgres: {table: t, create: true}", database))
    run.wait_for("there is no record yet from which a table could be made")
    topic.send('{"id": 1}')
    eventually(lambda: database.value("SELECT to_regclass('t')") and database.rows("SELECT id FROM t") == [(1,)])
    run.stop().expect(0)


def test_a_table_that_is_gone_is_not_made_anew(sluice, make_topic, database, own_keyspace):
    topic = make_topic(1)
    topic.send('{"id": 1}')
    file = sluice.config(topic, BOTH.format("t", "mode: upsert, key: id", "true"), database, own_keyspace)
    sluice.drain_file(file).expect(0)
    database.execute("DROP TABLE t")
    own_keyspace.execute("DROP TABLE {ks}.t")
    done = sluice.drain_file(file).expect(3)
    for lane in ("postgres", "cassandra"):
        done.line(f"{lane}.table", "the pipeline has progress on topic", "its table 't' is gone")


def test_what_can_be_no_column_is_told(sluice, make_topic, database, keyspace, table):
    topic = make_topic(1)
    topic.send('{"id": 1, "a-b": 2}')
    file = sluice.config(topic, BOTH.format(table, "mode: upsert, key: nr", "true"), database, keyspace)
    check = sluice.run("check", "-c", file).expect(3)
    for lane in ("postgres", "cassandra"):
        assert f"{lane}: {file}:" in check.out
    assert check.out.count(f"table '{table}' can't be made: no record has the key column 'nr'") == 2
    file = sluice.config(topic, BOTH.format(table, "mode: upsert, key: id", "true"), database, keyspace)
    check = sluice.run("check", "-c", file).expect(3)
    assert "the field 'a-b' can't be a column (cassandra.table); Cassandra allows letters, digits and _" in check.out
