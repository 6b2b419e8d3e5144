"""Cassandra's tables change while they are written, and its disk fills."""

from pathlib import Path

import pytest
from arena import TARGETS
from checker import fold
from servers import ROOT, eventually, sandbox, sandbox_environment

SIDE = "CREATE TABLE {ks}.side (id text PRIMARY KEY, version bigint)"
TARGETS_AND_SIDE = (TARGETS.replace("columns: {", "columns: {note: value.uuid, ").removesuffix("]") +
                    ", {table: side, mode: upsert, key: [id], columns: {id: key, version: value.version}}]")
CHANGES = {
    "a column is dropped and added": ("ALTER TABLE {ks}.state DROP note", "ALTER TABLE {ks}.state ADD note text"),
    "a table is dropped and made again": ("DROP TABLE {ks}.side", SIDE),
    "a table is truncated": ("TRUNCATE {ks}.side", None),
}


def table_ids(run):
    return dict(run.keyspace.rows(f"SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = '{run.keyspace.name}'"))


def check_side(run, ends):
    """What was dropped takes its rows along. Every key that was written to after `ends` is there again, as it was written."""
    def check(verdict, truth):
        last = fold(truth)
        found = dict(run.keyspace.rows("SELECT id, version FROM {ks}.side"))
        notes = {row[0]: row[1:] for row in run.keyspace.rows("SELECT id, uuid, note FROM {ks}.state")}
        due = {key for key, (*_, partition, offset) in last.items() if offset >= ends[partition]}
        assert len(due) > 100, f"{len(due)} keys after the last change"
        verdict.add("lost", "cassandra side", due - found.keys())
        verdict.add("divergent", "cassandra side", (key for key in found if key not in last or found[key] != last[key][3]))
        verdict.add("lost", "cassandra notes", (key for key in due if notes[key][0] != notes[key][1]))
        verdict.add("divergent", "cassandra notes", (key for key, (uuid, note) in notes.items() if note not in (None, uuid)))
    return check


@pytest.mark.parametrize("what", [pytest.param(what, marks=[pytest.mark.quick] if "column" in what else [])
                                  for what in CHANGES])
def test_40_a_table_changes(arena, what):
    """Its statements are prepared again, also for a table of the same name and another id."""
    breaks, mends = CHANGES[what]
    with arena.run(40, what, settings={"cassandra": TARGETS_AND_SIDE}) as run:
        run.keyspace.execute("ALTER TABLE {ks}.state ADD note text", SIDE)
        process = run.start()
        with run.fault():
            before = table_ids(run)
            assert run.keyspace.rows("SELECT id FROM {ks}.side LIMIT 1"), "there is something to lose"
            run.keyspace.execute(breaks)
            if mends:
                process.wait_for("cassandra: .*route 1 can't be written", 60)
                run.load.more(2 * run.load.rate)
                run.keyspace.execute(mends)
            assert (table_ids(run)["side"] == before["side"]) == (mends != SIDE)
            ends = run.kafka.ends(run.topic.name)
            run.load.more(run.load.rate)
        if mends:
            run.expect_retries("cassandra", "configuration")
        run.checks.append(check_side(run, ends))


def test_37_the_disk_is_full(disk, arena):
    """Of one table. Cassandra can't write it out any more, has no room for what comes, and must be started again."""
    with arena.run(37, "the disk of a table in Cassandra is full") as run:
        place = sandbox_environment()
        folder = Path(place["SLUICE_SANDBOX_STATE"], "data/cassandra/data/data", run.keyspace.name,
                      f"events-{table_ids(run)['events'].hex}")
        log = Path(place["SLUICE_LOG_CASSANDRA"])
        small = disk(place["SLUICE_PID_CASSANDRA"], folder, 1024)
        process = run.start()
        with run.fault():
            before = len(log.read_bytes())
            small.fill()
            run.keyspace.execute("ALTER TABLE {ks}.events WITH memtable = 'skiplist'")  # Writes out what the other kind holds.
            eventually(lambda: b"No space left" in log.read_bytes()[before:], 120, "Cassandra says that its disk is full")
            try:
                process.wait_for("cassandra: waits: ", 180)
                run.load.more(2 * run.load.rate)
                run.expect_lag(process, "cassandra")
            finally:
                small.resize(1 << 20)
                sandbox("kill", "cassandra")
                small.at_server(ROOT / "scripts/sandbox", "start", "cassandra")
        run.expect_retries("cassandra", "")


@pytest.mark.quick
def test_34_cassandra_is_killed(arena):
    """With thousands of rows on their way; and of many keys, so that a delete is mostly the last word on its own."""
    with arena.run(34, "kill -9 of Cassandra", load={"keys": 20_000}) as run:
        proxy = run.through_proxy("cassandra")
        process = run.start()
        with run.fault():
            proxy.set(latency_s=0.3)
            run.load.more(2 * run.load.rate)
            sandbox("kill", "cassandra")
            process.wait_for("cassandra: waits: ", 60)
            sandbox("start", "cassandra")
            proxy.heal()
        run.expect_retries("cassandra", "connection", "timeout", "lost")


@pytest.mark.quick
def test_35_cassandra_is_frozen(arena):
    """And thaws with what it was sent: rows that are sent again carry the same times."""
    with arena.run(35, "Cassandra frozen for 15 s") as run:
        process = run.start()
        with run.fault():
            sandbox("freeze", "cassandra")
            try:
                run.load.more(15 * run.load.rate)
                run.expect_lag(process, "cassandra")
            finally:
                sandbox("thaw", "cassandra")
        run.expect_retries("cassandra", "connection", "timeout", "lost")
