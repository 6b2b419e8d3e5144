"""Dead letters in a topic: acknowledged before anything passes them, unchanged, and with the headers that Kafka Connect
would give them."""

import json

import pytest
from confluent_kafka import Consumer, TopicPartition
from servers import eventually

CONNECT = "__connect.errors."


def read(kafka, name):
    """All records of a topic, each as its message."""
    ends = kafka.ends(name)
    consumer = Consumer({"bootstrap.servers": kafka.brokers, "group.id": "reads", "enable.auto.commit": False})
    consumer.assign([TopicPartition(name, p, 0) for p in ends])
    messages = []
    while len(messages) < sum(ends.values()):
        message = consumer.poll(10)
        assert message is not None and not message.error()
        messages.append(message)
    consumer.close()
    return messages


def came_from(message):
    headers = dict(message.headers())
    return int(headers[CONNECT + "partition"]), int(headers[CONNECT + "offset"])


@pytest.fixture
def lost(kafka, make_topic):
    return make_topic(2)


def setting(lost):
    return {"dead_letters": f"{{topic: {lost.name}}}"}


def test_a_dead_letter_keeps_the_record_as_it_came(sluice, make_topic, kafka, lost, database, own_keyspace):
    topic = make_topic(1)
    own = [("trace", "žluť".encode()), ("raw", b"\xff\x00"), ("none", None), (CONNECT + "topic", b"forged")]
    topic.send("no JSON\x00", key=b"\xfe key", timestamp=1_700_000_000_123, headers=own)
    topic.send("", timestamp=1_700_000_000_124)
    topic.send("1")
    done = sluice.drain_file(sluice.config(topic, "", database, own_keyspace, **setting(lost))).expect(0)
    assert len(done.lines("2 records went to the dead letters")) == 2
    assert database.rows("SELECT kafka_offset FROM events") == own_keyspace.rows("SELECT kafka_offset FROM {ks}.events")
    messages = read(kafka, lost.name)
    assert sorted(came_from(message) for message in messages) == [(0, 0), (0, 0), (0, 1), (0, 1)]
    for message in messages:
        assert message.topic() == lost.name
        headers = message.headers()
        reasons = dict(headers)
        assert reasons[CONNECT + "topic"].decode() == topic.name, "ours stands behind what was forged"
        assert reasons[CONNECT + "connector.name"].decode() in (f"{topic.name}.postgres", f"{topic.name}.cassandra")
        assert reasons[CONNECT + "stage"] == b"VALUE_CONVERTER"
        assert ("sluice.clock" in reasons) == reasons[CONNECT + "connector.name"].endswith(b".cassandra")
        assert f"{topic.name}[0]@".encode() in reasons[CONNECT + "exception.message"]
        assert {name.removeprefix(CONNECT) for name in reasons if name.startswith(CONNECT)} == {
            "topic", "partition", "offset", "connector.name", "task.id", "stage", "class.name", "exception.class.name",
            "exception.message", "exception.stacktrace"}
        if came_from(message) == (0, 0):
            assert (message.key(), message.value(), message.timestamp()[1]) == (b"\xfe key", b"no JSON\x00", 1_700_000_000_123)
            assert headers[:4] == own
        else:
            assert (message.key(), message.value(), message.timestamp()[1]) == (None, b"", 1_700_000_000_124)


def test_a_time_that_the_topic_does_not_take_is_kept_in_a_header(sluice, make_topic, kafka, lost, database):
    """A broker refuses what is more than an hour ahead, unless the topic says otherwise."""
    topic = make_topic(1, message_timestamp_after_max_ms=2**63 - 1)
    ahead = 4_000_000_000_000
    topic.send("no JSON", timestamp=ahead)
    sluice.drain_file(sluice.config(topic, "", database, **setting(lost))).expect(0)
    message, = read(kafka, lost.name)
    assert (message.value(), dict(message.headers())["sluice.timestamp"]) == (b"no JSON", str(ahead).encode())
    sluice.run("dlq", "list", "-c", sluice.config(topic, "", database, **setting(lost))).expect(0).has("2096-10-02")


def test_what_the_servers_refuse_goes_to_the_topic(sluice, make_topic, kafka, lost, database, own_keyspace):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int CHECK (id % 10 <> 3), v text)")
    own_keyspace.create("CREATE TABLE {ks}.t (id int PRIMARY KEY, v text)")
    own_keyspace.execute("CREATE INDEX ON {ks}.t (v)")
    topic.send(*(json.dumps({"id": n, "v": "x" * (70_000 if n % 10 == 5 else 10)}) for n in range(40)))
    route = "    postgres: {table: t}\n    cassandra: {table: t}"
    sluice.drain_file(sluice.config(topic, route, database, own_keyspace, **setting(lost))).expect(0)
    assert sorted(database.rows("SELECT id FROM t")) == [(n,) for n in range(40) if n % 10 != 3]
    assert sorted(own_keyspace.rows("SELECT id FROM {ks}.t")) == [(n,) for n in range(40) if n % 10 != 5]
    found = {}
    for message in read(kafka, lost.name):
        headers = dict(message.headers())
        lane = headers[CONNECT + "connector.name"].decode().rsplit(".", 1)[1]
        found.setdefault((lane, headers[CONNECT + "exception.class.name"]), []).append(came_from(message)[1])
    assert {key: sorted(offsets) for key, offsets in found.items()} == {
        ("postgres", b"postgres.copy 23514"): [3, 13, 23, 33], ("cassandra", b"cassandra.write 0x2200"): [5, 15, 25, 35]}


@pytest.mark.parametrize("bad", [5, 9])
def test_what_a_merge_refuses_is_one_letter_and_leaves_no_gap(sluice, make_topic, kafka, lost, database, bad):
    """It is the first record of the transaction that finds it, behind others that are written; also the last one of its batch."""
    topic = make_topic(1)
    database.execute(f"CREATE TABLE t (id int PRIMARY KEY CHECK (id <> {bad}))")
    topic.send(*(json.dumps({"id": n}) for n in range(10)))
    route = "    postgres: {table: t, mode: upsert, key: id}"
    sluice.drain_file(sluice.config(topic, route, database, **setting(lost))).expect(0).lacks("moved")
    assert sorted(database.rows("SELECT id FROM t")) == [(n,) for n in range(10) if n != bad]
    assert [came_from(message)[1] for message in read(kafka, lost.name)] == [bad]
    assert database.progress(topic) == 10


def test_a_topic_that_is_missing_is_named_at_the_start(sluice, make_topic, database):
    topic = make_topic(1)
    file = sluice.config(topic, "", database, dead_letters="{topic: no-such-topic}", start_timeout="3s")
    sluice.drain_file(file).expect(3).has("no-such-topic")
    sluice.run("check", "-c", file).expect(3).has("no-such-topic", f"{file}:3:15")


@pytest.mark.faults
@pytest.mark.slow
def test_a_topic_that_is_gone_holds_the_lane_up_and_loses_nothing(sluice, make_topic, kafka, lost, database, own_keyspace):
    """A dead letter is acknowledged before the progress passes it."""
    topic = make_topic(1)
    file = sluice.config(topic, "", database, own_keyspace, **setting(lost))
    process = sluice.start("run", "-c", file)
    process.wait_for("starts afresh", times=2)
    kafka.delete(lost.name)
    topic.send("1", "no JSON", "2")
    process.wait_for("dead letters wait for their topic", times=2, timeout=60)
    assert database.progress(topic) <= 1
    assert kafka.progress(f"{topic.name}.cassandra", topic.name) <= 1
    kafka.create(lost.name, 1)
    for lane in (lambda: database.value("SELECT count(*) FROM events"),
                 lambda: own_keyspace.value("SELECT count(*) FROM {ks}.events")):
        eventually(lambda: lane() == 2, timeout=90, what="the rows behind the dead letter")
    process.stop().expect(0)
    assert {came_from(message) for message in read(kafka, lost.name)} == {(0, 1)}


def test_dead_letters_survive_a_kill(sluice, make_topic, kafka, lost, database, own_keyspace):
    topic = make_topic(2)
    for partition in range(2):
        topic.send(*("bad" if n % 50 == 3 else json.dumps({"n": n}) for n in range(20_000)), partition=partition)
    file = sluice.config(topic, "", database, own_keyspace, **setting(lost))
    for at in (8_000, 20_000):
        process = sluice.start("run", "-c", file)
        eventually(lambda: database.progress(topic) >= at or not process.running(), 60, "progress")
        process.kill()
    sluice.drain_file(file, timeout=90).expect(0)
    letters = sorted((p, n) for p in range(2) for n in range(20_000) if n % 50 == 3)
    for rows in (database.rows("SELECT kafka_partition, kafka_offset FROM events"),
                 own_keyspace.rows("SELECT kafka_partition, kafka_offset FROM {ks}.events")):
        assert sorted(rows) == [(p, n) for p in range(2) for n in range(20_000) if n % 50 != 3]
    for lane in ("postgres", "cassandra"):
        ours = [came_from(m) for m in read(kafka, lost.name)
                if dict(m.headers())[CONNECT + "connector.name"].decode().endswith(lane)]
        assert sorted(set(ours)) == letters
