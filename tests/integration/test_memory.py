"""Memory has a bound for each lane, whatever the topic holds."""

import json

import pytest
import verify
from servers import eventually

PEAK_MAX_MIB = 200  # Of a process with one lane, for events of ordinary sizes.


def peak_mib(process):
    """Of the process itself: getrusage would count the tests' memory, from before the program was loaded."""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) // 1024


@pytest.mark.parametrize("count, size, peak_max_mib", [(300_000, 150, PEAK_MAX_MIB), (150, 500_000, 256)],
                         ids=["many small events", "large events"])
@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_a_lanes_memory_has_its_bound(sluice, make_topic, kafka, database, own_keyspace, lane, count, size,
                                      peak_max_mib):
    topic = make_topic(4, max_message_bytes=2_000_000)
    topic.send_records((f"k{i % 997}", json.dumps({"i": i, "pad": "x" * size})) for i in range(count))
    places = (database, None) if lane == "postgres" else (None, own_keyspace)
    process = sluice.start("run", *sluice.flags(topic, *places))
    eventually(lambda: count == (database.progress(topic) if lane == "postgres"
                                 else kafka.progress(f"{topic.name}.cassandra", topic.name)),
               timeout=60, what="the lane writes it all")
    peak = peak_mib(process)
    process.stop().expect(0)
    print(f"peak {peak} MiB")
    assert peak < peak_max_mib


@pytest.mark.slow
def test_a_lane_that_waits_does_not_gather_what_comes(sluice, topic, database):
    """The table is locked while a topic larger than the bound arrives."""
    topic.send("0")
    sluice.drain(topic, database).expect(0)
    with database.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE events")
        topic.send_records((None, json.dumps({"i": i, "pad": "x" * 1000})) for i in range(250_000))
        process = sluice.start("run", *sluice.flags(topic, database))
        process.wait_for("run: postgres .* lag ", timeout=20)  # Ten seconds: time to fetch it all, were there room.
        peak = peak_mib(process)
        print(f"peak {peak} MiB")
        assert peak < PEAK_MAX_MIB
        blocker.rollback()
    process.stop().expect(0)
    sluice.drain(topic, database, timeout=60).expect(0)
    assert len(verify.assert_equal(topic, database)) == 250_001
