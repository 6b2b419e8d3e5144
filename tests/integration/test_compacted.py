"""Compacted topics: what is left of the log is what the tables come to, whatever was lost of it while nobody read."""

import json
import time

import verify
from servers import eventually

KEYED = "    cassandra: {table: st, mode: upsert, key: [id], columns: {id: key, v: value.v}}\n"
COMPACTED = {"cleanup_policy": "compact", "segment_ms": 500, "min_cleanable_dirty_ratio": 0.01,
             "min_compaction_lag_ms": 0}


def values(*pairs):
    return [(key, json.dumps({"v": value})) for key, value in pairs]


def state(keyspace):
    return dict(keyspace.rows("SELECT id, v FROM {ks}.st"))


def test_a_replay_that_meets_fewer_records_outbids_what_was_written(sluice, make_topic, kafka, own_keyspace):
    """All of one millisecond: by counting them again the newest would get an older time than the row has."""
    own_keyspace.create("CREATE TABLE {ks}.st (id text PRIMARY KEY, v bigint)")
    topic = make_topic(1, **COMPACTED)
    file = sluice.config(topic, KEYED, None, own_keyspace)
    process = sluice.start("run", "-c", file).wait_for(f"topic '{topic.name}' is compacted")
    group = f"{topic.name}.cassandra"
    eventually(lambda: kafka.committed(group, topic.name).get(0) is not None, what="the first start")
    at = int(time.time() * 1000) - 60_000
    topic.send_records(values(*(("a", i) for i in range(49)), ("k", 49)), timestamp=at)
    eventually(lambda: state(own_keyspace).get("k") == 49, what="the rows, which are not committed yet")
    process.kill()
    assert kafka.committed(group, topic.name)[0] < 50
    topic.send_records(values(("a", 50), ("k", 51)), timestamp=at)
    topic.send_records(values(("f", 52)), timestamp=at + 10_000)
    eventually(lambda: len(verify.read_topic(kafka.brokers, topic.name)) <= 3, 60, "the log is compacted")
    process = sluice.start("run", "-c", file).wait_for("continues")
    eventually(lambda: kafka.committed(group, topic.name).get(0) == 53, 60, "all is committed")
    process.stop().expect(0)
    assert state(own_keyspace) == {"a": 50, "k": 51, "f": 52}


def test_restarts_without_a_crash_lose_nothing_either(sluice, make_topic, own_keyspace):
    own_keyspace.create("CREATE TABLE {ks}.st (id text PRIMARY KEY, v bigint)")
    topic = make_topic(2, **COMPACTED)
    at = int(time.time() * 1000) - 60_000
    for turn in range(4):
        topic.send_records(values(*((f"k{i % 7}", turn * 100 + i) for i in range(40))), timestamp=at)
        topic.send_records([("k6", None)] if turn % 2 else values(("k6", turn)), timestamp=at)
        sluice.drain_file(sluice.config(topic, KEYED, None, own_keyspace)).expect(0)
    expected = {f"k{i % 7}": 300 + i for i in range(40) if i % 7 != 6}
    assert state(own_keyspace) == expected
