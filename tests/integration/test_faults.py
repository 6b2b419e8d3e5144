"""Servers that stop, freeze and die. Each test brings them back, and proves that nothing is lost or doubled."""

import json
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


def in_cassandra(keyspace, topic):
    return len(verify.cassandra_events(keyspace, topic))


@pytest.mark.parametrize("fault", [frozen, stopped])
def test_postgres_lane_completes_while_cassandra_is_away(sluice, topic, database, keyspace, fault):
    fill(topic, 1000)
    process = sluice.start("run", *sluice.flags(topic, database, keyspace))
    eventually(lambda: rows(database) == 1000 and in_cassandra(keyspace, topic) == 1000,
               what="both lanes write")
    with fault("cassandra"):
        fill(topic, 20_000, start=1000)
        eventually(lambda: rows(database) == 21_000, timeout=20, what="PostgreSQL's lane goes on")
        assert process.running()
    eventually(lambda: in_cassandra(keyspace, topic) == 21_000, timeout=90, what="Cassandra's catches up")
    process.stop().expect(0)
    verify.assert_equal(topic, database, keyspace)


@pytest.mark.parametrize("fault", [frozen, stopped])
def test_cassandra_lane_completes_while_postgres_is_away(sluice, topic, database, keyspace, fault):
    fill(topic, 1000)
    process = sluice.start("run", *sluice.flags(topic, database, keyspace))
    eventually(lambda: rows(database) == 1000 and in_cassandra(keyspace, topic) == 1000,
               what="both lanes write")
    with fault("postgres"):
        fill(topic, 20_000, start=1000)
        eventually(lambda: in_cassandra(keyspace, topic) == 21_000, timeout=20,
                   what="Cassandra's lane goes on")
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
    eventually(lambda: in_cassandra(keyspace, topic) == 5000, timeout=60, what="Cassandra's lane follows")
    process.stop().expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_postgres_killed_in_the_middle_loses_and_doubles_nothing(sluice, topic, database, keyspace):
    fill(topic, 150_000)
    process = sluice.start("run", *sluice.flags(topic, database, keyspace))
    eventually(lambda: rows(database) > 0, what="rows arrive")
    with stopped("postgres", "kill"):
        assert process.running()
    eventually(lambda: rows(database) >= 150_000, timeout=90, what="the rest arrives")
    assert process.running()
    process.stop().expect(0)
    sluice.drain(topic, database, keyspace, timeout=120).expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_postgres_frozen_in_the_middle_loses_and_doubles_nothing(sluice, topic, database):
    fill(topic, 150_000)
    process = sluice.start("run", *sluice.flags(topic, database))
    eventually(lambda: rows(database) > 0, what="rows arrive")
    with frozen("postgres"):
        process.wait_for("run: postgres", timeout=30)
    eventually(lambda: rows(database) >= 150_000, timeout=120, what="the rest arrives")
    process.stop().expect(0)
    verify.assert_equal(topic, database)


def test_cassandra_killed_in_the_middle_loses_nothing(sluice, topic, database, own_keyspace):
    fill(topic, 150_000)
    process = sluice.start("run", *sluice.flags(topic, database, own_keyspace))
    process.wait_for("cassandra: topic .* starts afresh")  # The table is there.
    eventually(lambda: own_keyspace.rows("SELECT kafka_offset FROM {ks}.events LIMIT 1"),
               what="rows arrive")
    with stopped("cassandra", "kill"):
        assert process.running()
    eventually(lambda: in_cassandra(own_keyspace, topic) == 150_000, timeout=120, what="the rest arrives")
    process.stop().expect(0)
    sluice.drain(topic, database, own_keyspace, timeout=120).expect(0)
    verify.assert_equal(topic, database, own_keyspace)


def test_kafka_frozen_for_longer_than_a_session_loses_and_doubles_nothing(sluice, topic, database,
                                                                          keyspace):
    fill(topic, 20_000)
    process = sluice.start("run", *sluice.flags(topic, database, keyspace))
    eventually(lambda: rows(database) > 0, what="rows arrive")
    with frozen("kafka"):
        process.wait_for("run: postgres", timeout=30)  # The summary comes after ten seconds.
    fill(topic, 5000, start=20_000)
    eventually(lambda: rows(database) >= 25_000 and in_cassandra(keyspace, topic) >= 25_000, timeout=90,
               what="the rest arrives")
    process.stop().expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_a_signal_while_the_database_is_frozen_ends_within_the_deadline(sluice, topic, database):
    fill(topic, 100)
    process = sluice.start("run", "--drain-timeout", "3s", *sluice.flags(topic, database))
    eventually(lambda: rows(database) == 100, what="rows arrive")
    with frozen("postgres"):
        fill(topic, 1000, start=100)
        process.signal(15)
        process.wait(20)
    sluice.drain(topic, database, timeout=90).expect(0)
    verify.assert_equal(topic, database)
