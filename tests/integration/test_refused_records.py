"""Records that only the server refuses, with a table of dead letters: the one record goes there, in its place, and never
one that the table is to blame for."""

import json
import time

import pytest
from servers import eventually

SETTING = {"dead_letters": "{table: lost}"}
REFUSE_ALL = ("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$",
              "CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()")


def numbers(*values):
    return [f'{{"id": {value}}}' for value in values]


def letters(database):
    return sorted(database.rows("SELECT kafka_partition, kafka_offset, reason FROM lost"))


@pytest.mark.parametrize("mode, reason", [("append", "postgres.copy 23514"), ("upsert, key: [id]", "postgres.write 23514")])
def test_a_record_that_the_server_refuses_is_a_dead_letter(sluice, make_topic, database, mode, reason):
    topic = make_topic(2)
    database.execute("CREATE TABLE t (id int PRIMARY KEY CHECK (id <> 13))")
    topic.send(*numbers(1, 13, 2), partition=0)
    topic.send(*numbers(13, 3, 13, 4, 13), partition=1)
    file = sluice.config(topic, f"    postgres: {{table: t, mode: {mode}}}", database, **SETTING)
    done = sluice.drain_file(file).expect(0)
    done.has("4 records went to the dead letters").has("4 rows from 8 records").has("t_id_check")
    assert sorted(database.rows("SELECT id FROM t")) == [(1,), (2,), (3,), (4,)]
    assert letters(database) == [(0, 1, reason), (1, 0, reason), (1, 2, reason), (1, 4, reason)]
    kept = database.rows("SELECT value, error FROM lost WHERE kafka_partition = 0")
    assert [bytes(value) for value, _ in kept] == [b'{"id": 13}']
    assert f"{topic.name}[0]@1" in kept[0][1]
    sluice.drain_file(file).expect(0)
    assert len(letters(database)) == 4


@pytest.mark.parametrize("mode", ["append", "upsert, key: [id]"])
def test_many_refused_records_leave_every_other_one(sluice, make_topic, database, mode):
    """Into two tables: where one refuses the record, the other has no row of it either."""
    topic = make_topic(2)
    database.execute("CREATE TABLE t (id int CHECK (id % 97 <> 0), UNIQUE (id))", "CREATE TABLE u (id int, v text)")
    for partition in range(2):
        topic.send(*numbers(*range(partition, 20_000, 2)), partition=partition)
    route = f"    postgres: [{{table: t, mode: {mode}}}, {{table: u}}]"
    sluice.drain_file(sluice.config(topic, route, database, **SETTING), timeout=90).expect(0)
    good = [(n,) for n in range(20_000) if n % 97]
    assert sorted(database.rows("SELECT id FROM t")) == good
    assert sorted(database.rows("SELECT id FROM u")) == good
    assert [(p, o) for p, o, _ in letters(database)] == sorted((n % 2, n // 2) for n in range(0, 20_000, 97))


def test_a_trigger_that_refuses_every_record_makes_no_dead_letter(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int)", *REFUSE_ALL)
    topic.send(*numbers(*range(500)))
    file = sluice.config(topic, "    postgres: {table: t}", database, **SETTING)
    process = sluice.start("run", "-c", file)
    process.wait_for("every record is refused like this")
    assert letters(database) == []
    database.execute("DROP TRIGGER refuse ON t")
    eventually(lambda: database.value("SELECT count(*) FROM t") == 500, what="the rows")
    process.stop().expect(0)
    assert letters(database) == []


REFUSE_LATE = ("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {} THEN RAISE 'no'; END IF; "
               "RETURN NULL; END $$",
               "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON {} DEFERRABLE INITIALLY DEFERRED "
               "FOR EACH ROW EXECUTE FUNCTION refuse()")


def refuse_late(table, condition):
    return REFUSE_LATE[0].format(condition), REFUSE_LATE[1].format(table)


def test_a_record_that_a_deferred_trigger_refuses_is_a_dead_letter(sluice, make_topic, database):
    """The error comes with COMMIT and names no row."""
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int)", *refuse_late("t", "NEW.id = 13"))
    topic.send(*numbers(1, 13, 2, 13, 3), "no JSON")
    file = sluice.config(topic, "    postgres: {table: t}", database, **SETTING)
    sluice.drain_file(file).expect(0)
    assert sorted(database.rows("SELECT id FROM t")) == [(1,), (2,), (3,)]
    assert [offset for _, offset, _ in letters(database)] == [1, 3, 5]


def test_a_deferred_trigger_that_refuses_every_record_makes_no_dead_letter(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int)", *refuse_late("t", "true"))
    topic.send(*numbers(*range(100)))
    file = sluice.config(topic, "    postgres: {table: t}", database, **SETTING)
    process = sluice.start("run", "-c", file)
    process.wait_for("every record is refused like this")
    database.execute("DROP TRIGGER refuse ON t")
    eventually(lambda: database.value("SELECT count(*) FROM t") == 100, what="the rows")
    process.stop().expect(0)
    assert letters(database) == []


def test_a_session_that_ends_in_commit_makes_no_dead_letter(sluice, make_topic, database):
    """A deferred trigger ends its own session twice, so that FATAL is COMMIT's answer; a sequence, which no rollback takes
    back, counts."""
    topic = make_topic(1)
    database.execute(
        "CREATE TABLE t (id int)", "CREATE SEQUENCE ends",
        "CREATE FUNCTION hang_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 13 AND nextval('ends') <= 2 "
        "THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER hang_up AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION hang_up()")
    topic.send(*numbers(*range(100)))
    file = sluice.config(topic, "    postgres: {table: t}", database, **SETTING)
    sluice.drain_file(file).expect(0).has("57P01")
    assert database.value("SELECT last_value FROM ends") == 3
    assert sorted(database.rows("SELECT id FROM t")) == [(n,) for n in range(100)]
    assert not database.has("lost") or letters(database) == []


def test_a_table_of_dead_letters_that_refuses_at_the_end_is_waited_for(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int)",
                     "CREATE TABLE lost (kafka_topic text, kafka_partition int, kafka_offset bigint, "
                     "timestamp timestamptz, key bytea, value bytea, headers json, reason text, error text)",
                     *refuse_late("lost", "true"))
    topic.send('{"id": 1}', '{"id": "x"}', '{"id": 2}')
    file = sluice.config(topic, "    postgres: {table: t}", database, **SETTING)
    process = sluice.start("run", "-c", file)
    process.wait_for("the dead letters need a table that takes every record")
    database.execute("DROP TRIGGER refuse ON lost")
    eventually(lambda: sorted(database.rows("SELECT id FROM t")) == [(1,), (2,)], what="the rows")
    process.stop().expect(0)
    assert [offset for _, offset, _ in letters(database)] == [1]


def test_a_lone_record_waits_for_another_that_tells_whose_fault_it_is(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int CHECK (id > 0))")
    topic.send(*numbers(-1))
    file = sluice.config(topic, "    postgres: {table: t}", database, **SETTING)
    process = sluice.start("run", "-c", file)
    process.wait_for("waits for the next records of the table")
    topic.send(*numbers(-2))
    process.wait_for("waits for the next records of the table", times=2)
    assert letters(database) == []
    topic.send(*numbers(1))
    eventually(lambda: len(letters(database)) == 2, what="the dead letters")
    eventually(lambda: database.rows("SELECT id FROM t") == [(1,)], what="the row")
    process.wait_for("can be written again")
    process.stop().expect(0)
    assert [offset for _, offset, _ in letters(database)] == [0, 1]


def test_large_records_wait_for_others_too_and_hold_up_no_other_topic(sluice, make_topic, database):
    """Four of them are a batch by themselves; and a dozen fill the lane's room, in which nothing passes that could tell."""
    topic, fine = make_topic(1), make_topic(1)
    database.execute("CREATE TABLE t (id int CONSTRAINT no_13 CHECK (id <> 13), v text)")
    large = json.dumps({"id": 13, "v": "x" * 900_000})
    routes = f"    postgres: {{table: t}}\n  - topic: {fine.name}\n    postgres: true\n"
    process = sluice.start("run", "-c", sluice.config(topic, routes, database, memory="128MiB", **SETTING))
    topic.send(*[large] * 4)
    process.wait_for("waits for the next records")
    topic.send(*numbers(*range(100, 120)))
    eventually(lambda: database.value("SELECT count(*) FROM t") == 20, what="those behind it are written")
    eventually(lambda: len(letters(database)) == 4, what="they are dead letters")
    topic.send(*[large] * 12)
    process.wait_for("waits for the next records", times=2)
    time.sleep(5)  # The room is full by then.
    fine.send("1")
    eventually(lambda: database.value("SELECT count(*) FROM events") == 1, what="the other topic goes on")
    database.execute("ALTER TABLE t DROP CONSTRAINT no_13")
    eventually(lambda: database.value("SELECT count(*) FROM t") == 32, 60, "all are written")
    process.stop().expect(0)


def test_what_a_trigger_says_of_a_row_is_not_logged(sluice, topic, database):
    database.execute("CREATE TABLE t (id int)", "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                     "RAISE EXCEPTION 'secret %', NEW.id USING ERRCODE = 'U0001'; END $$",
                     "CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()")
    topic.send(*numbers(4711))
    done = sluice.drain_file(sluice.config(topic, "    postgres: {table: t}", database))
    done.expect(1).has("a trigger or function of the table refused the row", "U0001").lacks("secret").lacks("4711")


def test_a_lone_record_that_a_trigger_refuses_is_written_when_the_trigger_is_gone(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int)", *REFUSE_ALL)
    topic.send(*numbers(1))
    file = sluice.config(topic, "    postgres: {table: t}", database, **SETTING)
    begun = time.monotonic()
    sluice.drain_file(file).expect(1).has("waits for the next records of the table", f"{topic.name}[0]@0")
    assert time.monotonic() - begun < 30
    process = sluice.start("run", "-c", file)
    process.wait_for("waits for the next records of the table")
    database.execute("DROP TRIGGER refuse ON t")
    eventually(lambda: database.rows("SELECT id FROM t") == [(1,)], what="the row")
    process.stop().expect(0)
    assert letters(database) == []


def test_a_dead_letter_is_no_witness(sluice, make_topic, database):
    """Beside records that don't fit the table's columns a trigger that refuses all is still the table's fault."""
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int)", *REFUSE_ALL)
    topic.send("no JSON", *numbers(1), "no JSON")
    file = sluice.config(topic, "    postgres: {table: t}", database, **SETTING)
    process = sluice.start("run", "-c", file)
    process.wait_for("waits for the next records of the table")
    assert [offset for _, offset, _ in letters(database)] in ([], [0])
    database.execute("DROP TRIGGER refuse ON t")
    eventually(lambda: database.rows("SELECT id FROM t") == [(1,)], what="the row")
    process.stop().expect(0)
    assert [offset for _, offset, _ in letters(database)] == [0, 2]


def test_a_table_of_dead_letters_that_refuses_is_waited_for(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int)",
                     "CREATE TABLE lost (kafka_topic text, kafka_partition int, kafka_offset bigint, "
                     "timestamp timestamptz, key bytea, value bytea, headers json, reason text, "
                     "error text CHECK (error = ''))")
    topic.send('{"id": 1}', '{"id": "x"}', '{"id": 2}')
    file = sluice.config(topic, "    postgres: {table: t}", database, **SETTING)
    process = sluice.start("run", "-c", file)
    process.wait_for("the dead letters need a table that takes every record")
    database.execute("ALTER TABLE lost DROP CONSTRAINT lost_error_check")
    eventually(lambda: sorted(database.rows("SELECT id FROM t")) == [(1,), (2,)], what="the rows")
    process.stop().expect(0)
    assert [offset for _, offset, _ in letters(database)] == [1]


def test_refused_records_survive_a_kill_exactly_once(sluice, make_topic, database):
    topic = make_topic(3)
    database.execute("CREATE TABLE t (n int CHECK (n % 50 <> 3))")
    for partition in range(3):
        topic.send(*(json.dumps({"n": n}) for n in range(20_000)), partition=partition)
    file = sluice.config(topic, "    postgres: {table: t, columns: {n: value.n}}", database, **SETTING)
    for at in (10_000, 30_000):
        process = sluice.start("run", "-c", file)
        eventually(lambda: database.progress(topic) >= at or not process.running(), 60, "progress")
        process.kill()
    sluice.drain_file(file, timeout=90).expect(0)
    assert [(p, n) for p, n, _ in letters(database)] == [(p, n) for p in range(3) for n in range(20_000) if n % 50 == 3]
    assert database.rows("SELECT n, count(*) FROM t GROUP BY n ORDER BY n") == [(n, 3) for n in range(20_000) if n % 50 != 3]


def test_a_table_of_cassandra_that_refuses_every_record_makes_no_dead_letter(sluice, make_topic, own_keyspace):
    """A default TTL that ends behind 2038: "invalid", as a bad record."""
    topic = make_topic(2)
    own_keyspace.create("CREATE TABLE {ks}.t (id int PRIMARY KEY)")
    route = "    cassandra: {table: t, columns: {id: value.id}}"
    process = sluice.start("run", "-c", sluice.config(topic, route, None, own_keyspace, **SETTING))
    topic.send(*numbers(0), partition=0)
    eventually(lambda: own_keyspace.rows("SELECT id FROM {ks}.t"), what="the first row")
    own_keyspace.execute("ALTER TABLE {ks}.t WITH default_time_to_live = 630720000")
    topic.send(*numbers(*range(1, 21)), partition=0)
    topic.send(*numbers(*range(21, 41)), partition=1)
    process.wait_for(r"route 1 can't be written, tried again: .*expiration", 40)
    time.sleep(12)  # Longer than a lone record is waited with.
    assert own_keyspace.rows("SELECT kafka_offset FROM {ks}.lost") == []
    own_keyspace.execute("ALTER TABLE {ks}.t WITH default_time_to_live = 0")
    eventually(lambda: sorted(own_keyspace.rows("SELECT id FROM {ks}.t")) == [(n,) for n in range(41)], 60, "the rows")
    process.stop().expect(0)
    assert own_keyspace.rows("SELECT kafka_offset FROM {ks}.lost") == []


def test_a_record_that_cassandra_refuses_amid_others_is_skipped_by_hand(sluice, make_topic, own_keyspace, kafka):
    """Without dead letters: the progress stands in front of it, and what follows has the times of one pass."""
    topic = make_topic(1)
    own_keyspace.create("CREATE TABLE {ks}.t (id int PRIMARY KEY, v text)")
    own_keyspace.execute("CREATE INDEX ON {ks}.t (v)")
    at = 1_700_000_000_000
    topic.send(*(json.dumps({"id": n, "v": "x" * (70_000 if n == 3 else 10)}) for n in range(9)), timestamp=at)
    file = sluice.config(topic, "    cassandra: {table: t, columns: {id: value.id, v: value.v}}", None, own_keyspace)
    sluice.drain_file(file).expect(1).has(f"{topic.name}[0]@3")
    assert kafka.committed(f"{topic.name}.cassandra", topic.name) == {0: 3}
    sluice.run("dlq", "skip", "-c", file, f"{topic.name}/0@3", "--lane", "cassandra", "--yes").expect(0).has("passed over")
    sluice.drain_file(file).expect(0)
    rows = own_keyspace.rows("SELECT id, WRITETIME(v) FROM {ks}.t")
    assert sorted(rows) == [(n, at * 1000 + n) for n in range(9) if n != 3]


def test_a_record_that_cassandra_refuses_is_a_dead_letter(sluice, make_topic, own_keyspace):
    """An index takes 65,535 bytes; nothing but the server knows."""
    topic = make_topic(2)
    own_keyspace.create("CREATE TABLE {ks}.t (id text PRIMARY KEY, v text)")
    own_keyspace.execute("CREATE INDEX ON {ks}.t (v)")
    for partition in range(2):
        topic.send(*(json.dumps({"id": f"{partition}/{n}", "v": "x" * (70_000 if n % 10 == 3 else 10)})
                     for n in range(40)), partition=partition)
    route = "    cassandra: {table: t, columns: {id: value.id, v: value.v}}"
    file = sluice.config(topic, route, None, own_keyspace, **SETTING)
    done = sluice.drain_file(file).expect(0)
    done.has("8 records went to the dead letters").has("72 rows from 80 records").lacks("can't be written")
    rows = own_keyspace.rows("SELECT id FROM {ks}.t")
    assert sorted(rows) == sorted((f"{p}/{n}",) for p in range(2) for n in range(40) if n % 10 != 3)
    found = own_keyspace.rows("SELECT kafka_partition, kafka_offset, reason, value FROM {ks}.lost")
    assert sorted(row[:2] for row in found) == [(p, n) for p in range(2) for n in (3, 13, 23, 33)]
    assert all(row[2] == "cassandra.write 0x2200" and len(row[3]) > 70_000 for row in found)
    sluice.drain_file(file).expect(0)


def test_what_is_mended_behind_many_refused_records_is_written(sluice, make_topic, database):
    """More than would be a table's fault; then the producer is mended, and the table is as it was."""
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int CHECK (id >= 40))")
    topic.send(*numbers(*range(40)))
    file = sluice.config(topic, "    postgres: {table: t}", database, **SETTING)
    process = sluice.start("run", "-c", file)
    process.wait_for("every record is refused like this")
    assert not database.has("lost") or letters(database) == []
    topic.send(*numbers(40))
    eventually(lambda: len(letters(database)) == 40 and database.rows("SELECT id FROM t") == [(40,)], 20, "all of them")
    process.wait_for("route 1 can be written again")
    process.stop().expect(0)


def test_what_is_mended_behind_many_that_cassandra_refused_is_written(sluice, make_topic, own_keyspace):
    """Compressed, so that one fetch has more of them than would be a table's fault."""
    topic = make_topic(1, compression_type="zstd")
    own_keyspace.create("CREATE TABLE {ks}.t (id int PRIMARY KEY, v text)")
    own_keyspace.execute("CREATE INDEX ON {ks}.t (v)")
    topic.send(*(json.dumps({"id": n, "v": "x" * 70_000}) for n in range(60)))
    route = "    cassandra: {table: t, columns: {id: value.id, v: value.v}}"
    process = sluice.start("run", "-c", sluice.config(topic, route, None, own_keyspace, **SETTING))
    process.wait_for("route 1 can't be written, tried again", 40)
    sent = 60
    end = time.monotonic() + 60
    while len(own_keyspace.rows("SELECT kafka_offset FROM {ks}.lost")) < 60 and time.monotonic() < end:
        topic.send(f'{{"id": {sent}, "v": "short"}}')
        sent += 1
        time.sleep(0.5)
    assert sorted(own_keyspace.rows("SELECT kafka_offset FROM {ks}.lost")) == [(n,) for n in range(60)]
    eventually(lambda: sorted(own_keyspace.rows("SELECT id FROM {ks}.t")) == [(n,) for n in range(60, sent)], 20, "the rest")
    process.stop().expect(0)
