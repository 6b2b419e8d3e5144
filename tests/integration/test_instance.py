"""Processes with an `instance` name: what a restart, a rolling one, a kill and a freeze cost. All hold for the broker's
default group.initial.rebalance.delay.ms too (3 s, as `scripts/sandbox up` leaves it; scripts/test asks for 0): a group that has
a static member is not empty."""

import json
import threading
import time
import pytest
import verify
from confluent_kafka import Consumer
from servers import eventually, sandbox

SESSION = 8.0  # session.timeout.ms, as src/kafka/consumer_conf.cpp sets it.


class Writer(threading.Thread):
    """Sends one record to every partition, over and over. `with` starts and ends it."""

    def __init__(self, topic, partitions, every=0.04):
        super().__init__()
        self.topic, self.partitions, self.every = topic, partitions, every
        self.sent, self.ending, self.problem = 0, threading.Event(), None

    def run(self):
        producer = self.topic.kafka.new_producer(linger_ms=0)
        try:
            while not self.ending.wait(self.every):
                for partition in range(self.partitions):
                    producer.produce(self.topic.name, json.dumps({"i": self.sent}), partition=partition)
                    self.sent += 1
                assert producer.flush(30) == 0
        except Exception as problem:  # noqa: BLE001
            self.problem = problem

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()
        assert self.problem is None, self.problem


def flags_of(sluice, topic, database, keyspace, instance):
    return ["run", *sluice.flags(topic, database, keyspace), "--instance", instance]


def wait_for_shares(topic, sizes, timeout=30.0):
    for lane in ("postgres", "cassandra"):
        topic.kafka.wait_for_members(f"{topic.name}.{lane}", sizes, timeout)


class Watch(threading.Thread):
    """Looks at the newest record of each partition in both databases, all the time. `with` starts and ends it."""

    def __init__(self, topic, partitions, database, keyspace):
        super().__init__()
        self.topic, self.database, self.keyspace = topic, database, keyspace
        self.places = {(lane, p): (0, time.monotonic()) for p in range(partitions) for lane in ("postgres", "cassandra")}
        self.pauses = dict.fromkeys(self.places, 0.0)
        self.ending, self.problem = threading.Event(), None

    def run(self):
        try:
            with self.database.connect() as connection:
                while not self.ending.wait(0.05):
                    for p, offset in connection.execute("SELECT partition, next_offset FROM sluice.offsets"):
                        self.note(("postgres", p), offset)
                    for lane, p in self.places:
                        if lane == "cassandra":
                            self.note((lane, p), self.newest(p))
        except Exception as problem:  # noqa: BLE001
            self.problem = problem

    def newest(self, partition):
        found = self.keyspace.rows("SELECT kafka_offset FROM {ks}.events WHERE kafka_topic = "
                                   f"'{self.topic.name}' AND kafka_partition = {partition} AND bucket = 0 "
                                   "ORDER BY kafka_offset DESC LIMIT 1")
        assert not found or found[0][0] < 4095, "a bucket holds all records of a partition"
        return found[0][0] + 1 if found else 0

    def note(self, place, offset):
        before, since = self.places[place]
        now = time.monotonic()
        if offset != before:
            self.pauses[place] = max(self.pauses[place], now - since)
            self.places[place] = (offset, now)

    def forget(self):
        """What was until now does not count, but for pauses that last."""
        self.pauses = dict.fromkeys(self.places, 0.0)

    def wait_until_all_moved(self, timeout=30.0):
        began = time.monotonic()
        eventually(lambda: self.problem or all(since > began for _, since in self.places.values()), timeout,
                   "every partition goes on in both databases")

    def longest(self, lane):
        return max(pause for (at, _), pause in self.pauses.items() if at == lane)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()
        assert self.problem is None, self.problem


def progress_of(lane, topic, database):
    return (database.progress(topic) if lane == "postgres"
            else topic.kafka.progress(f"{topic.name}.{lane}", topic.name))


def sessions(database, topic):
    return database.value(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice:{topic.name}'")


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_a_killed_process_is_back_at_once(sluice, make_topic, database, keyspace, lane):
    """`kill -9`, started again within its session: the first new commit comes within 2 s on an idle machine."""
    topic = make_topic(4)
    places = (database, None) if lane == "postgres" else (None, keyspace)
    command = flags_of(sluice, topic, *places, "a")
    with Writer(topic, 4):
        process = sluice.start(*command)
        eventually(lambda: progress_of(lane, topic, database) > 100, what="the first run commits")
        began = time.monotonic()
        process.kill()
        # What it had sent may still be taken: by PostgreSQL until its session ends.
        if lane == "postgres":
            eventually(lambda: sessions(database, topic) == 0, what="its session ends")
        before = progress_of(lane, topic, database)
        process = sluice.start(*command)
        eventually(lambda: progress_of(lane, topic, database) > before, what="the second run commits")
        took = time.monotonic() - began
        print(f"{lane}: first new commit {took:.2f} s after kill -9")
    process.stop().expect(0).lacks("starts afresh")
    sluice.drain(topic, *places, "--instance", "a").expect(0)
    verify.assert_equal(topic, *places)
    assert took < 2


def test_a_stopped_process_keeps_its_place_and_the_end_of_a_drain_gives_it_up(sluice, topic, kafka, database):
    topic.send("1", "2")
    group = f"{topic.name}.postgres"
    command = flags_of(sluice, topic, database, None, "a")
    process = sluice.start(*command)
    eventually(lambda: database.has("sluice.offsets") and database.progress(topic) == 2, what="two rows")
    process.stop().expect(0)
    kafka.wait_for_members(group, [3], timeout=0)
    # Faster than any rebalance of an empty group, which waits for 3 s.
    began = time.monotonic()
    sluice.run(*command, "--until-end").expect(0)
    assert time.monotonic() - began < 2.5
    found = kafka.admin.describe_consumer_groups([group])[group].result(15)
    assert found.state.name == "EMPTY"


def test_a_start_that_strict_ends_gives_its_place_up(sluice, topic, kafka, database):
    """Nobody waits for the session of a process that did not start."""
    topic.send("1")
    group = f"{topic.name}.postgres"
    process = sluice.start(*flags_of(sluice, topic, database, None, "a"), "--cassandra", "cassandra@127.0.0.1:1/nowhere",
                           "--strict", "--start-timeout", "5s")
    kafka.wait_for_members(group, [3], timeout=10)
    process.wait().expect(3).has("cassandra: can't start")
    found = kafka.admin.describe_consumer_groups([group])[group].result(15)
    assert found.state.name == "EMPTY"


def test_a_second_process_of_the_same_name_is_refused(sluice, topic, database):
    topic.send("1")
    command = flags_of(sluice, topic, database, None, "a")
    first = sluice.start(*command).wait_for("starts afresh")
    sluice.run(*command).expect(3).has("instance 'a'", "runs already on this host", f"process {first.pid}", "`instance`")
    other = sluice.start(*flags_of(sluice, topic, database, None, "b")).wait_for("continues")
    assert first.running() and other.running()
    first.kill()
    again = sluice.start(*command).wait_for("continues")
    again.stop().expect(0)
    other.stop().expect(0)


def test_the_same_name_on_another_host_ends_the_older_process(sluice, make_topic, kafka, database, keyspace, tmp_path):
    topic = make_topic(4)
    command = flags_of(sluice, topic, database, keyspace, "a")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with Writer(topic, 4):
        older = sluice.start(*command)
        wait_for_shares(topic, [4])
        newer = sluice.start(*command, XDG_RUNTIME_DIR=str(elsewhere))
        ended = older.wait(20).expect(1)
        for lane in ("postgres", "cassandra"):
            ended.has(f"{lane}: ended: instance 'a': another process has joined the group '{topic.name}.{lane}'",
                      "FENCED_INSTANCE_ID", "give each process a name of its own (`instance`)")
        before = database.progress(topic)
        eventually(lambda: database.progress(topic) > before, what="the newer one goes on")
    newer.stop().expect(0)
    sluice.drain(topic, database, keyspace, "--instance", "a").expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_a_place_whose_holder_is_gone_is_taken_again(sluice, make_topic, kafka, database, keyspace):
    """Such a holder is also a broker's memory of the membership before, when it comes back from a crash amid a rebalance."""
    topic = make_topic(4)
    with Writer(topic, 4):
        process = sluice.start(*flags_of(sluice, topic, database, keyspace, "a"))
        wait_for_shares(topic, [4])
        for lane in ("postgres", "cassandra"):
            thief = Consumer({"bootstrap.servers": kafka.brokers, "group.id": f"{topic.name}.{lane}", "group.instance.id": "a",
                              "session.timeout.ms": 6000, "partition.assignment.strategy": "cooperative-sticky"})
            thief.subscribe([topic.name])
            eventually(lambda c=thief: c.poll(0.1) or c.memberid(), 30, "joining")
            process.wait_for(f"{lane}: instance 'a': another process has joined the group", 30)
            thief.close()  # A static member does not leave.
        for lane in ("postgres", "cassandra"):
            process.wait_for(f"{lane}: instance 'a': waits for the end of its name's session")
        before = database.progress(topic)
        eventually(lambda: process.running() and database.progress(topic) > before, 40, "the rows go on")
        wait_for_shares(topic, [4])
    process.stop().expect(0)
    sluice.drain(topic, database, keyspace, "--instance", "a").expect(0)
    verify.assert_equal(topic, database, keyspace)


@pytest.mark.slow
@pytest.mark.faults
def test_a_place_is_waited_for_while_its_broker_is_away(sluice, make_topic, kafka, database):
    """It comes back with the holder that it had, whose session begins anew."""
    topic = make_topic(4)
    topic.send("1")
    process = sluice.start(*flags_of(sluice, topic, database, None, "a"))
    eventually(lambda: rows(database) == 1, what="the first row")
    thief = Consumer({"bootstrap.servers": kafka.brokers, "group.id": f"{topic.name}.postgres", "group.instance.id": "a",
                      "session.timeout.ms": 6000, "partition.assignment.strategy": "cooperative-sticky"})
    thief.subscribe([topic.name])
    eventually(lambda: thief.poll(0.1) or thief.memberid(), 30, "joining")
    process.wait_for("waits for the end of its name's session", 30)
    thief.close()
    sandbox("kill", "kafka")
    time.sleep(14)  # Longer than the place is waited for beside a broker that answers.
    sandbox("start", "kafka")
    topic.send("2")
    eventually(lambda: process.running() and rows(database) == 2, 60, "the rows go on")
    process.stop().expect(0)


@pytest.mark.parametrize("change", ["more topics", "fewer topics"])
def test_a_restart_with_other_topics_reads_just_these(sluice, make_topic, kafka, database, keyspace, change):
    """Taking over a place in the group brings the partitions that it had, whatever the topics are now."""
    one, two = make_topic(2), make_topic(2)
    one.send("1", partition=1)
    two.send("2", partition=1)
    command = flags_of(sluice, one, database, keyspace, "a")
    both = [argument if argument != one.name else f"{one.name},{two.name}" for argument in command]
    both[both.index("--group") + 1] = one.name
    first, second = (command, both) if change == "more topics" else (both, command)
    process = sluice.start(*first)
    wait_for_shares(one, [2 if first is command else 4])
    eventually(lambda: rows(database) == (1 if first is command else 2), what="the first rows")
    process.stop().expect(0)
    one.send("3", partition=0)
    process = sluice.start(*second)
    eventually(lambda: rows(database) == 3, what="all rows")
    wait_for_shares(one, [2 if second is command else 4])
    process.stop().expect(0).has("postgres: instance 'a'", "joins anew").has("cassandra: instance 'a'", "joins anew")


def rows(database):
    return database.value("SELECT count(*) FROM events") if database.has("events") else 0


def test_what_goes_not_with_an_instance_is_refused_by_name(sluice, topic, database):
    command = flags_of(sluice, topic, database, None, "a")
    sluice.run(*command, "-X", "group.protocol=consumer").expect(2).has("kafka.properties.group.protocol", "`instance`")
    sluice.run(*command, "-X", "group.instance.id=b").expect(2).has("kafka.properties.group.instance.id", "`instance`")
    sluice.run(*flags_of(sluice, topic, database, None, "a/b")).expect(2).has("--instance", "letters, digits")


@pytest.mark.slow
def test_a_rolling_restart_stops_no_partition_for_long(sluice, make_topic, database, own_keyspace):
    """Three processes, each ended by SIGTERM and started again. 3 s are promised; half a second more is for this machine,
    which runs the servers, the writer and the watch as well, and for the watch's own turns."""
    topic = make_topic(6)
    commands = [flags_of(sluice, topic, database, own_keyspace, name) for name in "abc"]
    with Writer(topic, 6):
        processes = [sluice.start(*command) for command in commands]
        wait_for_shares(topic, [2, 2, 2])
        with Watch(topic, 6, database, own_keyspace) as watch:
            watch.wait_until_all_moved()
            watch.forget()
            for i, command in enumerate(commands):
                processes[i].stop().expect(0)
                processes[i] = sluice.start(*command)
                watch.wait_until_all_moved()
            for lane in ("postgres", "cassandra"):
                print(f"{lane}: the longest pause was {watch.longest(lane):.2f} s")
        wait_for_shares(topic, [2, 2, 2], timeout=0)
    for process in processes:
        process.stop().expect(0)
    sluice.drain(topic, database, own_keyspace, "--instance", "a").expect(0)
    verify.assert_equal(topic, database, own_keyspace)
    assert watch.longest("postgres") < 3
    assert watch.longest("cassandra") < 3


@pytest.mark.slow
@pytest.mark.parametrize("end", ["freeze", "kill"])
def test_the_partitions_of_a_process_that_is_gone_move(sluice, make_topic, database, own_keyspace, end):
    """Within 10 s: its session ends after 8 s, and the others hear of it with their next heartbeat, one each second. A frozen
    process that comes back is a member again, and nothing is lost or doubled."""
    topic = make_topic(4)
    with Writer(topic, 4):
        gone, other = (sluice.start(*flags_of(sluice, topic, database, own_keyspace, name)) for name in "ab")
        wait_for_shares(topic, [2, 2])
        with Watch(topic, 4, database, own_keyspace) as watch:
            watch.wait_until_all_moved()
            watch.forget()
            began = time.monotonic()
            gone.freeze() if end == "freeze" else gone.kill()
            wait_for_shares(topic, [4], timeout=20)
            took = time.monotonic() - began
            watch.wait_until_all_moved()
        print(f"{end}: the partitions moved after {took:.2f} s; the longest pause was {watch.longest('postgres'):.2f} s "
              f"in PostgreSQL and {watch.longest('cassandra'):.2f} s in Cassandra")
        if end == "freeze":
            gone.thaw()
            wait_for_shares(topic, [2, 2])
            gone.stop().expect(0)
    other.stop().expect(0)
    sluice.drain(topic, database, own_keyspace, "--instance", "b").expect(0)
    verify.assert_equal(topic, database, own_keyspace)
    assert took < SESSION + 1 + 1
