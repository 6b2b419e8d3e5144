"""Three brokers, three Cassandra nodes, a PostgreSQL primary and its standby: one node of several fails, or the wrong one leads.

    scripts/test faults --cluster                                # brings the cluster up and down
    eval "$(scripts/sandbox env --cluster)"; pytest tests/fault -m cluster -k 24      # where it is up"""

import dataclasses
import time
from contextlib import suppress

import psycopg
import pytest
from cassandra import ConsistencyLevel
from checker import check_cassandra
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from servers import Keyspace, cassandra_session, eventually, sandbox

pytestmark = pytest.mark.cluster

PROGRESS = "SELECT sum(next_offset)::bigint FROM sluice.offsets"


def send(run, kind, count, partition):
    """What the load does not send: the partition is the test's own."""
    run.topic.send_records(((f"{kind}{i}", f'{{"uuid": "x", "producer": 3, "seq": {i}, "version": 1, "amount": 1}}')
                            for i in range(count)), partition=partition)


class Pair:
    """The primary and its standby, whichever is which now."""

    def __init__(self, addresses):
        self.hosts = {f"postgres-{number}": host for number, host in enumerate(addresses.postgres.split(","), 1)}
        self.primary, self.standby = sorted(self.hosts, key=self.is_standby)
        assert self.is_standby(self.standby) and not self.is_standby(self.primary), "there is a primary and a standby"

    def ask(self, name, *statements, database="postgres"):
        """What the last of them gives."""
        with psycopg.connect(f"postgresql://postgres:postgres@{self.hosts[name]}/{database}", autocommit=True) as connection:
            for statement in statements:
                found = connection.execute(statement)
            return found.fetchone()[0]

    def is_standby(self, name):
        return self.ask(name, "SELECT pg_is_in_recovery()")

    def follows(self):
        """The standby has what the primary has."""
        return self.ask(self.primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND "
                                      "replay_lsn >= pg_current_wal_lsn()") == 1

    def detach(self):
        """The standby hears no more of its primary."""
        self.ask(self.standby, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
        eventually(lambda: self.ask(self.primary, "SELECT count(*) FROM pg_stat_replication") == 0, 30, "replication has ended")

    def mend(self):
        """Whatever a test has left behind."""
        if self.is_standby(self.standby):
            sandbox("start", self.primary)
            if not self.ask(self.primary, "SELECT count(*) FROM pg_stat_replication"):
                sandbox("follow", self.standby)
        elif not self.is_up(self.primary) or not self.is_standby(self.primary):
            self.rejoin()

    def is_up(self, name):
        with suppress(psycopg.OperationalError):
            return self.ask(name, "SELECT true")

    def promote(self):
        """The standby. The primary is down."""
        sandbox("promote", self.standby)
        self.ask(self.standby, "ALTER SYSTEM RESET primary_conninfo", "SELECT pg_reload_conf()")

    def rejoin(self):
        """The former primary comes back as a standby of the other."""
        sandbox("follow", self.primary)


@pytest.fixture
def pair(addresses):
    assert "," in addresses.postgres, "no cluster: scripts/sandbox up --cluster; eval \"$(scripts/sandbox env --cluster)\""
    found = Pair(addresses)
    eventually(found.follows, 60, "the standby has what the primary has")
    yield found
    found.mend()


def test_24_the_standby_takes_over(arena, pair):
    """The old primary comes back as a standby: whoever connects to it by mistake is passed on."""
    with arena.run(24, "failover to the standby") as run:
        process = run.start()
        with run.fault():
            sandbox("stop", pair.primary)  # A clean stop waits until the standby has all.
            process.wait_for("postgres: waits: ", 60)
            pair.promote()
        pair.rejoin()
        assert pair.is_standby(pair.primary) and not pair.is_standby(pair.standby)
        with run.fault():
            assert run.end_sessions()
        run.expect_retries("postgres", "connection", "57", "08")


def test_25_a_failover_loses_what_was_committed_last(arena, pair):
    """Rows and offsets go back together, and the lane with them: also in partition 4, which gets no more records."""
    with arena.run(25, "failover without the last commits", partitions=5, load={"partitions": 4}) as run:
        process = run.start()
        with run.fault():
            pair.detach()
            send(run, "quiet", 1000, partition=4)
            eventually(lambda: run.stored()["postgres"].get(4) == 1000, 60, "the quiet partition is written")
            run.load.more(5 * run.load.rate)
            run.wait_for_commits()
            sandbox("freeze", pair.primary)  # Nothing is committed after it was asked.
            before = run.progress["postgres"].now
            sandbox("kill", pair.primary)
            process.wait_for("postgres: waits: ", 60)
            after = pair.ask(pair.standby, PROGRESS, database=run.database.name)
            assert after < before, "commits are lost"
            print(f"the failover took back {before - after} records")
            pair.promote()
        run.expect_retries("postgres", "connection", "57", "08")
        process.wait_for(r"postgres: \S*\[4\]: the database has gone back from 1000 to 0", 60)
        eventually(lambda: run.sample("sluice_rewound_offsets_total", "postgres") >= before - after, 30, "the rewind is counted")
        pair.rejoin()
        run.disturbed = True  # What went back is written, and counted, twice.


BROKERS = ("kafka-1", "kafka-2", "kafka-3")


def coordinator(run, lane, gone=None):
    """The broker that leads the lane's group's partition of __consumer_offsets; not asked of the one that is gone."""
    group = f"{run.topic.name}.{lane}"
    asked = ",".join(address for name, address in zip(BROKERS, run.kafka.brokers.split(",")) if name != gone)
    admin = AdminClient({"bootstrap.servers": asked})  # Stays until the answer is there.
    try:
        found = admin.describe_consumer_groups([group], request_timeout=10)[group]
        return f"kafka-{found.result(15).coordinator.id}"
    except (KafkaException, TimeoutError):
        return None


def brokers_are_whole(kafka):
    """All are there, and all replicas in sync."""
    found = kafka.admin.list_topics(timeout=10)
    return len(found.brokers) == len(BROKERS) and all(
        len(partition.isrs) == len(partition.replicas) for topic in found.topics.values()
        for partition in topic.partitions.values())


@pytest.fixture
def brokers(pair, kafka):
    """Up, all of them, and afterwards again."""
    eventually(lambda: brokers_are_whole(kafka), 120, "all replicas are in sync")
    yield BROKERS
    for name in BROKERS:
        sandbox("start", name)  # Thaws it, too.


def expect_no_reset(process):
    assert process.count("is stopped|starts afresh") == 2, process.text()  # One topic, two lanes, once.


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_06_and_07_the_coordinator_is_killed(arena, brokers, lane):
    """It is a leader of the topic's partitions, too."""
    with arena.run(7, f"kill -9 of the broker that coordinates {lane}") as run:
        process = run.start()
        with run.fault():
            gone = eventually(lambda: coordinator(run, lane), 60)
            assert gone in brokers
            sandbox("kill", gone)
            run.healed()  # Two of three are enough.
            eventually(lambda: coordinator(run, lane, gone) not in (None, gone), 60, "another one coordinates")
            run.load.more(10 * run.load.rate)
            sandbox("start", gone)
            eventually(lambda: brokers_are_whole(run.kafka), 120, "all replicas are in sync")
        expect_no_reset(process)


def test_06_a_broker_is_frozen(arena, brokers):
    with arena.run(6, "the broker that coordinates postgres frozen for 60 s") as run:
        process = run.start()
        with run.fault():
            gone = eventually(lambda: coordinator(run, "postgres"), 60)
            began = time.monotonic()
            sandbox("freeze", gone)
            run.healed()
            eventually(lambda: coordinator(run, "postgres", gone) not in (None, gone), 60, "another one coordinates")
            eventually(lambda: run.alive() and time.monotonic() > began + 60, 70)
            sandbox("thaw", gone)
            eventually(lambda: brokers_are_whole(run.kafka), 120, "all replicas are in sync")
        expect_no_reset(process)
        run.disturbed = True  # A session that ends loses its partitions: what was under way then is counted again.


def test_06_brokers_restart_in_turn(arena, brokers):
    with arena.run(6, "rolling restart of three brokers") as run:
        process = run.start()
        for name in brokers:
            with run.fault():
                sandbox("stop", name)
                run.load.more(2 * run.load.rate)
                sandbox("start", name)
                eventually(lambda: brokers_are_whole(run.kafka), 120, "all replicas are in sync")
        expect_no_reset(process)


def test_08_an_unclean_election(arena, brokers):
    """Of partition 3 a broker leads that never had its newest records; both databases hold them. It then grows past where
    the lanes stand: other records have those offsets now, and going on would skip the first of them."""
    topic = {"replicas": [[3, 1], [3, 2], [3, 1], [1, 2]], "min_insync_replicas": 1, "unclean_leader_election_enable": "true"}
    with arena.run(8, "an unclean leader election", topic=topic, load={"partitions": 3}) as run:
        process = run.start()
        with run.fault():
            send(run, "before", 1000, partition=3)
            sandbox("kill", "kafka-2")
            run.kafka.wait_for(run.topic.name, lambda found: found.partitions[3].isrs == [1])
            send(run, "newest", 500, partition=3)
            eventually(lambda: all(stored.get(3) == 1500 for stored in run.stored().values()), 60, "both lanes have all")
            run.remember_topic()
            run.stopped_partitions = (3,)
            sandbox("kill", "kafka-1")
            sandbox("start", "kafka-2")
            run.kafka.wait_for(run.topic.name, lambda found: found.partitions[3].leader == 2)
            assert run.kafka.ends(run.topic.name)[3] == 1000, "the newest records are gone"
            for lane in ("postgres", "cassandra"):
                process.wait_for(rf"{lane}: partition \S*\[3\] is stopped: .*(truncation detected|Offset out of range)", 90)
            send(run, "other", 1000, partition=3)
        assert all(stored[3] == 1500 for stored in run.stored().values())
        run.disturbed = True  # Of partition 3 some is known that was not read.


NODES = ("cassandra-1", "cassandra-2", "cassandra-3")


@pytest.fixture
def last_node_alone(pair, addresses, brokers, own_keyspace):
    """The test's keyspace as the last node has it, while the others are down."""
    last = dataclasses.replace(addresses, cassandra=addresses.cassandra.split(",")[-1])
    session = cassandra_session(last, consistency=ConsistencyLevel.ONE)
    yield Keyspace(last, session, own_keyspace.name)
    session.cluster.shutdown()
    for name in NODES:
        sandbox("start", name)


def test_36_the_quorum_is_lost_and_a_node_wiped(arena, last_node_alone):
    """First the node is wiped, so that what is left, when the others die, has hardly anything."""
    *others, wiped = NODES
    with arena.run(36, "a Cassandra node wiped, the two others killed") as run:
        process = run.start()
        with run.fault():
            sandbox("kill", wiped)
            sandbox("wipe", wiped)
            run.load.more(2 * run.load.rate)
            sandbox("start", wiped)
        with run.fault():
            for name in others:
                sandbox("kill", name)
            process.wait_for("cassandra: waits: ", 60)
            run.load.more(5 * run.load.rate)
            run.expect_lag(process, "cassandra")
            has = last_node_alone.value("SELECT count(*) FROM {ks}.events")
            assert has < run.progress["cassandra"].now, "the node lacks rows"
            for name in others:
                sandbox("start", name)
        run.expect_retries("cassandra", "")
        run.load.finish(run.records)
        run.reach_the_end()
        for table in ("events", "state"):
            run.keyspace.rows(f"SELECT * FROM {{ks}}.{table}")  # From all replicas, which mends the one that differs.
        for name in others:
            sandbox("kill", name)
        check_cassandra(run.verdict, run.known, last_node_alone, run.topic.name)
        for name in others:
            sandbox("start", name)
