"""Ends of all kinds, in the middle: afterwards both databases hold each record once."""

import json
import threading
from copy import copy

import pytest
import verify
from proxy import Proxy
from servers import eventually


def fill(topic, count, start=0):
    topic.send_records((f"k{i % 997}", json.dumps({"i": i, "pad": "x" * 80}))
                       for i in range(start, start + count))


def rows(database):
    return database.value("SELECT count(*) FROM events") if database.has("events") else 0


def test_sigterm_drains_and_the_next_run_continues(sluice, topic, database, keyspace):
    fill(topic, 60_000)
    first = sluice.start("run", *sluice.flags(topic, database, keyspace)).wait_for("cassandra: .*starts afresh")
    eventually(lambda: rows(database) > 0, what="rows arrive")
    stopped = first.stop().expect(0)
    assert "stopping" in stopped.err
    fill(topic, 1000, start=60_000)
    again = sluice.drain(topic, database, keyspace).expect(0)
    again.has("postgres", "continues").has("cassandra", "continues")
    verify.assert_equal(topic, database, keyspace)


def test_sigint_ends_like_sigterm(sluice, topic, database):
    fill(topic, 10)
    process = sluice.start("run", *sluice.flags(topic, database))
    eventually(lambda: rows(database) == 10, what="rows arrive")
    process.signal(2)
    process.wait().expect(0)


def test_commits_to_the_group_reach_the_end_after_a_drain(sluice, topic, kafka, database, keyspace):
    """Lag tools look there, and Cassandra's progress lives there."""
    fill(topic, 500)
    sluice.drain(topic, database, keyspace).expect(0)
    ends = kafka.ends(topic.name)
    assert kafka.committed(f"{topic.name}.postgres", topic.name) == ends
    assert kafka.committed(f"{topic.name}.cassandra", topic.name) == ends


def kill_in_the_middle(sluice, topic, places, rng, rounds, count, *more, lanes=("postgres",)):
    """Kills a process while a lane, each in turn, is seen to be amid `count` records; then lets one finish. The records
    are several batches of PostgreSQL (8 MiB) and more than Cassandra takes between two commits (1 s)."""
    database, keyspace = places
    for number in range(rounds):
        lane = lanes[number % len(lanes)]

        def done(at=lane):
            return (database.progress(topic) if at == "postgres"
                    else topic.kafka.progress(f"{topic.name}.cassandra", topic.name))
        before = number * count
        fill(topic, count, start=before)
        goal = before + rng.randrange(1, count // 4)
        process = sluice.start("run", *sluice.flags(topic, database, keyspace), *more)
        # The killed process's session has to end first.
        eventually(lambda wanted=goal: done() >= wanted, what=f"{lane} has more than {goal} records")
        process.kill()
        print(f"killed when {lane} had {done()} of {before + count}")
        assert before < done() < before + count, "the end came in the middle"
    sluice.drain(topic, database, keyspace, *more, timeout=120).expect(0)


def test_kill_9_in_the_middle_doubles_and_loses_nothing(sluice, topic, database, keyspace, rng):
    kill_in_the_middle(sluice, topic, (database, keyspace), rng, 1, 100_000)
    assert len(verify.assert_equal(topic, database, keyspace)) == 100_000


@pytest.mark.slow
def test_kill_9_at_random_times_doubles_and_loses_nothing(sluice, make_topic, database, own_keyspace,
                                                         rng):
    topic = make_topic(4)
    kill_in_the_middle(sluice, topic, (database, own_keyspace), rng, 4, 200_000,
                       lanes=("postgres", "cassandra"))
    assert len(verify.assert_equal(topic, database, own_keyspace)) == 800_000


@pytest.mark.slow
def test_kill_9_with_a_pool_doubles_and_loses_nothing(sluice, make_topic, database, rng):
    topic = make_topic(7)
    kill_in_the_middle(sluice, topic, (database, None), rng, 2, 200_000, "--pool", "3")
    assert len(verify.assert_equal(topic, database)) == 400_000


def test_pool_shares_out_the_partitions(sluice, make_topic, database):
    topic = make_topic(7)
    fill(topic, 20_000)
    process = sluice.start("run", *sluice.flags(topic, database), "--pool", "3")
    eventually(lambda: rows(database) == 20_000, what="all rows arrive")
    used = database.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                          f"'sluice:{topic.name}'")
    process.stop().expect(0)
    assert used == 3
    verify.assert_equal(topic, database)


def test_two_processes_share_the_partitions(sluice, make_topic, kafka, database, keyspace):
    topic = make_topic(4)
    fill(topic, 2000)
    flags = sluice.flags(topic, database, keyspace)
    both = [sluice.start("run", *flags), sluice.start("run", *flags)]
    for lane in ("postgres", "cassandra"):
        kafka.wait_for_members(f"{topic.name}.{lane}", [2, 2])
    fill(topic, 20_000, start=2000)
    eventually(lambda: rows(database) == 22_000, what="all rows arrive")
    both.pop().stop().expect(0)
    fill(topic, 1000, start=22_000)
    eventually(lambda: rows(database) == 23_000, what="the one that is left takes over")
    both.pop().stop().expect(0)
    sluice.drain(topic, database, keyspace).expect(0)
    assert len(verify.assert_equal(topic, database, keyspace)) == 23_000


def zombie(sluice, topic, kafka, database, keyspace):
    """Freezes one of two processes in the middle of writing, and thaws it when the other owns everything."""
    fill(topic, 1000)
    flags = sluice.flags(topic, database, keyspace)
    frozen, other = sluice.start("run", *flags), sluice.start("run", *flags)
    lanes = [f"{topic.name}.postgres"] + ([f"{topic.name}.cassandra"] if keyspace else [])
    for group in lanes:
        kafka.wait_for_members(group, [2, 2])
    filler = threading.Thread(target=fill, args=(topic, 60_000, 1000))
    filler.start()
    eventually(lambda: rows(database) > 5000, what="rows arrive")
    frozen.freeze()
    try:
        filler.join(60)
        for group in lanes:
            kafka.wait_for_members(group, [4], timeout=40)
        fill(topic, 2000, start=61_000)
    finally:
        frozen.thaw()
    eventually(lambda: rows(database) >= 63_000, timeout=60, what="all rows arrive")
    frozen.stop().expect(0)
    other.stop().expect(0)
    sluice.drain(topic, database, keyspace).expect(0)


@pytest.mark.slow
def test_a_process_frozen_past_its_session_doubles_nothing(sluice, make_topic, kafka, database):
    topic = make_topic(4)
    zombie(sluice, topic, kafka, database, None)
    assert len(verify.assert_equal(topic, database)) == 63_000


@pytest.mark.slow
def test_a_process_frozen_past_its_session_harms_neither_database(sluice, make_topic, kafka, database,
                                                                  own_keyspace):
    topic = make_topic(4)
    zombie(sluice, topic, kafka, database, own_keyspace)
    assert len(verify.assert_equal(topic, database, own_keyspace)) == 63_000


@pytest.mark.slow
def test_second_signal_ends_at_once(sluice, topic, database):
    """A drain that can't end, because the table is locked, is cut short."""
    fill(topic, 10)
    process = sluice.start("run", *sluice.flags(topic, database))
    eventually(lambda: rows(database) == 10, what="rows arrive")
    with database.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE events")
        fill(topic, 10, start=10)
        eventually(lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted"),
                   what="the lane waits for the lock")
        process.signal(15)
        process.wait_for("stopping")
        process.signal(15)
        process.wait(5).expect(1)
        blocker.rollback()
    sluice.drain(topic, database, timeout=60).expect(0)
    verify.assert_equal(topic, database)


def test_its_own_session_that_is_left_inside_a_copy_is_ended(sluice, make_topic, database, addresses):
    """The way is cut amid COPY, and the server does not hear of it: nothing of its own ends such a session, which keeps
    the offsets locked."""
    topic = make_topic(1)
    proxy = Proxy(addresses.postgres)
    try:
        through = copy(database)
        through.url = f"{database.url.replace(addresses.postgres, proxy.address)}?sslmode=disable"
        process = sluice.start("run", *sluice.flags(topic, through))
        fill(topic, 10)
        eventually(lambda: rows(database) == 10, what="rows arrive")
        cut = proxy.when(b"PGCOPY", "drop_request", hang_up=True)
        fill(topic, 1000, start=10)
        eventually(lambda: cut.fired, what="the cut")
        process.wait_for("ended session [0-9]+, its own", 60)
        eventually(lambda: rows(database) == 1010, 30, "the rest")
        process.stop().expect(0)
    finally:
        proxy.close()
    assert database.value("SELECT count(DISTINCT kafka_offset) FROM events") == rows(database) == 1010
