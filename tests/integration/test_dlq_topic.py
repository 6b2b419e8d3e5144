"""`sluice dlq` for a topic of dead letters: each lane's own, each record once whatever the topic holds."""

import json

import pytest
from servers import eventually
from test_dead_letter_topic import CONNECT, read

AT = 1_700_000_000_000
FORGED = [(CONNECT + "topic", b"forged"), (CONNECT + "offset", b"77"), ("trace", b"x")]


def route(path, *lanes):
    return "\n".join(f"    {lane}: {{table: t, columns: {{id: value.id, n: {path}}}}}" for lane in lanes)


def send(topic, *pairs, headers=None):
    topic.send(*(json.dumps({"id": i, "n": n, "m": 7 if isinstance(n, str) else n}) for i, n in pairs), timestamp=AT,
               partition=0, headers=headers)


@pytest.fixture
def lost(sluice, make_topic, database, own_keyspace):
    """A pipeline into both databases whose letters are in a topic. Gives it, its letters', the file and the mended one."""
    def make(*pairs, headers=None):
        topic, letters = make_topic(1), make_topic(2)
        database.execute("CREATE TABLE t (id int, n int)")
        own_keyspace.create("CREATE TABLE {ks}.t (id int PRIMARY KEY, n int)")
        send(topic, *pairs, headers=headers)
        files = [sluice.config(topic, route(path, "postgres", "cassandra"), database, own_keyspace,
                               dead_letters=f"{{topic: {letters.name}}}") for path in ("value.n", "value.m")]
        sluice.drain_file(files[0]).expect(0)
        return topic, letters, *files
    return make


def test_each_lanes_letters_are_listed_and_shown(sluice, lost):
    topic, _, file, _ = lost((0, 0), (1, "v1"), (2, 2), (3, "v3"), headers=FORGED)
    done = sluice.run("dlq", "list", "-c", file).expect(0)
    for lane in ("postgres", "cassandra"):
        for offset in (1, 3):
            done.line(f"{lane} ", f"{topic.name}[0]@{offset} ", f"{lane}.encode", "2023-11-14T22:13:20.000Z")
        done.has(f"{lane}  {topic.name}  {lane}.encode: 2")
    assert len(done.lines("[0]@")) == 8, "a line and an error each"
    shown = sluice.run("dlq", "show", "-c", file, f"{topic.name}/0@3", "--lane", "postgres").expect(0)
    shown.has('{"id": 3, "n": "v3", "m": 7}').has("headers    3").has("  forged").lacks("sluice.clock")


def test_replay_writes_each_record_once_into_its_own_lane(sluice, lost, database, own_keyspace, kafka):
    """Also where the topic holds a letter twice: sending is at least once."""
    topic, letters, file, mended = lost((0, 0), (1, "v1"), (1, 100), (3, "v3"))
    for message in read(kafka, letters.name):
        kafka.send(letters.name, [(message.key(), message.value(), {
            "headers": message.headers(), "timestamp": message.timestamp()[1]})])
    assert sum(kafka.ends(letters.name).values()) == 8
    failed = sluice.run("dlq", "replay", "-c", file, "--all").expect(1)
    failed.has("postgres: 0 dead letters replayed, 4 failed again").has("cassandra: 0 dead letters replayed, 4 failed again")
    sluice.run("dlq", "replay", "-c", mended, f"{topic.name}/0@3", "--lane", "postgres").expect(0)
    assert sorted(database.rows("SELECT id, n FROM t")) == [(0, 0), (1, 100), (3, 7)]
    for _ in range(2):
        sluice.run("dlq", "replay", "-c", mended, "--all").expect(0)
        assert sorted(database.rows("SELECT id, n FROM t")) == [(0, 0), (1, 7), (1, 100), (3, 7)]
        assert sorted(own_keyspace.rows("SELECT id, n, WRITETIME(n) FROM {ks}.t")) == [
            (0, 0, AT * 1000), (1, 100, AT * 1000 + 2), (3, 7, AT * 1000 + 3)]
    assert sum(kafka.ends(letters.name).values()) == 8 and kafka.ends(topic.name) == {0: 4}


def test_a_letter_that_is_there_twice_is_replayed_once_whatever_time_its_topic_stamps(sluice, lost, database, kafka):
    topic, letters, file, mended = lost((0, 0), (1, "v1"))
    kafka.configure(letters.name, message_timestamp_type="LogAppendTime")
    for message in read(kafka, letters.name):
        kafka.send(letters.name, [(message.key(), message.value(), {"headers": message.headers()})])
    assert len({message.timestamp()[1] for message in read(kafka, letters.name)}) > 1
    done = sluice.run("dlq", "replay", "-c", mended, "--all", "--lane", "postgres").expect(0)
    done.has("1 dead letters replayed, 1 were replayed before")
    assert sorted(database.rows("SELECT id, n FROM t")) == [(0, 0), (1, 7)]


def test_replays_at_once_and_killed_write_each_record_once(sluice, lost, database):
    topic, _, file, mended = lost(*((i, f"v{i}") for i in range(600)))
    killed = sluice.start("dlq", "replay", "-c", mended, "--all", "--lane", "postgres")
    eventually(lambda: database.value("SELECT count(*) FROM t") > 5, what="some letters are replayed")
    killed.kill()
    assert database.value("SELECT count(*) FROM t") < 600
    for process in [sluice.start("dlq", "replay", "-c", mended, "--all", "--lane", "postgres") for _ in range(2)]:
        process.wait(90).expect(0)
    assert sorted(database.rows("SELECT id, n FROM t")) == [(i, 7) for i in range(600)]


def test_a_reset_forgets_what_was_replayed(sluice, lost, database):
    topic, _, file, mended = lost((0, 0), (1, "v1"))
    sluice.run("dlq", "replay", "-c", mended, "--all", "--lane", "postgres").expect(0).has("1 dead letters replayed")
    sluice.run("dlq", "replay", "-c", mended, "--all", "--lane", "postgres").expect(0).has("1 were replayed before")
    sluice.run("reset", "-c", mended, "--lane", "postgres", "--yes").expect(0)
    database.execute("TRUNCATE t")
    sluice.run("dlq", "replay", "-c", mended, "--all", "--lane", "postgres").expect(0).has("1 dead letters replayed")
    assert database.rows("SELECT id, n FROM t") == [(1, 7)]
