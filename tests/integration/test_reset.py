"""What makes a pipeline forget, and what is left of it then."""

import os
import pty
import subprocess

import pytest
import verify
from program import binary
from servers import eventually


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_after_reset_everything_is_read_again(sluice, make_topic, database, own_keyspace, lane):
    topic = make_topic(2)
    topic.send("1", "2", "3")
    places = (database, None) if lane == "postgres" else (None, own_keyspace)
    flags = sluice.flags(topic, *places)
    sluice.drain(topic, *places).expect(0)
    done = sluice.run("reset", "--lane", lane, "--yes", *flags).expect(0)
    done.has("forgotten")
    again = sluice.drain(topic, *places).expect(0)
    again.has("starts afresh")
    if lane == "postgres":
        assert sorted(row[0] for row in database.rows("SELECT data FROM events")) == [1, 1, 2, 2, 3, 3]
    else:
        verify.assert_equal(topic, None, own_keyspace)


def test_reset_of_one_lane_leaves_the_other(sluice, topic, database, keyspace):
    topic.send("1", "2")
    sluice.drain(topic, database, keyspace).expect(0)
    flags = sluice.flags(topic, database, keyspace)
    sluice.run("reset", "--lane", "postgres", "--yes", *flags).expect(0)
    done = sluice.drain(topic, database, keyspace).expect(0)
    done.has("postgres", "starts afresh").has("cassandra", "continues")


def test_reset_of_one_topic_leaves_the_others(sluice, make_topic, database):
    first, second = make_topic(1), make_topic(1)
    for topic in (first, second):
        topic.send("1", "2")
    both = sluice.config(first, f"    postgres: true\n  - topic: {second.name}\n    postgres: true", database)
    sluice.drain_file(both).expect(0)
    one = sluice.config(first, "    postgres: true", database)
    sluice.run("reset", "--lane", "postgres", "--yes", "-c", one).expect(0)
    sluice.drain_file(both).expect(0).has(f"'{first.name}': starts afresh").has(f"'{second.name}': continues")
    rows = dict(database.rows("SELECT kafka_topic, count(*) FROM events GROUP BY 1"))
    assert rows == {first.name: 4, second.name: 2}


def test_reset_without_a_terminal_needs_yes(sluice, topic, database):
    topic.send("1")
    sluice.drain(topic, database).expect(0)
    done = sluice.run("reset", "--lane", "postgres", *sluice.flags(topic, database), stdin=b"yes\n")
    done.expect(2).has("--yes")
    sluice.drain(topic, database).expect(0).has("continues")


@pytest.mark.parametrize("answer, code, then", [("yes", 0, "starts afresh"), ("no", 1, "continues")])
def test_reset_asks_on_a_terminal(sluice, topic, database, answer, code, then):
    topic.send("1")
    sluice.drain(topic, database).expect(0)
    ours, theirs = pty.openpty()
    command = sluice.command(["reset", "--lane", "postgres", *sluice.flags(topic, database)])
    with subprocess.Popen(command, env=sluice.environment, stdin=theirs, stdout=theirs,
                          stderr=theirs) as process:
        os.close(theirs)
        asked = b""
        while b"Type yes" not in asked:
            asked += os.read(ours, 4096)
        os.write(ours, answer.encode() + b"\n")
        assert process.wait(30) == code
    os.close(ours)
    sluice.drain(topic, database).expect(0).has(then)


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_reset_is_refused_while_the_pipeline_runs(sluice, topic, database, keyspace, kafka, lane):
    topic.send("1")
    places = (database, None) if lane == "postgres" else (None, keyspace)
    flags = sluice.flags(topic, *places)
    running = sluice.start("run", *flags)
    kafka.wait_for_members(f"{topic.name}.{lane}", [3])
    eventually(lambda: kafka.committed(f"{topic.name}.{lane}", topic.name), what="a commit")
    done = sluice.run("reset", "--lane", lane, "--yes", *flags).expect(3)
    done.has("GROUP_SUBSCRIBED_TO_TOPIC", "stop every process of this group first")
    running.stop().expect(0)
    sluice.drain(topic, *places).expect(0).has("continues")


def test_progress_that_is_gone_stops_the_pipeline_until_it_is_reset(sluice, topic, database, kafka):
    """Deleted behind its back, or lost in a failover: to begin again by itself would double rows, or leave some out."""
    topic.send("1", partition=0)
    process = sluice.start("run", *sluice.flags(topic, database))
    eventually(lambda: kafka.committed(f"{topic.name}.postgres", topic.name), what="a commit")
    database.execute("DELETE FROM sluice.offsets")
    topic.send("2", partition=0)
    process.wait_for(rf"{topic.name}\[0\] is stopped: .*no progress on any partition of the topic")
    process.stop()
    for start in ("earliest", "latest"):
        done = sluice.drain(topic, database, None, "--start", start).expect(3)
        done.has("no progress on topic", topic.name, "sluice reset --lane postgres")
    sluice.run("reset", "--lane", "postgres", "--yes", *sluice.flags(topic, database)).expect(0)
    sluice.drain(topic, database, None, "--start", "earliest").expect(0).has("starts afresh")
    assert sorted(row[0] for row in database.rows("SELECT data FROM events")) == [1, 1, 2]


def test_an_owner_frozen_over_a_new_topic_and_a_reset_writes_nothing(sluice, make_topic, database, kafka):
    """What it holds is of the topic that was; the offsets are those at which the new one begins."""
    topic = make_topic(1)
    flags = sluice.flags(topic, database)
    sluice.drain(topic, database).expect(0)
    frozen = sluice.start("run", *flags, program=binary().parent / "tests/sluice_failpoints",
                          SLUICE_FAILPOINT="postgres.before_begin=freeze@1")
    frozen.wait_for("continues")
    topic.send('"old"')
    eventually(frozen.stands_still, what="it freezes")
    kafka.drop(topic.name)
    kafka.create(topic.name, 1)
    group = f"{topic.name}.postgres"
    kafka.wait_for_members(group, [])
    sluice.run("reset", "--lane", "postgres", "--yes", *flags).expect(0)
    sluice.drain(topic, database).expect(0).has("starts afresh")
    frozen.thaw()
    frozen.wait_for("made again since this pipeline read it")
    frozen.stop()
    topic.send('"new"')
    sluice.drain(topic, database).expect(0)
    assert database.rows("SELECT data FROM events") == [("new",)]


def test_what_comes_after_a_reset_outbids_what_was_there(sluice, make_topic, own_keyspace):
    """Whatever times the records before it had."""
    topic = make_topic(1)
    own_keyspace.create("CREATE TABLE {ks}.t (id text PRIMARY KEY, v text)")
    file = sluice.config(topic, "    value: string\n    cassandra: {table: t, mode: upsert, key: id, columns: {id: key, v: value}}",
                         None, own_keyspace, start="latest")
    sluice.drain_file(file).expect(0)
    for turn in range(4):
        at = 1_700_000_000_000 - turn * 3_600_000  # Each an hour before the one before.
        topic.send(f"turn {turn}", key="k", timestamp=at)
        topic.send(None if turn == 2 else f"turn {turn}", key="j", timestamp=at)
        process = sluice.start("run", "-c", file)
        expected = {"k": f"turn {turn}"} | ({} if turn == 2 else {"j": f"turn {turn}"})
        eventually(lambda: dict(own_keyspace.rows("SELECT id, v FROM {ks}.t")) == expected, what=f"turn {turn}")
        process.stop().expect(0)
        sluice.run("reset", "--lane", "cassandra", "--yes", "-c", file).expect(0)
        sluice.drain_file(file).expect(0)  # Begins at the end.


def test_a_reset_after_a_reset_leaves_a_mark_that_counts(sluice, make_topic, keyspace):
    """The mark is newer than what was deleted, each time: rows in the table are intended, and progress is kept."""
    topic = make_topic(2)
    flags = sluice.flags(topic, None, keyspace)
    query = ("SELECT partition, next_offset, WRITETIME(next_offset) FROM {ks}.sluice_progress WHERE "
             f"pipeline = '{topic.name}' AND topic = '{topic.name}'")
    newest = -1
    for round_ in range(2):
        topic.send(str(round_), partition=0)
        sluice.drain(topic, None, keyspace).expect(0).has("starts afresh")
        verify.assert_equal(topic, None, keyspace)
        for _ in range(2):
            sluice.run("reset", "--lane", "cassandra", "--yes", *flags).expect(0)
            (partition, offset, written), = keyspace.rows(query)
            assert (partition, offset) == (-1, -1) and written > newest
            newest = written
