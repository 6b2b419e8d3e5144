"""A record that can't be written stops its partition with one error; all else goes on."""

import json
import re

import pytest
import verify
from servers import eventually

# column, its type, a path or what stands for one, a good value, a bad one, words of the error
POSTGRES = [
    ("b", "bool", None, "true", '"yes"', "boolean"),
    ("i2", "int2", None, "1", "32768", "16 bits"),
    ("i4", "int4", None, "1", "1.5", "not an integer"),
    ("i8", "int8", None, "1", "9223372036854775808", "64 bits"),
    ("f4", "float4", None, "1.5", "16777217", "exactly"),
    ("f8", "float8", None, "1.5", "9007199254740993", "exactly"),
    ("big", "float8", None, "1.5", "1e400", "beyond the range"),
    ("n", "numeric(10,2)", None, "1.23", "1.234", "rounded"),
    ("w", "numeric(4,2)", None, "99.99", "100", "does not fit"),
    ("v", "varchar(5)", None, '"five5"', '"toolong"', "7 characters does not fit"),
    ("c", "char(2)", None, '"é"', '"abc"', "does not fit"),
    ("t", "text", None, '"ok"', '"a\\u0000b"', "NUL"),
    ("y", "bytea", "{from: value.y, encoding: hex}", '"00ff"', '"0g"', "hexadecimal"),
    ("d", "date", None, '"2024-02-29"', '"2023-02-29"', "calendar"),
    ("ts", "timestamp", None, '"2024-01-01T00:00:00"', '"soon"', "not a timestamp"),
    ("tz", "timestamptz", None, '"2024-01-01T00:00:00Z"', '"2024-01-01T00:00:00"', "offset from UTC"),
    ("ns", "timestamptz", None, '"2024-01-01T00:00:00Z"', '"2024-01-01T00:00:00.1234567Z"', "lost"),
    ("no", "timestamptz", None, '"2024-01-01T00:00:00Z"', "1700000000000", "unit"),
    ("u", "uuid", None, '"6f1c2f04-5b9d-4c3f-8a3e-1b2c3d4e5f60"', '"6f1c"', "not a UUID"),
    ("j", "jsonb", None, '{"a": [1]}', '"a\\u0000b"', "jsonb"),
    ("req", "int NOT NULL DEFAULT 5", None, "1", "null", "null"),
    ("ck", "int CHECK (ck > 0)", None, "1", "-1", "23514"),
]

CASSANDRA = [
    ("b", "boolean", None, "true", '"yes"', "boolean"),
    ("i1", "tinyint", None, "127", "128", "8 bits"),
    ("i2", "smallint", None, "1", "-32769", "16 bits"),
    ("i4", "int", None, "1", "2147483648", "32 bits"),
    ("i8", "bigint", None, "1", "9223372036854775808", "64 bits"),
    ("f4", "float", None, "1.5", "16777217", "exactly"),
    ("f8", "double", None, "1.5", "9007199254740993", "exactly"),
    ("n", "decimal", None, "1.23", '"NaN"', "number"),
    ("a", "ascii", None, '"a"', '"é"', "ASCII"),
    ("y", "blob", "{from: value.y, encoding: base64}", '"AP8="', '"#"', "base64"),
    ("d", "date", None, '"2024-02-29"', '"2023-02-29"', "calendar"),
    ("ts", "timestamp", None, '"2024-01-01T00:00:00Z"', '"2024-01-01T00:00:00.0001Z"', "milliseconds"),
    ("u", "uuid", None, '"6f1c2f04-5b9d-4c3f-8a3e-1b2c3d4e5f60"', '"6f1c"', "not a UUID"),
]


def send_bad(topic, cases):
    """In each partition a good record, a bad one, and a good one again; one more partition is all good."""
    good = {column: json.loads(value) for column, _, _, value, _, _ in cases}
    for partition in range(len(cases) + 1):
        for offset in range(3):
            value = {"id": f"{partition}/{offset}", **good}
            text = json.dumps(value)
            if offset == 1 and partition < len(cases):
                column, _, _, _, bad, _ = cases[partition]
                text = json.dumps({**value, column: "BAD"}).replace('"BAD"', bad)
            topic.send(text, partition=partition)


def expect_stops(done, topic, cases):
    for partition, (column, _, _, _, _, words) in enumerate(cases):
        at = f"{topic.name}[{partition}]@1"
        assert done.lines(f"partition {topic.name}[{partition}] is stopped", words), \
            f"{column}: no line with {words!r} in:\n" + "\n".join(done.lines(at))
        listed = done.line("did not reach its end", at)
        # The database's own refusals name the constraint.
        assert re.search(rf"column (\w+\.)*{column}:|constraint t_{column}_check", listed), f"{column} is not in: {listed}"
        assert len(done.lines("is stopped", at)) == 1, f"{column}: more than one error"
    assert not done.lines(f"[{len(cases)}]@"), "the partition without a bad record is stopped"


def expected_ids(cases):
    return sorted([f"{p}/0" for p in range(len(cases) + 1)] +
                  [f"{len(cases)}/{offset}" for offset in (1, 2)])


def columns_of(cases):
    return ", ".join(f"{column}: {path or 'value.' + column}" for column, _, path, _, _, _ in cases)


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_postgres_stops_before_each_value_that_does_not_fit(sluice, make_topic, database, mode):
    topic = make_topic(len(POSTGRES) + 1)
    definition = ", ".join(f"{column} {type_}" for column, type_, _, _, _, _ in POSTGRES)
    database.execute(f"CREATE TABLE t (id text PRIMARY KEY, {definition})")
    send_bad(topic, POSTGRES)
    key = ", key: [id]" if mode == "upsert" else ""
    route = (f"    postgres: {{table: t, mode: {mode}{key}, "
             f"columns: {{id: value.id, {columns_of(POSTGRES)}}}}}")
    done = sluice.drain_file(sluice.config(topic, route, database)).expect(1)
    expect_stops(done, topic, POSTGRES)
    found = [row[0] for row in database.rows("SELECT id FROM t ORDER BY id")]
    assert found == expected_ids(POSTGRES)


def test_cassandra_stops_before_each_value_that_does_not_fit(sluice, make_topic, keyspace, table):
    topic = make_topic(len(CASSANDRA) + 1)
    definition = ", ".join(f"{column} {type_}" for column, type_, _, _, _, _ in CASSANDRA)
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id text PRIMARY KEY, {definition})")
    send_bad(topic, CASSANDRA)
    route = f"    cassandra: {{table: {table}, columns: {{id: value.id, {columns_of(CASSANDRA)}}}}}"
    done = sluice.drain_file(sluice.config(topic, route, None, keyspace)).expect(1)
    expect_stops(done, topic, CASSANDRA)
    found = sorted(row[0] for row in keyspace.rows(f"SELECT id FROM {{ks}}.{table}"))
    assert found == expected_ids(CASSANDRA)


BROKEN = {
    "not JSON": (b"{broken", "--value string"),
    "an empty value": (b"", "not JSON"),
    "two documents": (b"{} {}", "not JSON"),
    "a name twice": (b'{"a": 1, "a": 1}', "duplicate_names: last"),
    "bare NaN": (b'{"a": NaN}', "not JSON"),
    "not UTF-8": (b'"\xff"', "not JSON"),
    "a registry's magic byte": (b"\0\0\0\x30\x39rest", "12345"),
    "too deep": (b"[" * 5000 + b"]" * 5000, "not JSON"),
}


def test_values_that_are_not_json_say_what_to_do(sluice, make_topic, database, keyspace):
    topic = make_topic(len(BROKEN) + 1)
    for partition, (value, _) in enumerate(BROKEN.values()):
        topic.send('{"n": 0}', value, '{"n": 2}', partition=partition)
    topic.send("0", "1", "2", partition=len(BROKEN))
    done = sluice.drain(topic, database, keyspace).expect(1)
    for partition, (name, (_, words)) in enumerate(BROKEN.items()):
        stops = done.lines("is stopped", f"{topic.name}[{partition}]@1", words)
        assert len(stops) == 2, f"{name}: {stops}\n{done.err}"
    expected = sorted([(p, 0) for p in range(len(BROKEN))] + [(len(BROKEN), o) for o in range(3)])
    for rows in (verify.postgres_events(database), verify.cassandra_events(keyspace, topic)):
        assert sorted(row[:2] for row in rows) == expected


def test_strings_that_are_not_utf8_name_value_bytes(sluice, topic, database):
    topic.send("good", b"\xff\xfe", partition=1)
    done = sluice.drain(topic, database, None, "--value", "string").expect(1)
    done.has(f"{topic.name}[1]@1", "not UTF-8", "--value bytes")


def test_json_keys_that_are_not_json_name_the_key(sluice, topic, database):
    topic.send("{}", key="{broken", partition=0)
    sluice.drain(topic, database, None, "--key", "json").expect(1).has("key", "--key string")


def test_bad_record_of_one_lane_does_not_stop_the_other(sluice, make_topic, database, keyspace, table):
    topic = make_topic(2)
    database.execute(f"CREATE TABLE {table} (id int, name varchar(3))")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY, name text)")
    for i in range(1000):
        name = "long" if i == 600 else "abc"
        topic.send(json.dumps({"id": i, "name": name}), partition=i % 2)
    route = f"    postgres: {{table: {table}}}\n    cassandra: {{table: {table}}}\n"
    done = sluice.drain_file(sluice.config(topic, route, database, keyspace)).expect(1)
    done.has("postgres", f"{topic.name}[0]@300", "column", ".name:", "character varying(3)")
    assert not done.lines("cassandra", "stopped")
    assert len(keyspace.rows(f"SELECT id FROM {{ks}}.{table}")) == 1000
    found = {row[0] for row in database.rows(f"SELECT id FROM {table}")}
    assert found == {i for i in range(1000) if i % 2 == 1 or i < 600}


def test_missing_field_for_a_not_null_column_names_it(sluice, topic, database):
    database.execute("CREATE TABLE t (id int NOT NULL, name text)")
    topic.send('{"id": 1, "name": "a"}', '{"name": "b"}', '{"id": 3}', partition=2)
    done = sluice.drain_file(sluice.config(topic, "    postgres: {table: t}", database)).expect(1)
    done.has("is stopped", f"{topic.name}[2]@1", "column t.id:")
    assert database.rows("SELECT id FROM t") == [(1,)]


def test_payload_stands_in_no_message(sluice, topic, database):
    database.execute("CREATE TABLE t (id int CHECK (id > 0), name varchar(8), j jsonb)")
    secret = "SECRETPAYLOAD"
    topic.send(json.dumps({"id": -1, "j": secret}), partition=0, key=secret)
    topic.send(json.dumps({"id": secret}), partition=1, key=secret)
    topic.send(f'{{"id": 1, {secret}', partition=2, key=secret)
    route = "    postgres: {table: t}"
    file = sluice.config(topic, route, database)
    sluice.run("--log-level", "debug", "run", "--until-end", "-c", file).expect(1).lacks(secret)


@pytest.mark.parametrize("side", ["value", "key"])
def test_numbers_of_a_payload_stand_in_no_message(sluice, make_topic, database, side):
    """A card's or a patient's number is as secret as a text."""
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int, name varchar(8))")
    number = "4929123456789012"
    key, value = (number, "{}") if side == "key" else ("1", f'{{"id": {number}}}')
    topic.send(value, key=key)
    route = f"    key: json\n    postgres: {{table: t, columns: {{id: {side}{'.id' if side == 'value' else ''}}}}}"
    file = sluice.config(topic, route, database)
    done = sluice.run("--log-level", "debug", "run", "--until-end", "-c", file).expect(1)
    done.has("is stopped", f"{topic.name}[0]@0", "column t.id:").lacks(number)


def test_a_stopped_partition_stops_again_in_the_next_run_until_the_table_fits(sluice, topic, database):
    database.execute("CREATE TABLE t (v varchar(3))")
    topic.send('{"v": "abc"}', '{"v": "abcdef"}', '{"v": "x"}', partition=1)
    file = sluice.config(topic, "    postgres: {table: t}", database)
    for _ in range(2):
        sluice.drain_file(file).expect(1).has(f"{topic.name}[1]@1", "column t.v:")
        assert database.rows("SELECT v FROM t") == [("abc",)]
    database.execute("ALTER TABLE t ALTER v TYPE text")
    sluice.drain_file(file).expect(0)
    assert database.rows("SELECT v FROM t") == [("abc",), ("abcdef",), ("x",)]


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_check_violation_amid_a_large_batch_is_pinned_to_its_record(sluice, make_topic, database, mode):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int PRIMARY KEY, n int, CONSTRAINT few CHECK (n < 100))")
    topic.send(*(json.dumps({"id": i, "n": 500 if i == 3210 else i % 100}) for i in range(5000)))
    key = ", key: [id]" if mode == "upsert" else ""
    file = sluice.config(topic, f"    postgres: {{table: t, mode: {mode}{key}}}", database)
    sluice.drain_file(file).expect(1).has(f"{topic.name}[0]@3210", "23514")
    assert database.rows("SELECT count(*), max(id) FROM t") == [(3210, 3209)]


def test_duplicate_of_a_unique_column_is_a_bad_record(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int PRIMARY KEY)")
    topic.send('{"id": 1}', '{"id": 2}', '{"id": 1}', '{"id": 3}')
    done = sluice.drain_file(sluice.config(topic, "    postgres: {table: t}", database)).expect(1)
    done.has(f"{topic.name}[0]@2", "23505")
    assert sorted(database.rows("SELECT id FROM t")) == [(1,), (2,)]


def test_the_run_goes_on_with_other_partitions_and_exits_0_when_stopped(sluice, make_topic, database):
    topic = make_topic(2)
    topic.send("{", partition=0)
    process = sluice.start("run", *sluice.flags(topic, database))
    process.wait_for(r"is stopped")
    topic.send("1", "2", partition=1)
    eventually(lambda: database.value("SELECT count(*) FROM events") == 2, what="the other goes on")
    process.stop().expect(0)


def test_a_row_larger_than_cassandra_takes_is_a_bad_record(sluice, make_topic, kafka, keyspace):
    """The sandbox's server takes 4 MiB; neighbours pass with the same statement."""
    topic = make_topic(2, max_message_bytes=6_000_000)
    large = kafka.new_producer(message_max_bytes=6_000_000)
    topic.send("0", partition=0)
    large.produce(topic.name, json.dumps("y" * 5_000_000), partition=0)
    assert large.flush(60) == 0
    topic.send("0", "1", partition=1)
    done = sluice.drain(topic, None, keyspace, timeout=30).expect(1)
    done.has("is stopped", f"{topic.name}[0]@1")


@pytest.mark.parametrize("size", [5_000_000, 13_000_000])  # More than the server takes; more than is sent at once.
def test_of_a_row_larger_than_cassandra_takes_the_place_is_kept(sluice, make_topic, kafka, own_keyspace, size):
    topic = make_topic(1, max_message_bytes=15_000_000)
    large = kafka.new_producer(message_max_bytes=15_000_000)
    topic.send("0")
    large.produce(topic.name, json.dumps("y" * size), partition=0)
    assert large.flush(60) == 0
    topic.send("1")
    file = sluice.config(topic, "", None, own_keyspace, dead_letters="{table: lost}")
    sluice.drain_file(file, timeout=60).expect(0).has("1 records went to the dead letters")
    assert sorted(row[0] for row in own_keyspace.rows("SELECT kafka_offset FROM {ks}.events")) == [0, 2]
    assert own_keyspace.rows("SELECT kafka_offset, key, value FROM {ks}.lost") == [(1, None, None)]


@pytest.mark.slow
def test_a_record_that_only_the_server_refuses_is_a_bad_record_also_without_neighbours(sluice, make_topic,
                                                                                       keyspace, table):
    """An index takes 65,535 bytes; nothing but the server knows. No other record ever passes."""
    topic = make_topic(2)
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY, v text)",
                    f"CREATE INDEX ON {{ks}}.{table} (v)")
    topic.send(json.dumps({"id": 1, "v": "S" * 70_000}), partition=0)
    route = f"    cassandra: {{table: {table}, mode: upsert, key: id}}"
    file = sluice.config(topic, route, None, keyspace)
    done = sluice.drain_file(file).expect(1).lacks("SSSS")
    done.has("is stopped", f"{topic.name}[0]@0, table {keyspace.name}.{table}",
             "Cannot index value")
    assert keyspace.rows(f"SELECT id FROM {{ks}}.{table}") == []


@pytest.mark.slow
def test_a_privilege_taken_away_names_the_table_and_the_grant(sluice, make_topic, cassandra, own_keyspace,
                                                              names):
    """Tried again until it is back; nothing is rejected. The server caches privileges for two seconds."""
    topic, role = make_topic(1), names.new()
    own_keyspace.create("CREATE TABLE {ks}.t (id int PRIMARY KEY)")
    place = f"{own_keyspace.name}.t"
    cassandra.execute(f"CREATE ROLE {role} WITH PASSWORD = 'secret' AND LOGIN = true")
    try:
        for grant in (f"CREATE ON KEYSPACE {own_keyspace.name}", f"SELECT ON TABLE {place}",
                      f"MODIFY ON TABLE {place}"):
            cassandra.execute(f"GRANT {grant} TO {role}")
        file = sluice.config(topic, "    cassandra: {table: t}", None, own_keyspace, username=role)
        process = sluice.start("run", "-c", file, CASSANDRA_PASSWORD="secret")
        topic.send('{"id": 1}')
        eventually(lambda: own_keyspace.rows("SELECT id FROM {ks}.t"), what="the first row")
        cassandra.execute(f"REVOKE MODIFY ON TABLE {place} FROM {role}")

        def refused():
            topic.send('{"id": 2}')
            return process.count("can't be written")
        eventually(refused, 60, "the privilege is missed")
        process.wait_for(rf"{place}: .*GRANT MODIFY ON TABLE \"{own_keyspace.name}\"\.\"t\" TO \"{role}\"")
        cassandra.execute(f"GRANT MODIFY ON TABLE {place} TO {role}")
        process.wait_for("can be written again", timeout=60)
        process.stop().expect(0).lacks("is stopped")
        assert sorted(own_keyspace.rows("SELECT id FROM {ks}.t")) == [(1,), (2,)]
    finally:
        cassandra.execute(f"DROP ROLE {role}")
