"""The checker itself: what is lost, doubled or changed by hand, it must name."""

import json

import pytest
import verify
from arena import Run
from checker import Verdict, Watch
from servers import eventually


@pytest.fixture
def settled(arena):
    """Both databases hold the topic; and the topic."""
    run = Run(arena, 0, "none", records=4000, load={"keys": 50, "rate": 20_000})
    run.prepare()
    for each in (run.watch, *run.progress.values()):
        each.start()
    run.start()
    run.wait_for_commits()
    try:
        run.finish()
        assert run.verdict.clean, run.verdict
        assert run.watch.samples, "it was looked at meanwhile"
        yield run, verify.read_topic(run.kafka.brokers, run.topic.name)
    finally:
        run.end()


def found_by(run, truth):
    run.verdict = Verdict()
    run.check(truth)
    return run.verdict


def test_each_row_that_is_not_as_the_topic_says_is_named(settled):
    run, truth = settled
    dropped, doubled, changed, foreign = [at for at in truth if truth[at].value][:4]
    kept = sorted(key for key, in run.database.rows("SELECT id FROM state WHERE id LIKE 'k%'"))[:3]
    place = "kafka_partition = {} AND kafka_offset = {}"
    run.database.execute(
        "DELETE FROM events WHERE " + place.format(*dropped),
        "INSERT INTO events SELECT * FROM events WHERE " + place.format(*doubled),
        "UPDATE events SET data = replace(data, '\"seq\": ', '\"seq\": 1') WHERE " + place.format(*changed),
        "UPDATE events SET kafka_offset = 1000000 WHERE " + place.format(*foreign),
        f"UPDATE state SET version = version - 1 WHERE id = '{kept[0]}'",
        f"DELETE FROM state WHERE id = '{kept[1]}'",
        "UPDATE state SET amount = amount + 1 WHERE id = 'a1'")
    bucket = "kafka_topic = '{}' AND kafka_partition = {} AND bucket = {} AND kafka_offset = {}"

    def where(at):
        return bucket.format(run.topic.name, at[0], at[1] // 4096, at[1])
    run.keyspace.execute(
        "DELETE FROM {ks}.events WHERE " + where(dropped),
        "UPDATE {ks}.events SET data = 'x' WHERE " + where(changed),
        f"UPDATE {{ks}}.state SET amount = 7 WHERE id = '{kept[0]}'",
        f"DELETE FROM {{ks}}.state WHERE id = '{kept[2]}'")
    found = found_by(run, truth)
    wanted = [("postgres events: 2 lost", dropped), ("postgres events: 1 doubled", doubled),
              ("postgres events, changed: 1 divergent", changed), ("postgres events, not to be there: 1", 1000000),
              ("postgres state: 3 divergent", kept[0]), ("postgres state: 3 divergent", kept[1]),
              ("postgres versions that went back: 2", kept[0]), ("postgres bank: 1", 1),
              ("cassandra events: 1 lost", dropped), ("cassandra events, changed: 1", changed),
              ("cassandra state: 2 divergent", kept[0]), ("cassandra state: 2 divergent", kept[2]),
              ("cassandra write times of events: 1", changed), ("cassandra write times of state: 1", "")]
    for begin, place in wanted:
        assert any(line.startswith(begin) and str(place) in line for line in found.found), (begin, place, found.found)


def test_the_same_value_with_another_write_time_is_named(settled):
    """What a write clock that was not restored would leave."""
    run, truth = settled
    key, uuid = run.keyspace.rows("SELECT id, uuid FROM {ks}.state LIMIT 1")[0]
    run.keyspace.execute(f"UPDATE {{ks}}.state SET uuid = '{uuid}' WHERE id = '{key}'")
    found = found_by(run, truth)
    assert found.divergent == 1 and found.found[0].startswith("cassandra write times of state"), found


def test_a_snapshot_with_rows_and_offset_apart_is_named(settled):
    run, truth = settled
    run.database.execute("UPDATE sluice.offsets SET next_offset = next_offset - 20 WHERE partition = 0")
    watch = Watch(run.database, every_s=0.05)
    watch.start()
    eventually(lambda: watch.samples, what="a snapshot")
    watch.end()
    watch.judge(found := Verdict(), truth)
    assert found.divergent and "partition 0: " in found.found[0], found


def test_an_acknowledged_record_that_the_topic_lacks_is_named(settled):
    run, truth = settled
    last = max(at for at in truth if at[0] == 0)
    found = found_by(run, {at: truth[at] for at in truth if at != last})
    assert any("not to be there" in line and str(last) in line for line in found.found), found


def test_a_transfer_of_which_one_half_is_missing_is_named(settled):
    run, truth = settled
    value = json.loads(next(record.value for record in truth.values() if record.key == b"a1" and record.value))
    run.database.execute(f"UPDATE state SET amount = amount + {abs(value['amount']) + 1} WHERE id = 'a2'")
    assert any(line.startswith("postgres bank") for line in found_by(run, truth).found)
