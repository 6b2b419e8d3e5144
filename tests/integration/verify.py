"""The independent verifier: reads the topic again by another client, and compares it with the tables.

A record is known by (partition, offset), and compared by a hash of its key and value. JSON is compared by meaning,
with all digits of its numbers, because jsonb keeps neither spaces nor the order of members. JSON's null is no value."""

import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Context, Decimal

from cassandra import InvalidRequest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

EXACT = Context(prec=200_000)


@dataclass(frozen=True)
class Record:
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: tuple = ()


def read_topic(brokers, topic):
    """{(partition, offset): Record}, of committed records, from each partition's beginning to its end."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "verify-" + topic,
                         "isolation.level": "read_committed", "enable.auto.commit": False,
                         "enable.partition.eof": True, "fetch.queue.backoff.ms": 5})
    try:
        partitions = set(consumer.list_topics(topic, timeout=15).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
        records, ended, deadline = {}, set(), time.monotonic() + 60
        while ended != partitions:
            assert time.monotonic() < deadline, f"the verifier hears nothing more of {topic}"
            for message in consumer.consume(5000, timeout=0.05):
                if message.error():
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    ended.add(message.partition())
                    continue
                records[message.partition(), message.offset()] = Record(
                    message.key(), message.value(), message.timestamp()[1],
                    tuple(message.headers() or ()))
        return records
    finally:
        consumer.close()


def canonical(text):
    """JSON as text that is the same whenever the meaning is: members sorted, numbers by value."""
    def plain(node):
        if isinstance(node, dict):
            return {name: plain(value) for name, value in node.items()}
        if isinstance(node, list):
            return [plain(value) for value in node]
        return f"number {EXACT.normalize(node) or 0}" if isinstance(node, Decimal) else node
    parsed = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    return json.dumps(plain(parsed), sort_keys=True).encode()


def _bytes(value):
    return value if value is None or isinstance(value, bytes) else str(value).encode()


def _digest(key, value, meaning):
    parts = [_bytes(key), _bytes(value)]
    if meaning and parts[1] is not None:
        parts[1] = None if parts[1].strip() == b"null" else canonical(parts[1])
    found = hashlib.sha256()
    for part in parts:
        found.update(b"-" if part is None else b"%d:" % len(part) + part)
    return found.digest()


@dataclass
class Difference:
    missing: list = field(default_factory=list)
    doubled: list = field(default_factory=list)
    foreign: list = field(default_factory=list)
    changed: list = field(default_factory=list)

    def __str__(self):
        return "; ".join(f"{len(found)} {name}: {sorted(found)[:5]}"
                         for name, found in vars(self).items() if found) or "equal"


def compare(records, rows, meaning):
    """`rows` are (partition, offset, key, value)."""
    counts = Counter((partition, offset) for partition, offset, _, _ in rows)
    out = Difference(missing=[at for at in records if at not in counts],
                     doubled=[at for at, count in counts.items() if count > 1],
                     foreign=[at for at in counts if at not in records])
    for partition, offset, key, value in rows:
        record = records.get((partition, offset))
        if record is None or (record.key, record.value) == (_bytes(key), _bytes(value)):
            continue
        if _digest(key, value, meaning) != _digest(record.key, record.value, meaning):
            out.changed.append((partition, offset))
    return out


def postgres_events(database, data="data::text"):
    return database.rows(f"SELECT kafka_partition, kafka_offset, key, {data} FROM events")


def cassandra_events(keyspace, topic):
    try:
        return keyspace.rows("SELECT kafka_partition, kafka_offset, key, data FROM {ks}.events WHERE "
                             f"kafka_topic = '{topic.name}' ALLOW FILTERING")
    except InvalidRequest as problem:
        if "does not exist" in str(problem):  # Not yet.
            return []
        raise


def assert_equal(topic, database=None, keyspace=None, *, meaning=True, records=None):
    """Both zero-config tables hold what the topic holds, each record once. Returns the records."""
    records = records if records is not None else read_topic(topic.kafka.brokers, topic.name)
    differences = {}
    if database:
        differences["postgres"] = compare(records, postgres_events(database), meaning)
    if keyspace:
        differences["cassandra"] = compare(records, cassandra_events(keyspace, topic), meaning)
    found = {name: str(difference) for name, difference in differences.items()
             if str(difference) != "equal"}
    assert not found, found
    return records
