"""Upserts: the table is the fold of the log, in both databases."""

import json

import pytest
import verify
from servers import eventually

ROUTE = """
    postgres:
      table: {table}
      mode: upsert
      key: [id]
      columns: {{id: key, n: value.n, name: value.name}}
    cassandra:
      table: {table}
      mode: upsert
      key: [id]
      columns: {{id: key, n: value.n, name: value.name}}
"""


@pytest.fixture
def people(database, keyspace, table):
    """A table of the same name in both databases."""
    database.execute(f"CREATE TABLE {table} (id text PRIMARY KEY, n bigint, name text)")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id text PRIMARY KEY, n bigint, name text)")
    return table


def contents(database, keyspace, table):
    """What PostgreSQL holds, once Cassandra is seen to hold the same."""
    found = {row[0]: row[1:] for row in database.rows(f"SELECT id, n, name FROM {table}")}
    same = {row[0]: row[1:] for row in keyspace.rows(f"SELECT id, n, name FROM {{ks}}.{table}")}
    assert found == same
    return found


def fold(records):
    """One pass over the log, in order; keys stay in one partition each."""
    state = {}
    for _, record in sorted(records.items()):
        key = record.key.decode()
        if record.value is None:
            state.pop(key, None)
            continue
        value = json.loads(record.value)
        n, name = state.get(key, (None, None))
        state[key] = (value.get("n", n), value.get("name", name))
    return state


def changes(rng, count, keys, pad=""):
    for i in range(count):
        key = f"k{rng.randrange(keys)}"
        fields = {"n": rng.choice([i, None]), "name": rng.choice([f"name {i}{pad}", None])}
        kept = {name: value for name, value in fields.items() if rng.random() < 0.7}
        yield key, None if rng.random() < 0.15 else json.dumps(kept)


def test_mixed_inserts_updates_and_deletes_end_as_the_fold_of_the_log(sluice, topic, database,
                                                                     keyspace, people, rng):
    file = sluice.config(topic, ROUTE.format(table=people), database, keyspace)
    for keys in (5, 200, 5000):
        topic.send_records(changes(rng, 3000, keys))
        sluice.drain_file(file).expect(0)
        expected = fold(verify.read_topic(topic.kafka.brokers, topic.name))
        assert contents(database, keyspace, people) == expected


def test_one_key_many_times_in_a_batch_keeps_the_last(sluice, topic, database, keyspace, people):
    topic.send_records(("only", json.dumps({"n": i, "name": str(i)})) for i in range(5000))
    sluice.drain_file(sluice.config(topic, ROUTE.format(table=people), database, keyspace)).expect(0)
    assert contents(database, keyspace, people) == {"only": (4999, "4999")}


def test_same_timestamps_still_end_as_the_log_does(sluice, make_topic, database, keyspace, people):
    """Also record times that run backwards: the log's order counts, not the clock's."""
    topic = make_topic(1)
    for time, n in ((5000, 1), (5000, 2), (4000, 3), (1, 4)):
        topic.send(json.dumps({"n": n}), key="k", timestamp=time)
    topic.send(None, key="gone", timestamp=9000)
    topic.send('{"n": 7}', key="back", timestamp=8000)
    topic.send(None, key="back", timestamp=7000)
    topic.send('{"n": 8}', key="back", timestamp=6000)
    sluice.drain_file(sluice.config(topic, ROUTE.format(table=people), database, keyspace)).expect(0)
    assert contents(database, keyspace, people) == {"k": (4, None), "back": (8, None)}


def test_absent_keeps_what_is_stored_and_null_clears_it(sluice, make_topic, database, keyspace, people):
    topic = make_topic(1)
    file = sluice.config(topic, ROUTE.format(table=people), database, keyspace)
    topic.send_records([(key, '{"n": 1, "name": "a"}') for key in ("kept", "nulled", "both")])
    sluice.drain_file(file).expect(0)
    topic.send_records([("kept", '{"n": 2}'), ("nulled", '{"name": null}'), ("both", "{}"),
                        ("new", '{"name": "b"}')])
    sluice.drain_file(file).expect(0)
    assert contents(database, keyspace, people) == {
        "kept": (2, "a"), "nulled": (1, None), "both": (1, "a"), "new": (None, "b")}


def test_absent_after_a_delete_does_not_bring_the_old_value_back(sluice, make_topic, database,
                                                                keyspace, people):
    topic = make_topic(1)
    file = sluice.config(topic, ROUTE.format(table=people), database, keyspace)
    topic.send_records([("k", '{"n": 1, "name": "old"}'), ("k", None), ("k", '{"n": 2}')])
    sluice.drain_file(file).expect(0)
    assert contents(database, keyspace, people) == {"k": (2, None)}


def test_absent_null_clears_what_an_event_lacks(sluice, make_topic, database, keyspace, people):
    topic = make_topic(1)
    route = ROUTE.format(table=people).replace("mode: upsert", "mode: upsert\n      absent: 'null'")
    file = sluice.config(topic, route, database, keyspace)
    topic.send_records([("k", '{"n": 1, "name": "a"}'), ("k", '{"n": 2}')])
    sluice.drain_file(file).expect(0)
    assert contents(database, keyspace, people) == {"k": (2, None)}


def test_default_fills_an_absent_column_of_a_new_row(sluice, topic, database, table):
    database.execute(f"CREATE TABLE {table} (id text PRIMARY KEY, n bigint DEFAULT 42, name text)")
    route = ROUTE.split("    cassandra")[0].format(table=table)
    topic.send_records([("a", "{}"), ("b", '{"n": 1}'), ("c", '{"n": null}')])
    sluice.drain_file(sluice.config(topic, route, database)).expect(0)
    assert sorted(database.rows(f"SELECT id, n FROM {table}")) == [("a", 42), ("b", 1), ("c", None)]


COMPOSITE = """
    key: json
    {lane}:
      table: {table}
      mode: upsert
      key: [tenant, id]
      columns: {{id: key.id, tenant: key.tenant, v: value.v}}
"""


def test_composite_keys_from_a_json_key(sluice, make_topic, database, keyspace, table):
    topic = make_topic(1)
    database.execute(f"CREATE TABLE {table} (v text, id int, tenant text, UNIQUE (id, tenant))")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (tenant text, id int, v text, "
                    "PRIMARY KEY (tenant, id))")
    def key(tenant, number):
        return json.dumps({"tenant": tenant, "id": number})
    topic.send_records([(key("a", 1), '{"v": "x"}'), (key("b", 1), '{"v": "y"}'),
                        (key("a", 2), '{"v": "z"}'), (key("a", 1), '{"v": "x2"}'),
                        (key("b", 1), None)])
    for lane, places in (("postgres", (database, None)), ("cassandra", (None, keyspace))):
        file = sluice.config(topic, COMPOSITE.format(lane=lane, table=table), *places)
        sluice.drain_file(file).expect(0)
    expected = [("a", 1, "x2"), ("a", 2, "z")]
    assert sorted(database.rows(f"SELECT tenant, id, v FROM {table}")) == expected
    assert sorted(keyspace.rows(f"SELECT tenant, id, v FROM {{ks}}.{table}")) == expected


def test_only_key_columns_are_inserted_and_deleted(sluice, make_topic, database, keyspace, table):
    topic = make_topic(1)
    database.execute(f"CREATE TABLE {table} (id int PRIMARY KEY)")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY)")
    route = "".join(f"    {lane}: {{table: {table}, mode: upsert, key: id, columns: {{id: key}}}}\n"
                    for lane in ("postgres", "cassandra"))
    topic.send_records([("1", "{}"), ("2", "{}"), ("1", "{}"), ("3", "{}"), ("2", None)])
    sluice.drain_file(sluice.config(topic, route, database, keyspace)).expect(0)
    assert sorted(database.rows(f"SELECT id FROM {table}")) == [(1,), (3,)]
    assert sorted(keyspace.rows(f"SELECT id FROM {{ks}}.{table}")) == [(1,), (3,)]


def test_columns_are_found_by_name(sluice, topic, database, keyspace, table):
    database.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, name text, other text)")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY, name text, other text)")
    route = "".join(f"    {lane}: {{table: {table}, mode: upsert, key: [id]}}\n"
                    for lane in ("postgres", "cassandra"))
    topic.send_records([("x", '{"id": 1, "name": "a", "unknown": 5}'),
                        ("x", '{"id": 1, "other": "b"}')])
    sluice.drain_file(sluice.config(topic, route, database, keyspace)).expect(0)
    assert database.rows(f"SELECT id, name, other FROM {table}") == [(1, "a", "b")]
    assert keyspace.rows(f"SELECT id, name, other FROM {{ks}}.{table}") == [(1, "a", "b")]


def test_a_key_that_is_not_unique_in_the_table_is_a_clear_error(sluice, topic, database, table):
    database.execute(f"CREATE TABLE {table} (id text, n bigint, name text)",
                     f"CREATE INDEX ON {table} (id)")
    file = sluice.config(topic, ROUTE.split("    cassandra")[0].format(table=table), database)
    topic.send("{}", key="k")
    done = sluice.drain_file(file).expect(3)
    done.has(table, "no unique index over exactly the upsert key (id)")
    sluice.run("check", "-c", file).expect(3).has(f"{file}:", "no unique index")


def test_a_key_other_than_the_primary_key_is_a_clear_error_in_cassandra(sluice, topic, keyspace, table):
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id text, n bigint, name text, "
                    "PRIMARY KEY (id, n))")
    route = "    cassandra" + ROUTE.split("    cassandra")[1].format(table=table)
    file = sluice.config(topic, route, None, keyspace)
    sluice.drain_file(file).expect(3).has("primary key", "[id, n]")


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_a_delete_needs_its_key_in_the_records_key(sluice, make_topic, database, keyspace, table, lane):
    topic = make_topic(1)
    places = (database, None) if lane == "postgres" else (None, keyspace)
    database.execute(f"CREATE TABLE {table} (id int PRIMARY KEY)")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY)")
    topic.send_records([("1", '{"id": 1}'), ("1", None), ("2", '{"id": 2}')])
    route = f"    {lane}: {{table: {table}, mode: upsert, key: id}}\n"
    done = sluice.drain_file(sluice.config(topic, route, *places)).expect(1)
    done.has(f"{topic.name}[0]@1", "column id", "record's key")
    found = (database.rows(f"SELECT id FROM {table}") if lane == "postgres"
             else keyspace.rows(f"SELECT id FROM {{ks}}.{table}"))
    assert found == [(1,)]


@pytest.mark.slow
def test_kill_9_amid_upserts_ends_as_the_fold_of_the_log(sluice, topic, kafka, database, keyspace, people, rng):
    """Each lane in turn is seen to be amid its records when the process is killed. They are several batches of
    PostgreSQL (8 MiB), which folds them first, and more than Cassandra takes between two commits (1 s)."""
    file = sluice.config(topic, ROUTE.format(table=people), database, keyspace)
    progress = {"postgres": lambda: database.progress(topic),
                "cassandra": lambda: kafka.progress(f"{topic.name}.cassandra", topic.name)}
    count = 100_000
    for number, lane in enumerate(("postgres", "cassandra", "postgres")):
        topic.send_records(changes(rng, count, 50_000, pad="x" * 300))
        before, done = number * count, progress[lane]
        goal = before + rng.randrange(1, count // 4)
        process = sluice.start("run", "-c", file)
        eventually(lambda wanted=goal, now=done: now() >= wanted, 120, f"{lane} has {goal} records")
        process.kill()
        print(f"killed when {lane} had {done()} of {before + count}")
        assert before < done() < before + count, "the end came in the middle"
    sluice.drain_file(file, timeout=180).expect(0)
    expected = fold(verify.read_topic(topic.kafka.brokers, topic.name))
    assert contents(database, keyspace, people) == expected


@pytest.fixture
def twin(sluice, make_topic, database):
    """A session that holds the progress of partition 0, as an owner that is frozen amid a batch does."""
    topic = make_topic(3)
    sluice.drain(topic, database).expect(0)
    session = database.connect()

    def hold(application):
        session.execute("SELECT set_config('application_name', %s, false)", (application,))
        session.autocommit = False
        session.execute("UPDATE sluice.offsets SET updated_at = now() WHERE partition = 0")
        return session
    yield topic, hold
    session.close()


def arrived(database):
    return {row[0] for row in database.rows("SELECT DISTINCT kafka_partition FROM events")}


def send_to_all(topic):
    for partition in range(3):
        topic.send("1", partition=partition)


def test_progress_that_a_stranger_holds_keeps_no_other_partition_waiting(sluice, database, twin):
    topic, hold = twin
    session = hold("a stranger")
    send_to_all(topic)
    process = sluice.start("run", *sluice.flags(topic, database))
    eventually(lambda: arrived(database) == {1, 2}, timeout=20, what="the others go on")
    process.wait_for(r"waits: .*\[0\]: session \d+ \('a stranger'.* holds the lock.*55P03")
    session.rollback()
    eventually(lambda: arrived(database) == {0, 1, 2}, timeout=20, what="it goes on")
    process.wait_for("goes on")
    process.stop().expect(0)
    verify.assert_equal(topic, database)


@pytest.mark.slow
def test_an_owner_that_is_frozen_is_ended_by_the_next_one(sluice, database, twin):
    topic, hold = twin
    session = hold(f"sluice:{topic.name}")
    send_to_all(topic)
    process = sluice.start("run", *sluice.flags(topic, database))
    eventually(lambda: arrived(database) == {0, 1, 2}, timeout=40, what="all partitions go on")
    process.wait_for(r"\[0\]: ended session \d+")
    with pytest.raises(Exception, match="terminat|closed"):
        session.execute("SELECT 1")
    process.stop().expect(0)
    verify.assert_equal(topic, database)


def test_a_key_whose_equal_values_differ_in_bytes_is_refused(sluice, topic, database, table):
    database.execute("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', "
                     "deterministic = false)",
                     f"CREATE TABLE {table} (id jsonb PRIMARY KEY, loose text COLLATE loose UNIQUE)")
    for column, what in (("id", "is jsonb"), ("loose", "has a nondeterministic collation")):
        file = sluice.config(topic, f"    postgres: {{table: {table}, mode: upsert, key: {column}}}", database)
        sluice.drain_file(file).expect(3).has(f"column '{column}' of the upsert key of {table} {what}")
        sluice.run("check", "-c", file).expect(3).has(what)


@pytest.mark.parametrize("type_, spellings", [("numeric", ("1.0", "1.00")), ("float8", ("-0.0", "0")),
                                              ("char(4)", ('"a"', '"a "'))])
def test_keys_that_the_database_calls_equal_are_one(sluice, make_topic, database, table, type_, spellings):
    topic = make_topic(1)
    database.execute(f"CREATE TABLE {table} (id {type_} PRIMARY KEY, n int)")
    first, second = spellings
    topic.send(f'{{"id": {first}, "n": 1}}', f'{{"id": {second}, "n": 2}}')
    route = f"    postgres: {{table: {table}, mode: upsert, key: id}}"
    sluice.drain_file(sluice.config(topic, route, database)).expect(0)
    assert database.rows(f"SELECT n FROM {table}") == [(2,)]


def test_what_a_killed_process_had_under_way_ends_with_it(sluice, make_topic, database):
    """A backend looks for its client at the next read only, unless it is told to look more often."""
    topic = make_topic(1)
    database.execute("CREATE TABLE t (n int)",
                     "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(25); RETURN NEW; END$$",
                     "CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()")
    topic.send('{"n": 1}')
    process = sluice.start("run", "-c", sluice.config(topic, "    postgres: {table: t}", database))
    ours = f"SELECT FROM pg_stat_activity WHERE application_name = 'sluice:{topic.name}' AND wait_event = 'PgSleep'"
    eventually(lambda: database.rows(ours), what="the slow row is under way")
    process.kill()
    eventually(lambda: not database.rows(ours), timeout=10, what="its backend is gone, and its locks")


@pytest.mark.slow
def test_an_owner_that_is_frozen_inside_of_a_copy_is_ended_by_the_next_one(sluice, make_topic, database):
    """No timeout of the server ends such a session: it waits for its client, and the lock with it."""
    topic, count = make_topic(1), 100_000
    sluice.drain(topic, database).expect(0)
    # Slow rows, so that most of the time is spent inside of a COPY.
    database.execute("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
                     "$$BEGIN PERFORM count(*) FROM generate_series(1, 100); RETURN NEW; END$$",
                     "CREATE TRIGGER slow BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION slow()")
    topic.send_records((None, json.dumps({"i": i, "pad": "x" * 400})) for i in range(count))
    frozen = sluice.start("run", *sluice.flags(topic, database))

    def waits_in_copy():
        return database.rows("SELECT FROM pg_stat_activity WHERE application_name = "
                             f"'sluice:{topic.name}' AND query LIKE 'COPY%' AND state = 'active' "
                             "AND wait_event = 'ClientRead'")

    def freeze_in_copy():
        frozen.freeze()
        try:
            return eventually(waits_in_copy, timeout=2)
        except AssertionError:
            frozen.thaw()
            return False

    eventually(freeze_in_copy, what="it is inside of a COPY")
    process = sluice.start("run", *sluice.flags(topic, database))
    process.wait_for(r"ended session \d+", timeout=60)
    eventually(lambda: database.value("SELECT count(*) FROM events") == count, timeout=60, what="all arrives")
    frozen.thaw()
    frozen.stop()
    process.stop().expect(0)
    verify.assert_equal(topic, database)
