"""One budget for the process (`memory`, 256 MiB), whatever the topic holds and whatever the databases do."""

import json
import time
from copy import copy

import pytest
import verify
from pages import Pages, free_address
from proxy import Proxy
from servers import eventually

MEMORY_MIB = 256


def peak_mib(process):
    """Of the process itself: getrusage would count the tests' memory, from before the program was loaded."""
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) // 1024


def settled_peak(process, quiet=5.0, timeout=60.0):
    """What the peak is when it has not grown for so long, nor by as much as a MiB."""
    deadline = time.monotonic() + timeout
    seen, since = peak_mib(process), time.monotonic()

    def look():
        nonlocal seen, since
        if (now := peak_mib(process)) > seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > quiet

    eventually(look, timeout=deadline - time.monotonic(), what="the peak stays")
    return seen


@pytest.fixture
def proxies(addresses):
    """Both servers through a network of their own: {lane: proxy}."""
    made = {}

    def make(rate=0, **options):
        made.update(postgres=Proxy(addresses.postgres, **options), cassandra=Proxy(addresses.cassandra, **options))
        for each in made.values():
            each.set(bytes_per_s=rate)
        return made

    yield make
    for each in made.values():
        each.close()


def through(proxies, database, keyspace):
    near, far = copy(database), copy(keyspace)
    near.url = f"postgresql://sluice@{proxies['postgres'].address}/{database.name}"
    far.address = f"{proxies['cassandra'].address}/{keyspace.name}"
    return near, far


def progress(topic, kafka, database):
    """Of the lane that is behind."""
    return min(database.progress(topic) if database.has("sluice.offsets") else 0,
               kafka.progress(f"{topic.name}.cassandra", topic.name))


def fill(topic, count, size):
    """Records of about `size` bytes; of 0, without a value."""
    topic.kafka.producer = topic.kafka.new_producer(message_max_bytes=12_000_000, queue_buffering_max_kbytes=100_000)
    pad = "x" * max(size - 20, 0)
    topic.send_records((f"k{i}", json.dumps({"i": i, "pad": pad}) if size else None) for i in range(count))


@pytest.mark.parametrize("partitions", [1, pytest.param(100, marks=pytest.mark.slow), pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("count, size", [(200_000, 200), (10_000, 10_000), (300, 500_000)])
def test_two_lanes_stay_within_the_budget(sluice, make_topic, kafka, database, own_keyspace, partitions, count, size):
    topic = make_topic(partitions, max_message_bytes=12_000_000)
    fill(topic, count, size)
    process = sluice.start("run", *sluice.flags(topic, database, own_keyspace))
    eventually(lambda: progress(topic, kafka, database) == count, timeout=120, what="both lanes write it all")
    peak = peak_mib(process)
    process.stop().expect(0)
    print(f"{partitions} partitions of {size} B: peak {peak} MiB")
    assert peak < MEMORY_MIB


@pytest.mark.parametrize("partitions, count, size", [
    (1, 1_500_000, 0), (100, 300_000, 200), (100, 300, 500_000),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in [(200, 300_000, 200), (200, 20_000, 10_000), (200, 300, 500_000)])])
def test_databases_that_fall_silent_leave_memory_flat(sluice, make_topic, kafka, database, own_keyspace, proxies, partitions,
                                                      count, size):
    """Records without a value too: the Kafka client counts only the bytes of values."""
    topic = make_topic(partitions, max_message_bytes=12_000_000)
    between = proxies()
    form = [] if size else ["--value", "string"]
    process = sluice.start("run", *sluice.flags(topic, *through(between, database, own_keyspace)), *form)
    process.wait_for("postgres: topic .* starts afresh").wait_for("cassandra: topic .* starts afresh")
    for proxy in between.values():
        proxy.freeze()
    fill(topic, count, size)
    peak = settled_peak(process)
    assert progress(topic, kafka, database) < count
    print(f"{partitions} partitions of {size} B: peak {peak} MiB")
    assert peak < MEMORY_MIB
    for proxy in between.values():
        proxy.thaw()
    process.kill()


@pytest.mark.slow
def test_slow_databases_leave_memory_flat(sluice, make_topic, kafka, database, own_keyspace, proxies):
    topic = make_topic(100)
    fill(topic, 300_000, 200)
    process = sluice.start("run", *sluice.flags(topic, *through(proxies(rate=1_000_000), database, own_keyspace)))
    eventually(lambda: progress(topic, kafka, database) > 0, timeout=60, what="both lanes write")
    peak = settled_peak(process)
    print(f"peak {peak} MiB")
    assert peak < MEMORY_MIB
    process.kill()


def test_a_record_of_10_mb_passes(sluice, make_topic, database):
    topic = make_topic(1, max_message_bytes=12_000_000)
    fill(topic, 5, 10_000_000)
    process = sluice.start("run", *sluice.flags(topic, database))
    eventually(lambda: database.has("events") and database.value("SELECT count(*) FROM events") == 5, timeout=60, what="five rows")
    peak = peak_mib(process)
    process.stop().expect(0)
    print(f"peak {peak} MiB")
    assert peak < MEMORY_MIB
    assert database.value("SELECT min(length(data->>'pad')) FROM events") == 9_999_980


@pytest.mark.parametrize("letters", ["stop", "{table: letters}"])
def test_a_record_larger_than_a_sixteenth_of_the_budget_is_refused(sluice, make_topic, database, letters):
    """8 MiB of 128. It stops its partition, or is a dead letter that tells where it is."""
    topic = make_topic(1, max_message_bytes=12_000_000)
    topic.send("1")
    fill(topic, 1, 9_000_000)
    topic.send("2")
    pages = Pages(free_address())
    file = sluice.config(topic, "", database, memory="128MiB", dead_letters=letters, http=f"{{listen: '{pages.address}'}}")
    process = sluice.start("run", "-c", file)
    rows = 1 if letters == "stop" else 2
    eventually(lambda: database.has("events") and database.value("SELECT count(*) FROM events") == rows, timeout=30, what="rows")
    if letters == "stop":
        process.wait_for(rf"partition {topic.name}\[0\] is stopped: .*bytes of key, value and headers; .* a sixteenth of `memory`")
        eventually(lambda: pages.value("sluice_rejected_records_total", "postgres", "size") == 1, what="it is counted")
        process.stop().expect(0)
    else:
        process.stop().expect(0).has("to the dead letters", "give the process more `memory`")
        assert database.rows("SELECT kafka_partition, kafka_offset, key, value, reason FROM letters") == [
            (0, 1, None, None, "lane.size")]
        done = sluice.run("dlq", "replay", "--all", "-c", file).expect(1)
        done.has(f"{topic.name}[0]@1 stays a dead letter", "the letter holds nothing of it")
        assert database.value("SELECT count(*) FROM events") == 2
        assert database.value("SELECT count(*) FROM letters") == 1


@pytest.mark.slow
def test_a_lane_that_waits_for_a_table_does_not_gather_what_comes(sluice, topic, database):
    """The table is locked while a topic larger than the bound arrives."""
    topic.send("0")
    sluice.drain(topic, database).expect(0)
    pages = Pages(free_address())
    with database.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE events")
        topic.send_records((None, json.dumps({"i": i, "pad": "x" * 1000})) for i in range(250_000))
        process = sluice.start("run", *sluice.flags(topic, database), "--http", pages.address)
        process.wait_for("answers on http")
        eventually(lambda: (pages.value("sluice_waiting_bytes", "postgres", "moving") or 0) > 40 << 20, what="its room is full")
        peak = settled_peak(process)
        print(f"peak {peak} MiB")
        assert peak < MEMORY_MIB
        assert pages.value("sluice_waiting_bytes", "postgres", "moving") < 64 << 20
        assert pages.value("sluice_fetched_records", "postgres") > 0
        assert pages.value("sluice_memory_max_bytes") == MEMORY_MIB << 20
        blocker.rollback()
    process.stop().expect(0)
    sluice.drain(topic, database, timeout=60).expect(0)
    assert len(verify.assert_equal(topic, database)) == 250_001
