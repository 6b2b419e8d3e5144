"""Records that Kafka deleted before they were read: a fresh start begins after them, a continued one stops."""

import pytest
import verify
from test_progress import numbers


def test_a_first_start_begins_with_the_first_record_that_is_left(sluice, make_topic, kafka, database, keyspace):
    topic = make_topic(1)
    topic.send("1", "2", "3", "4")
    kafka.delete_before(topic.name, 0, 2)
    sluice.drain(topic, database, keyspace).expect(0)
    assert numbers(database) == [3, 4]
    verify.assert_equal(topic, database, keyspace)


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_records_that_expired_unread_stop_their_partition(sluice, make_topic, kafka, database,
                                                                           keyspace, lane):
    topic = make_topic(2)
    places = (database, None) if lane == "postgres" else (None, keyspace)
    topic.send("1", "2", partition=0)
    sluice.drain(topic, *places).expect(0)
    topic.send("3", "4", "5", "6", partition=0)
    topic.send("7", partition=1)
    kafka.delete_before(topic.name, 0, 5)
    done = sluice.drain(topic, *places).expect(1)
    assert len(done.lines(f"partition {topic.name}[0] is stopped", f"{topic.name}[0]@2")) == 1
    done.has("did not reach its end", "its records expired", "_AUTO_OFFSET_RESET", "it begins at 5 now, a gap of 3 offsets")
    assert not done.lines("error", f"{topic.name}[1]"), "the other partition goes on"
    rows = verify.postgres_events(database) if lane == "postgres" else verify.cassandra_events(keyspace, topic)
    assert sorted(row[:2] for row in rows) == [(0, 0), (0, 1), (1, 0)]
    sluice.drain(topic, *places).expect(1)  # Nothing after the gap was committed.


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_records_that_expired_after_they_were_read_are_missed_by_nobody(sluice, make_topic, kafka, database,
                                                                        keyspace, lane):
    topic = make_topic(1)
    places = (database, None) if lane == "postgres" else (None, keyspace)
    topic.send("1", "2")
    sluice.drain(topic, *places).expect(0)
    kafka.delete_before(topic.name, 0, 2)
    topic.send("3")
    sluice.drain(topic, *places).expect(0)
    rows = verify.postgres_events(database) if lane == "postgres" else verify.cassandra_events(keyspace, topic)
    assert sorted(row[1] for row in rows) == [0, 1, 2]
