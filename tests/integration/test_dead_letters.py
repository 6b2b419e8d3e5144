"""Records that their tables can't take, in a table of dead letters: each once, its neighbours where they belong."""

import json

import pytest
from servers import eventually
from test_bad_records import CASSANDRA, POSTGRES, columns_of, send_bad

SETTING = {"dead_letters": "{table: lost}"}
# Found before a row is sent; what only the server refuses: test_refused_records.py.
FITTING = [case for case in POSTGRES if case[-1] != "23514"]
PLACE = "kafka_partition, kafka_offset, value, reason, error"


def good_ids(cases):
    """Of all partitions: a dead letter stops none."""
    return sorted(f"{p}/{offset}" for p in range(len(cases) + 1) for offset in range(3)
                  if offset != 1 or p == len(cases))


def expect_letters(letters, cases):
    assert sorted((p, o) for p, o, *_ in letters) == [(p, 1) for p in range(len(cases))]
    for partition, offset, value, reason, error in letters:
        column, _, _, _, bad, words = cases[partition]
        assert f'"{column}": {bad}'.encode() in bytes(value)
        assert words in reason + error, f"{column}: {reason}, {error}"


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_each_value_that_does_not_fit_is_a_dead_letter_in_postgres(sluice, make_topic, database, mode):
    topic = make_topic(len(FITTING) + 1)
    definition = ", ".join(f"{column} {type_}" for column, type_, *_ in FITTING)
    database.execute(f"CREATE TABLE t (id text PRIMARY KEY, {definition})")
    send_bad(topic, FITTING)
    key = ", key: [id]" if mode == "upsert" else ""
    route = f"    postgres: {{table: t, mode: {mode}{key}, columns: {{id: value.id, {columns_of(FITTING)}}}}}"
    file = sluice.config(topic, route, database, **SETTING)
    done = sluice.drain_file(file).expect(0)
    done.has(f"{len(FITTING)} records went to the dead letters")
    done.has(f"{len(good_ids(FITTING))} rows from")
    assert sorted(row[0] for row in database.rows("SELECT id FROM t")) == good_ids(FITTING)
    expect_letters(database.rows(f"SELECT {PLACE} FROM lost"), FITTING)
    sluice.drain_file(file).expect(0)
    assert database.value("SELECT count(*) FROM lost") == len(FITTING)


def test_each_value_that_does_not_fit_is_a_dead_letter_in_cassandra(sluice, make_topic, own_keyspace):
    topic = make_topic(len(CASSANDRA) + 1)
    definition = ", ".join(f"{column} {type_}" for column, type_, *_ in CASSANDRA)
    own_keyspace.create(f"CREATE TABLE {{ks}}.t (id text PRIMARY KEY, {definition})")
    send_bad(topic, CASSANDRA)
    route = f"    cassandra: {{table: t, columns: {{id: value.id, {columns_of(CASSANDRA)}}}}}"
    sluice.drain_file(sluice.config(topic, route, None, own_keyspace, **SETTING)).expect(0)
    assert sorted(row[0] for row in own_keyspace.rows("SELECT id FROM {ks}.t")) == good_ids(CASSANDRA)
    expect_letters(own_keyspace.rows(f"SELECT {PLACE} FROM {{ks}}.lost"), CASSANDRA)


def test_a_dead_letter_keeps_the_record_as_it_came(sluice, make_topic, database, own_keyspace):
    topic = make_topic(1)
    headers = [("trace", "žluť".encode()), ("raw", b"\xff\x00"), ("none", None)]
    topic.send("no JSON\x00", key=b"\xfe key", timestamp=1_700_000_000_123, headers=headers)
    topic.send("", timestamp=1_700_000_000_124)
    sluice.drain_file(sluice.config(topic, "", database, own_keyspace, **SETTING)).expect(0)
    query = "SELECT kafka_topic, kafka_partition, kafka_offset, timestamp, key, value, headers FROM {}lost"
    for rows in (database.rows(query.format("")), own_keyspace.rows(query.replace("{}", "{{ks}}.").format())):
        first, second = sorted(rows, key=lambda row: row[2])
        assert first[:3] == (topic.name, 0, 0)
        assert first[3].timestamp() == pytest.approx(1_700_000_000.123)
        assert (bytes(first[4]), bytes(first[5])) == (b"\xfe key", b"no JSON\x00")
        kept = json.loads(first[6]) if isinstance(first[6], str) else first[6]
        assert kept == [{"name": "trace", "value": "žluť"}, {"name": "raw", "hex": "ff00"},
                        {"name": "none", "value": None}]
        assert (second[4], bytes(second[5]), second[6]) == (None, b"", None)


def test_many_dead_letters_amid_large_batches_leave_every_other_record(sluice, make_topic, database, own_keyspace):
    topic = make_topic(2)
    database.execute("CREATE TABLE t (id int, v int)", "CREATE TABLE u (id int PRIMARY KEY, v int)")
    own_keyspace.create("CREATE TABLE {ks}.t (id int PRIMARY KEY, v int)")
    for partition in range(2):
        topic.send(*(f'{{"id": {n * 2 + partition}, "v": {n if n % 100 else 99_999_999_999}}}' for n in range(10_000)),
                   partition=partition)
    file = sluice.config(topic, "    postgres: [{table: t}, {table: u, mode: upsert, key: id}]\n    cassandra: {table: t}",
                         database, own_keyspace, **SETTING)
    done = sluice.drain_file(file).expect(0)
    done.has("postgres: 39,600 rows from 20,000 records").has("cassandra: 19,800 rows from 20,000 records")
    assert len(done.lines("200 records went to the dead letters")) == 2
    expected = [(n * 2 + p, n) for p in range(2) for n in range(10_000) if n % 100]
    for found in (database.rows("SELECT * FROM t"), database.rows("SELECT * FROM u"),
                  own_keyspace.rows("SELECT id, v FROM {ks}.t")):
        assert sorted(found) == sorted(expected)
    letters = sorted((p, n) for p in range(2) for n in range(0, 10_000, 100))
    assert sorted(database.rows("SELECT kafka_partition, kafka_offset FROM lost")) == letters
    assert sorted(own_keyspace.rows("SELECT kafka_partition, kafka_offset FROM {ks}.lost")) == letters


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_a_pipeline_that_has_begun_may_get_a_table_of_dead_letters(sluice, make_topic, database, own_keyspace, lane):
    topic = make_topic(1)
    place = (database, None) if lane == "postgres" else (None, own_keyspace)
    topic.send("1")
    sluice.drain_file(sluice.config(topic, "", *place)).expect(0)
    topic.send("no JSON", "2")
    file = sluice.config(topic, "", *place, **SETTING)
    sluice.run("check", "-c", file).expect(0).has("run will create", "lost")
    sluice.drain_file(file).expect(0).has("created the table", "lost")
    rows = (database.rows("SELECT kafka_offset FROM lost") if lane == "postgres"
            else own_keyspace.rows("SELECT kafka_offset FROM {ks}.lost"))
    assert rows == [(1,)]


def test_a_table_fault_is_no_dead_letter(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int)")
    process = sluice.start("run", "-c", sluice.config(topic, "    postgres: {table: t}", database, **SETTING))
    process.wait_for("starts afresh")
    database.execute("DROP TABLE t")
    topic.send('{"id": 1}', '{"id": "x"}', '{"id": 2}')
    process.wait_for("route 1 can't be written")
    assert database.value("SELECT count(*) FROM lost") == 0
    database.execute("CREATE TABLE public.t (id int)")
    eventually(lambda: database.value("SELECT count(*) FROM lost") == 1, what="the record's own fault")
    process.stop().expect(0)
    assert sorted(database.rows("SELECT id FROM public.t")) == [(1,), (2,)]


def test_dead_letters_survive_a_kill_exactly_once(sluice, make_topic, kafka, database, own_keyspace):
    topic = make_topic(3)
    for partition in range(3):
        topic.send(*("bad" if n % 50 == 3 else json.dumps({"n": n}) for n in range(20_000)), partition=partition)
    file = sluice.config(topic, "", database, own_keyspace, **SETTING)
    for at in (10_000, 30_000):
        process = sluice.start("run", "-c", file)
        eventually(lambda: database.progress(topic) >= at or not process.running(), 60, "progress")
        process.kill()
    sluice.drain_file(file, timeout=90).expect(0)
    for rows, letters in ((database.rows("SELECT kafka_partition, kafka_offset FROM events"),
                           database.rows("SELECT kafka_partition, kafka_offset FROM lost")),
                          (own_keyspace.rows("SELECT kafka_partition, kafka_offset FROM {ks}.events"),
                           own_keyspace.rows("SELECT kafka_partition, kafka_offset FROM {ks}.lost"))):
        assert sorted(letters) == [(p, n) for p in range(3) for n in range(20_000) if n % 50 == 3]
        assert sorted(rows) == [(p, n) for p in range(3) for n in range(20_000) if n % 50 != 3]


def test_two_pipelines_share_a_table_of_dead_letters(sluice, make_topic, own_keyspace):
    """They keep the same record under the same key; the second one's first start is not held up by it."""
    topic = make_topic(1)
    own_keyspace.create("CREATE TABLE {ks}.a (n int PRIMARY KEY)", "CREATE TABLE {ks}.b (n int PRIMARY KEY)")
    topic.send('{"n": "x"}', '{"n": 1}')
    for table in "ab":
        route = f"    cassandra: {{table: {table}}}"
        file = sluice.config(topic, route, None, own_keyspace, pipeline=f"{topic.name}-{table}", **SETTING)
        sluice.drain_file(file).expect(0)
        assert own_keyspace.rows(f"SELECT n FROM {{ks}}.{table}") == [(1,)]
    assert len(own_keyspace.rows("SELECT kafka_offset FROM {ks}.lost")) == 1
