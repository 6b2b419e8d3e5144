"""Servers that stop, freeze and die. Each test brings them back, and proves that nothing is lost or doubled."""

import json
import re
import subprocess
from contextlib import contextmanager

import pytest
import verify
from servers import eventually, sandbox

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def fill(topic, count, start=0):
    topic.send_records((f"k{i % 997}", json.dumps({"i": i, "pad": "x" * 80}))
                       for i in range(start, start + count))


def rows(database):
    return database.value("SELECT count(*) FROM events") if database.has("events") else 0


@contextmanager
def frozen(server):
    sandbox("freeze", server)
    try:
        yield
    finally:
        sandbox("thaw", server)


@contextmanager
def stopped(server, how="stop"):
    sandbox(how, server)
    try:
        yield
    finally:
        sandbox("start", server)


def cassandra_has(topic, count):
    """By the lane's commits, which stay behind its rows: cheaper than to read them all."""
    return topic.kafka.progress(f"{topic.name}.cassandra", topic.name) >= count


def lasts(process, seconds):
    """So long a fault has lasted, and the process with it."""
    with pytest.raises(subprocess.TimeoutExpired):
        process.process.wait(seconds)


def test_a_server_that_becomes_read_only_is_waited_for(sluice, make_topic, database):
    """As after a failover, or when somebody protects a disk that is nearly full. Such a session is left, and none like it taken."""
    topic = make_topic(1)
    topic.send("1")
    process = sluice.start("run", "-c", sluice.config(topic, "    postgres: true", database))
    eventually(lambda: rows(database) == 1, what="the first row")
    with database.connect("postgres", "postgres") as administrator:
        administrator.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        administrator.execute("SELECT pg_reload_conf()")
        try:
            topic.send("2")
            process.wait_for("waits: .*25006")
            process.wait_for("waits: .*session is read-only")
        finally:
            administrator.execute("ALTER SYSTEM RESET default_transaction_read_only")
            administrator.execute("SELECT pg_reload_conf()")
    eventually(lambda: rows(database) == 2, what="the second row")
    process.stop().expect(0)
    sluice.drain(topic, database, None).expect(0)
    assert rows(database) == 2


MANY = 300_000  # Seconds of work for either lane: time enough to harm a server in the middle of it.


def amid(progress, rng, count=MANY):
    """Until a lane is seen to be in the middle of its work; which it was, its own log says afterwards."""
    goal = rng.randrange(1, count // 4)
    eventually(lambda: progress() >= goal, what=f"more than {goal} records")


@pytest.mark.parametrize("fault", [frozen, stopped])
def test_postgres_lane_completes_while_cassandra_is_away(sluice, topic, database, keyspace, fault):
    fill(topic, 1000)
    process = sluice.start("run", *sluice.flags(topic, database, keyspace))
    eventually(lambda: rows(database) == 1000 and cassandra_has(topic, 1000), what="both lanes write")
    with fault("cassandra"):
        fill(topic, 20_000, start=1000)
        eventually(lambda: rows(database) == 21_000, timeout=20, what="PostgreSQL's lane goes on")
        assert process.running()
    eventually(lambda: cassandra_has(topic, 21_000), timeout=90, what="Cassandra's catches up")
    process.stop().expect(0)
    verify.assert_equal(topic, database, keyspace)


@pytest.mark.parametrize("fault", [frozen, stopped])
def test_cassandra_lane_completes_while_postgres_is_away(sluice, topic, database, keyspace, fault):
    fill(topic, 1000)
    process = sluice.start("run", *sluice.flags(topic, database, keyspace))
    eventually(lambda: rows(database) == 1000 and cassandra_has(topic, 1000), what="both lanes write")
    with fault("postgres"):
        fill(topic, 20_000, start=1000)
        eventually(lambda: cassandra_has(topic, 21_000), timeout=20, what="Cassandra's lane goes on")
        assert process.running()
    eventually(lambda: rows(database) == 21_000, timeout=90, what="PostgreSQL's catches up")
    process.stop().expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_a_lane_starts_and_completes_with_the_other_database_frozen(sluice, topic, database, keyspace):
    fill(topic, 5000)
    with frozen("cassandra"):
        process = sluice.start("run", *sluice.flags(topic, database, keyspace))
        eventually(lambda: rows(database) == 5000, timeout=15, what="PostgreSQL's lane completes")
        process.wait_for("cassandra: can't start, tries again", timeout=25)
    eventually(lambda: cassandra_has(topic, 5000), timeout=60, what="Cassandra's lane follows")
    process.stop().expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_postgres_killed_in_the_middle_loses_and_doubles_nothing(sluice, topic, database, keyspace, rng):
    fill(topic, MANY)
    process = sluice.start("run", *sluice.flags(topic, database, keyspace))
    amid(lambda: database.progress(topic), rng)
    with stopped("postgres", "kill"):
        process.wait_for("postgres: waits: ")  # A lane without work would not notice.
    process.wait_for("postgres: goes on", timeout=60)
    eventually(lambda: database.progress(topic) == MANY, timeout=90, what="the rest arrives")
    process.stop().expect(0)
    sluice.drain(topic, database, keyspace, timeout=120).expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_postgres_frozen_in_the_middle_loses_and_doubles_nothing(sluice, topic, database, rng):
    fill(topic, MANY)
    process = sluice.start("run", *sluice.flags(topic, database))
    amid(lambda: database.progress(topic), rng)
    with frozen("postgres"):
        lasts(process, 12)  # Longer than the group's session, and than it takes to the next summary.
        last = re.findall(r"run: postgres .* lag ([\d,]+)", process.text())[-1]
        assert last != "0", "the lane was in the middle"
    eventually(lambda: database.progress(topic) == MANY, timeout=120, what="the rest arrives")
    process.stop().expect(0)
    verify.assert_equal(topic, database)


def test_cassandra_killed_in_the_middle_loses_nothing(sluice, topic, kafka, database, own_keyspace, rng):
    fill(topic, MANY)
    process = sluice.start("run", *sluice.flags(topic, database, own_keyspace))
    amid(lambda: kafka.progress(f"{topic.name}.cassandra", topic.name), rng)
    with stopped("cassandra", "kill"):
        process.wait_for("cassandra: waits: ")
    process.wait_for("cassandra: goes on", timeout=90)
    eventually(lambda: cassandra_has(topic, MANY), timeout=120, what="the rest arrives")
    process.stop().expect(0)
    sluice.drain(topic, database, own_keyspace, timeout=120).expect(0)
    verify.assert_equal(topic, database, own_keyspace)


def test_kafka_frozen_for_longer_than_a_session_loses_and_doubles_nothing(sluice, topic, database, keyspace,
                                                                          rng):
    fill(topic, MANY)
    process = sluice.start("run", *sluice.flags(topic, database, keyspace))
    amid(lambda: database.progress(topic), rng)
    with frozen("kafka"):
        lasts(process, 12)  # The session is 8 s.
    fill(topic, 5000, start=MANY)
    eventually(lambda: database.progress(topic) == MANY + 5000 and cassandra_has(topic, MANY + 5000), timeout=120,
               what="the rest arrives")
    process.stop().expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_a_signal_while_the_database_is_frozen_ends_within_the_deadline(sluice, topic, database):
    """3 s to drain, then at most 4 s to leave the group and close."""
    fill(topic, 100)
    process = sluice.start("run", "--drain-timeout", "3s", *sluice.flags(topic, database))
    eventually(lambda: rows(database) == 100, what="rows arrive")
    with database.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE events")
        fill(topic, 1000, start=100)
        eventually(lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted"),
                   what="a batch is under way")
        with frozen("postgres"):
            process.signal(15)
            process.wait(8).expect(0)
        blocker.rollback()
    sluice.drain(topic, database, timeout=90).expect(0)
    assert len(verify.assert_equal(topic, database)) == 1100
