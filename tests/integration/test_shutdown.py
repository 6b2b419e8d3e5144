"""How a run ends when somebody else does not let it; and that it goes on where nobody listens."""

import os
import signal
import subprocess
import threading
import time

import psycopg
from confluent_kafka import Consumer
from pages import free_address
from servers import eventually


def other_member(addresses, group, topic):
    member = Consumer({"bootstrap.servers": addresses.kafka, "group.id": group,
                       "partition.assignment.strategy": "cooperative-sticky",
                       "session.timeout.ms": 8000, "heartbeat.interval.ms": 500})
    member.subscribe([topic])
    return member


def test_a_rebalance_while_a_locked_table_holds_the_drain_does_not_hold_the_end(
        sluice, make_topic, kafka, addresses, database):
    """An assignment that nobody answers any more once kept the client's end waiting for ever."""
    topic = make_topic(4)
    topic.send("1", "2", "3", "4")
    process = sluice.start("run", *sluice.flags(topic, database), "--drain-timeout", "4s")
    process.wait_for("starts afresh")
    eventually(lambda: database.rows("SELECT count(*) FROM events") == [(4,)], what="four rows")
    group = f"{topic.name}.postgres"
    other = other_member(addresses, group, topic.name)
    try:
        eventually(lambda: other.poll(0.1) or len(other.assignment()) == 2, 20, "two partitions each")
        kafka.wait_for_members(group, [2, 2])
        with psycopg.connect(database.url, password="sluice") as blocker:
            blocker.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            for partition in range(4):
                topic.send("5", partition=partition)
            eventually(lambda: database.value(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                f"application_name = 'sluice:{topic.name}'") == 1, what="a batch waits for the table")
            started = time.monotonic()
            leaving = threading.Timer(2.0, other.close)
            leaving.start()
            done = process.stop(timeout=60).expect(0)
            leaving.join()
            # The drain's 4 s, and up to 3 s to leave the group.
            assert time.monotonic() - started < 8, done.err
    finally:
        other.close()


def test_a_start_without_a_broker_ends_at_once_when_it_is_told_to(sluice, topic, database):
    """One attempt waits for 10 s."""
    flags = sluice.flags(topic, database)
    flags[1] = "127.0.0.1:1"
    process = sluice.start("run", *flags, "--http", free_address()).wait_for("answers on http")
    started = time.monotonic()
    process.stop().expect(0)
    assert time.monotonic() - started < 3


def test_a_long_drain_of_one_lane_does_not_keep_the_other_in_its_group(sluice, topic, kafka, database, keyspace):
    process = sluice.start("run", *sluice.flags(topic, database, keyspace), "--drain-timeout", "10s")
    eventually(lambda: database.has("events"), what="the table is there")
    with psycopg.connect(database.url, password="sluice") as blocker:
        blocker.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        topic.send("1")
        eventually(lambda: database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
            f"application_name = 'sluice:{topic.name}'") == 1, what="a batch waits for the table")
        group = f"{topic.name}.cassandra"
        kafka.wait_for_members(group, [3])
        process.signal(signal.SIGTERM)
        eventually(lambda: kafka.admin.describe_consumer_groups([group])[group].result(15).state.name == "EMPTY",
                   timeout=6, what="Cassandra's lane has left, within the drain's 10 s")
        assert process.running()
        kafka.wait_for_members(f"{topic.name}.postgres", [3], timeout=0)
    process.wait().expect(0)


def test_with_its_standard_files_closed_the_log_goes_to_no_server(sluice, topic, database):
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *sluice.command(["run", *sluice.flags(topic, database)])]
    topic.send("1", "2")
    with subprocess.Popen(command, env=sluice.environment) as process:
        try:
            eventually(lambda: database.has("events") and database.value("SELECT count(*) FROM events") == 2, what="rows")
            assert {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)} == {"/dev/null"}
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
