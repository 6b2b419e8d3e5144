"""What becomes of one database never reaches the other's lane. No server is harmed: a port where nobody listens refuses,
and a proxy that falls silent is what a frozen server is to its client. `test_faults.py` does it to the servers themselves."""

import json
from copy import copy

import pytest
import verify
from proxy import Proxy
from servers import eventually

NOWHERE = "127.0.0.1:1"  # Nothing listens there.
LANES = ["postgres", "cassandra"]


def fill(topic, count, start=0):
    topic.send_records((f"k{i % 997}", json.dumps({"i": i, "pad": "x" * 80}))
                       for i in range(start, start + count))


@pytest.fixture
def proxy():
    made = []

    def make(target, **options):
        made.append(Proxy(target, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def moved(place, address):
    """The same database, or keyspace, at another address."""
    other = copy(place)
    if hasattr(other, "url"):
        other.url = f"postgresql://sluice@{address}/{place.name}"
    else:
        other.address = f"{address}/{place.name}"
    return other


def server_of(lane, addresses):
    return addresses.postgres if lane == "postgres" else addresses.cassandra


def flags_with(sluice, topic, database, keyspace, lane, address):
    """As `sluice.flags`, with the lane's server at that address."""
    if lane == "postgres":
        return sluice.flags(topic, moved(database, address), keyspace)
    return sluice.flags(topic, database, moved(keyspace, address))


def written(lane, topic, database, keyspace):
    if lane == "postgres":
        return database.value("SELECT count(*) FROM events") if database.has("events") else 0
    return len(verify.cassandra_events(keyspace, topic))


def other_than(lane):
    return LANES[1 - LANES.index(lane)]


@pytest.mark.parametrize("fault", ["refuses", "is silent"])
@pytest.mark.parametrize("lane", LANES)
def test_a_lane_completes_while_the_other_database_is_away_from_the_start(
        sluice, addresses, topic, database, keyspace, proxy, lane, fault):
    fill(topic, 5000)
    address = NOWHERE if fault == "refuses" else proxy(server_of(lane, addresses), silent=True).address
    process = sluice.start("run", "--drain-timeout", "3s", "--start-timeout", "2s",
                           *flags_with(sluice, topic, database, keyspace, lane, address))
    eventually(lambda: written(other_than(lane), topic, database, keyspace) == 5000, timeout=15,
               what="the other lane completes")
    process.wait_for(f"{lane}: can't start, tries again", timeout=15)
    # Three seconds to drain, and the rest of an attempt to start that is under way.
    process.stop(timeout=10).expect(0)
    places = (None, keyspace) if lane == "postgres" else (database, None)
    verify.assert_equal(topic, *places)


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_goes_on_while_the_other_database_is_silent_for_a_while(sluice, addresses, topic, database, keyspace,
                                                                      proxy, lane):
    """Afterwards the other one catches up: each record once in both."""
    fill(topic, 1000)
    between = proxy(server_of(lane, addresses))
    process = sluice.start("run", *flags_with(sluice, topic, database, keyspace, lane, between.address))
    for each in LANES:
        eventually(lambda at=each: written(at, topic, database, keyspace) == 1000, what=f"{each} writes")
    between.freeze()
    fill(topic, 20_000, start=1000)
    eventually(lambda: written(other_than(lane), topic, database, keyspace) == 21_000, timeout=20,
               what="the other lane goes on")
    assert written(lane, topic, database, keyspace) < 21_000, "the proxy is silent"
    between.thaw()
    eventually(lambda: written(lane, topic, database, keyspace) == 21_000, timeout=60, what="it catches up")
    process.stop().expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_a_drain_into_a_silent_database_ends_in_time(sluice, addresses, topic, database, proxy):
    """What was under way is dropped, nothing is doubled. 3 s to drain, then at most 4 s to leave the group
    and close."""
    fill(topic, 100)
    between = proxy(addresses.postgres)
    process = sluice.start("run", "--drain-timeout", "3s", *sluice.flags(topic, moved(database, between.address)))
    eventually(lambda: written("postgres", topic, database, None) == 100, what="rows arrive")
    with database.connect() as blocker:
        blocker.autocommit = False
        blocker.execute("LOCK TABLE events")
        fill(topic, 1000, start=100)
        eventually(lambda: database.value("SELECT count(*) FROM pg_locks WHERE NOT granted"),
                   what="a batch is under way")
        between.freeze()
        process.signal(15)
        process.wait(8).expect(0)
        blocker.rollback()
    between.thaw()  # The server learns that its client is gone.
    sluice.drain(topic, database, timeout=60).expect(0)
    assert len(verify.assert_equal(topic, database)) == 1100
