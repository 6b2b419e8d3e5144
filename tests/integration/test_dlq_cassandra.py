"""`sluice dlq` for a table of dead letters in Cassandra: replayed under the records' own timestamps."""

import json

import pytest
from servers import eventually

SETTING = {"dead_letters": "{table: lost}"}
AT = 1_700_000_000_000


def route(path):
    return f"    cassandra: {{table: t, columns: {{id: value.id, n: {path}}}}}"


def send(topic, *pairs, timestamp=AT):
    """Of (id, n); a text as n is what route('value.n') can't write, and route('value.m') can."""
    topic.send(*(json.dumps({"id": i, "n": n, "m": 7 if isinstance(n, str) else n}) for i, n in pairs), timestamp=timestamp,
               partition=0)


@pytest.fixture
def start(sluice, make_topic, own_keyspace):
    """A topic and two files of one pipeline: as it ran, and mended."""
    def make(**settings):
        topic = make_topic(1)
        own_keyspace.create("CREATE TABLE {ks}.t (id int PRIMARY KEY, n int)")
        files = [sluice.config(topic, route(path), None, own_keyspace, **settings) for path in ("value.n", "value.m")]
        return topic, *files
    return make


def rows(keyspace):
    return sorted(keyspace.rows("SELECT id, n, WRITETIME(n) FROM {ks}.t"))


def test_letters_are_listed_and_shown(sluice, start):
    topic, file, _ = start(**SETTING)
    send(topic, *((i, f"v{i}" if i % 3 == 1 else i) for i in range(60)))
    sluice.drain_file(file).expect(0)
    done = sluice.run("dlq", "list", "-c", file, "--lane", "cassandra").expect(0)
    for offset in range(1, 60, 3):
        done.line("cassandra  ", f"{topic.name}[0]@{offset} ", "2023-11-14T22:13:20.000Z", "cassandra.encode", "key null, value")
    done.has(f"cassandra  {topic.name}  cassandra.encode: 20")
    shown = sluice.run("dlq", "show", "-c", file, f"{topic.name}/0@58").expect(0)
    shown.has('{"id": 58, "n": "v58", "m": 7}').has("lane       cassandra").has("key        null")
    sluice.run("dlq", "show", "-c", file, f"{topic.name}/0@57").expect(1).has("no dead letter", "table lost of lane cassandra")


def test_a_later_record_of_the_key_wins_over_a_replayed_one(sluice, start, own_keyspace):
    topic, file, mended = start(**SETTING)
    send(topic, (0, 0), (1, "v1"), (2, "v2"), (1, 100))
    sluice.drain_file(file).expect(0)
    sluice.run("dlq", "replay", "-c", file, "--all").expect(1).has("2 failed again").has(f"{topic.name}[0]@2 stays")
    assert len(own_keyspace.rows("SELECT * FROM {ks}.lost")) == 2
    for expected in ("2 dead letters replayed", "no dead letters"):
        sluice.run("dlq", "replay", "-c", mended, "--all").expect(0).has(expected)
        # Each has the tick that it had in the log: the records' times are all alike.
        assert rows(own_keyspace) == [(0, 0, AT * 1000), (1, 100, AT * 1000 + 3), (2, 7, AT * 1000 + 2)]
    assert own_keyspace.rows("SELECT * FROM {ks}.lost") == []


def test_replays_that_are_killed_or_run_at_once_leave_one_pass(sluice, start, own_keyspace):
    topic, file, mended = start(**SETTING)
    send(topic, *((i, f"v{i}") for i in range(600)))
    sluice.drain_file(file).expect(0)
    killed = sluice.start("dlq", "replay", "-c", mended, "--all")
    eventually(lambda: len(own_keyspace.rows("SELECT id FROM {ks}.t")) > 5, what="some letters are replayed")
    killed.kill()
    assert 0 < len(own_keyspace.rows("SELECT kafka_offset FROM {ks}.lost")) < 600
    for process in [sluice.start("dlq", "replay", "-c", mended, "--all") for _ in range(2)]:
        process.wait(90).expect(0)
    assert rows(own_keyspace) == [(i, 7, AT * 1000 + i) for i in range(600)]
    assert own_keyspace.rows("SELECT kafka_offset FROM {ks}.lost") == []


@pytest.mark.parametrize("settings", [{}, SETTING], ids=["stop", "table"])
def test_skip_ticks_the_clock_and_needs_the_group_alone(sluice, start, own_keyspace, kafka, settings):
    topic, file, mended = start()
    send(topic, (0, 0), (1, "v1"), (2, 2))
    process = sluice.start("run", "-c", file)
    process.wait_for("is stopped")
    again = sluice.config(topic, route("value.n"), None, own_keyspace, **settings)
    arguments = ("dlq", "skip", "-c", again, f"{topic.name}/0@1", "--lane", "cassandra", "--yes")
    sluice.run(*arguments).expect(1).has("stop the pipeline's processes first")
    process.stop()
    before = sluice.run("dlq", "skip", "-c", again, f"{topic.name}/0@2", "--lane", "cassandra", "--yes")
    before.expect(1).has(f"does not stand at this record, but at {topic.name}[0]@1")
    sluice.run(*arguments).expect(0).has("passed over")
    assert kafka.committed(f"{topic.name}.cassandra", topic.name) == {0: 2}
    sluice.drain_file(file).expect(0)
    assert rows(own_keyspace) == [(0, 0, AT * 1000), (2, 2, AT * 1000 + 2)]
    if settings:
        mended = sluice.config(topic, route("value.m"), None, own_keyspace, **settings)
        sluice.run("dlq", "replay", "-c", mended, "--all").expect(0).has("1 dead letters replayed")
        assert rows(own_keyspace)[1] == (1, 7, AT * 1000 + 1)
