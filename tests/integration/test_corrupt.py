"""A batch of records that has changed on the broker's disk: its partition stops before it, and nothing behind it is read."""

from pathlib import Path

import pytest
import verify
from servers import sandbox_environment


def flip(topic, text):
    """Changes a byte of this text where the broker keeps it; it does not look again before it sends it."""
    data = Path(sandbox_environment()["SLUICE_SANDBOX_STATE"]) / "data/kafka/data"
    log, = data.glob(f"{topic.name}-0/00000000000000000000.log")
    at = log.read_bytes().index(text)
    with log.open("r+b") as file:
        file.seek(at)
        file.write(bytes([text[0] ^ 1]))
    return at


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_a_damaged_batch_stops_its_partition_and_is_not_passed(sluice, make_topic, database, keyspace, lane):
    topic = make_topic(2)
    places = (database, None) if lane == "postgres" else (None, keyspace)
    for batch in ("first", "second", "third"):
        topic.send(*(f'"{batch} {i}"' for i in range(5)), partition=0)
    topic.send('"other"', partition=1)
    flip(topic, b"second 3")
    for _ in range(2):
        done = sluice.drain(topic, *places).expect(1)
        assert len(done.lines(f"partition {topic.name}[0] is stopped", f"{topic.name}[0]@5")) == 1
        assert not done.lines("error", f"{topic.name}[1]"), "the other partition goes on"
        rows = verify.postgres_events(database) if lane == "postgres" else verify.cassandra_events(keyspace, topic)
        assert sorted(row[:2] for row in rows) == [(0, i) for i in range(5)] + [(1, 0)]
