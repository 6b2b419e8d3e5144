"""Behind PgBouncer in transaction mode, where each transaction may meet another backend, all is as without it."""

import json
import signal
import threading
from copy import copy

import psycopg
import pytest
import verify
from pooler import Pooler
from servers import eventually
from test_upsert import changes, fold

UPSERT = """
    postgres:
      table: people
      mode: upsert
      key: [id]
      columns: {id: key, n: value.n, name: value.name}
"""


@pytest.fixture
def pooler(addresses):
    found = Pooler(addresses, size=2)
    yield found
    found.close()


@pytest.fixture
def admin(pooler):
    """PgBouncer's own console."""
    with psycopg.connect(f"postgresql://sluice:sluice@{pooler.address}/pgbouncer", autocommit=True) as found:
        yield psycopg.ClientCursor(found)


@pytest.fixture
def pooled(database, pooler):
    """The test's database as the program sees it."""
    found = copy(database)
    found.url = pooler.url(database)
    return found


def fill(topic, count, start=0):
    topic.send_records((f"k{i % 997}", json.dumps({"i": i, "pad": "x" * 80})) for i in range(start, start + count))


def amid(topic, database, above, below):
    eventually(lambda: database.progress(topic) > above, 60, f"more than {above} records are written")
    assert database.progress(topic) < below, "it comes in the middle"


def test_append_into_jsonb(sluice, topic, database, pooled):
    fill(topic, 30_000)
    sluice.drain(topic, pooled).expect(0)
    assert len(verify.assert_equal(topic, database)) == 30_000
    assert database.value("SELECT data_type FROM information_schema.columns WHERE table_name = 'events' "
                          "AND column_name = 'data'") == "jsonb"


def test_check_and_a_second_run_find_all_as_it_is(sluice, topic, database, pooled):
    fill(topic, 100)
    sluice.run("check", *sluice.flags(topic, pooled)).expect(0)
    assert not database.has("events")
    sluice.drain(topic, pooled).expect(0)
    fill(topic, 100, start=100)
    sluice.run("check", *sluice.flags(topic, pooled)).expect(0)
    sluice.drain(topic, pooled).expect(0).has("postgres", "continues")
    assert len(verify.assert_equal(topic, database)) == 200


def test_upserts_with_deletes_on_whatever_backend(sluice, topic, database, pooled, rng):
    """Temporary tables stay on their backend, and writers meet each other's."""
    database.execute("CREATE TABLE people (id text PRIMARY KEY, n bigint, name text)")
    topic.send_records(changes(rng, 60_000, 3000))
    sluice.drain_file(sluice.config(topic, UPSERT, pooled, pool=3), timeout=120).expect(0)
    found = {row[0]: row[1:] for row in database.rows("SELECT id, n, name FROM people")}
    assert found == fold(verify.read_topic(topic.kafka.brokers, topic.name))


@pytest.mark.slow
def test_two_processes_and_kill_9(sluice, make_topic, kafka, database, pooled):
    topic = make_topic(4)
    fill(topic, 1)
    flags = sluice.flags(topic, pooled)
    killed, other = sluice.start("run", *flags), sluice.start("run", *flags)
    for process in (killed, other):
        process.wait_for("postgres: topic", 60)
    kafka.wait_for_members(f"{topic.name}.postgres", [2, 2], 60)
    filling = threading.Thread(target=fill, args=(topic, 200_000, 1))
    filling.start()
    amid(topic, database, 1000, 200_001)
    killed.kill()
    again = sluice.start("run", *flags)
    filling.join(60)
    eventually(lambda: database.progress(topic) == 200_001, 90, "all is written")
    for process in (other, again):
        process.stop().expect(0)
    assert len(verify.assert_equal(topic, database)) == 200_001


@pytest.mark.slow
def test_backends_terminated(sluice, topic, database, pooled):
    fill(topic, 150_000)
    process = sluice.start("run", *sluice.flags(topic, pooled))
    ended = 0
    while database.progress(topic) < 150_000:
        before = database.progress(topic)
        ended += database.value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "
                                "current_database() AND application_name LIKE 'sluice:%' AND state <> 'idle'")
        eventually(lambda at=before: database.progress(topic) > at, 60, "it goes on")
    assert ended > 0
    process.stop().expect(0)
    assert len(verify.assert_equal(topic, database)) == 150_000


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_the_pooler_restarted_amid_the_run(sluice, topic, database, pooled, pooler, how):
    fill(topic, 150_000)
    process = sluice.start("run", *sluice.flags(topic, pooled))
    amid(topic, database, 1000, 150_000)
    pooler.end(how)
    process.wait_for("postgres: waits", 30)
    pooler.start()
    eventually(lambda: database.progress(topic) == 150_000, 90, "all is written")
    process.stop().expect(0)
    assert len(verify.assert_equal(topic, database)) == 150_000


def test_an_error_of_the_poolers_own_is_waited_out(sluice, topic, database, pooled, pooler, admin):
    """It says 08P01 for all that is wrong between it and the server; of a server that code would be our own fault."""
    fill(topic, 1000)
    process = sluice.start("run", *sluice.flags(topic, pooled))
    eventually(lambda: database.progress(topic) == 1000, 60, "it is under way")
    admin.execute("SET query_wait_timeout = 1")
    others = [psycopg.connect(pooled.url, password="sluice", autocommit=True) for _ in range(2)]
    for other in others:  # All that the pool has.
        other.execute("BEGIN")
    fill(topic, 1000, start=1000)
    process.wait_for("query_wait_timeout", 30)
    for other in others:
        other.close()
    eventually(lambda: database.progress(topic) == 2000, 60, "it goes on")
    process.stop().expect(0)
    assert len(verify.assert_equal(topic, database)) == 2000


@pytest.mark.slow
def test_an_owner_frozen_amid_its_batch_is_replaced(sluice, topic, database, pooled):
    """It may be frozen inside of a COPY; only its own session is ended, and the pooler has several."""
    fill(topic, 150_000)
    flags = sluice.flags(topic, pooled)
    frozen = sluice.start("run", *flags)
    amid(topic, database, 1000, 150_000)
    frozen.freeze()
    heir = sluice.start("run", *flags)
    eventually(lambda: database.progress(topic) == 150_000, 120, "the heir writes the rest")
    frozen.thaw()
    fill(topic, 1000, start=150_000)
    eventually(lambda: database.progress(topic) == 151_000, 60, "both go on")
    for process in (frozen, heir):
        process.stop().expect(0)
    assert len(verify.assert_equal(topic, database)) == 151_000


def test_startup_options_in_the_url_are_refused_by_name(sluice, topic, database, pooled, pooler):
    """A pooler can't keep what a session sets. Who writes them into the URL is told so, at once."""
    pooled.url = pooler.url(database, "?options=-csearch_path%3Dpublic")
    for command in (["check"], ["run", "--until-end"]):
        sluice.run(*command, *sluice.flags(topic, pooled)).expect(3).has("unsupported startup parameter: options")
