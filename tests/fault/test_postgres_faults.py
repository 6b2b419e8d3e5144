"""PostgreSQL dies, freezes, refuses, answers late or not at all."""

import tempfile
import threading
from contextlib import suppress

import psycopg
import pytest
from servers import eventually, sandbox, sandbox_environment

MEMORY_MIB = 256  # The process's budget, `memory`.


@pytest.mark.quick
def test_18_postgres_is_killed(arena):
    with arena.run(18, "kill -9 of PostgreSQL") as run:
        process = run.start()
        with run.fault():
            sandbox("kill", "postgres")
            process.wait_for("postgres: waits: ")
            run.load.more(3 * run.load.rate)  # Some attempts fail.
            sandbox("start", "postgres")
        run.expect_retries("postgres", "connection", "57", "08")


@pytest.mark.quick
def test_19_backends_are_terminated(arena):
    with arena.run(19, "pg_terminate_backend, over and over") as run:
        run.start()
        with run.fault():
            ended = 0
            while ended < 20:
                ended += run.end_sessions()
                run.load.more(run.load.rate // 4)
        run.expect_retries("postgres", "57", "connection")


@pytest.mark.quick
@pytest.mark.parametrize("row, action, what", [(20, "drop_reply", "the answer to COMMIT is lost"),
                                               (21, "drop_request", "COMMIT is lost"),
                                               (22, "delay", "COMMIT arrives late, after its sender has gone")])
def test_20_to_22_a_commit_without_an_answer(arena, row, action, what):
    """Late: while the lane asks what became of it, and must wait for that transaction's end."""
    times = 1 if action == "delay" else 5
    with arena.run(row, what) as run:
        proxy = run.through_proxy("postgres")
        run.start()
        with run.fault():
            rule = proxy.when(b"COMMIT", action, nth=3, times=times, seconds=12.0, hang_up=True)
            eventually(lambda: rule.fired == times, 60, "the fault happened")
            run.healed()
        run.expect_retries("postgres", "connection")


def test_23_postgres_is_frozen(arena):
    with arena.run(23, "PostgreSQL frozen for 15 s") as run:
        process = run.start()
        with run.fault():
            sandbox("freeze", "postgres")
            try:
                run.load.more(15 * run.load.rate)
                run.expect_lag(process, "postgres")
            finally:
                sandbox("thaw", "postgres")


def test_26_the_disk_is_full(arena, disk, names):
    """Of one table, and then there is room again."""
    space, folder = names.new(), tempfile.mkdtemp()
    small = disk(sandbox_environment()["SLUICE_PID_POSTGRES"], folder, 1024)
    with arena.run(26, "the disk of a table is full") as run:
        with run.database.connect("postgres", "postgres") as connection:
            connection.execute(f"CREATE TABLESPACE {space} LOCATION '{folder}'")
            connection.execute(f"ALTER TABLE events SET TABLESPACE {space}")
        process = run.start()
        with run.fault():
            small.fill()
            process.wait_for("postgres: waits: .*53100", 60)
            run.load.more(5 * run.load.rate)
            run.expect_lag(process, "postgres")
            small.resize(1 << 20)
        run.expect_retries("postgres", "53")
    with run.database.connect("postgres", "postgres") as connection:
        connection.execute("DROP TABLE events")
        connection.execute(f"DROP TABLESPACE {space}")


def test_27_the_table_is_locked(arena):
    """For longer than lock_timeout (10 s)."""
    with arena.run(27, "LOCK TABLE for 15 s") as run:
        process = run.start()
        with run.fault():
            with run.locked("LOCK TABLE events"):
                run.load.more(15 * run.load.rate)
                run.expect_lag(process, "postgres")
                run.expect_retries("postgres", "55")


@pytest.mark.quick
def test_28_deadlocks(arena):
    """A rival locks rows in the other order. Its own deadlock_timeout is longer: the lane is the one that gives way."""
    with arena.run(28, "deadlocks") as run:
        run.start()
        ending = threading.Event()

        def rival():
            while not ending.is_set():
                with suppress(psycopg.errors.DeadlockDetected), \
                        run.database.connect("postgres", "postgres") as connection, connection.transaction():
                    connection.execute("SET LOCAL deadlock_timeout = '30s'")
                    connection.execute("SELECT id FROM state ORDER BY id DESC FOR UPDATE")
        with run.fault():
            thread = threading.Thread(target=rival)
            thread.start()
            try:
                run.expect_retries("postgres", "40")
            finally:
                ending.set()
                thread.join(60)


CHANGES = {
    "its privilege is revoked": ("REVOKE INSERT ON events FROM sluice", "GRANT INSERT ON events TO sluice"),
    "the table is gone": ("ALTER TABLE events RENAME TO away", "ALTER TABLE away RENAME TO events"),
    "a column is gone": ("ALTER TABLE state RENAME amount TO away", "ALTER TABLE state RENAME away TO amount"),
    "a column that nothing fills is NOT NULL": ("ALTER TABLE events ADD must int NOT NULL DEFAULT 1; "
                                                "ALTER TABLE events ALTER must DROP DEFAULT",
                                                "ALTER TABLE events DROP must"),
    "a column has another type": ("ALTER TABLE state ALTER seq TYPE text USING seq::text",
                                  "ALTER TABLE state ALTER seq TYPE bigint USING seq::bigint"),
}
QUICK_CHANGES = ("its privilege is revoked", "a column is gone")


@pytest.mark.parametrize("what", [pytest.param(what, marks=[pytest.mark.quick] if what in QUICK_CHANGES else [])
                                  for what in CHANGES])
def test_29_and_30_a_table_that_can_not_be_written(arena, what):
    """It waits, says what to mend, and no record is taken for a dead letter."""
    breaks, mends = CHANGES[what]
    with arena.run(29 if what in list(CHANGES)[:2] else 30, what, dead_letters="lost") as run:
        process = run.start()
        with run.fault():
            run.database.execute(*breaks.split("; "))
            process.wait_for("postgres: .*route 1 can't be written", 60)
            run.load.more(2 * run.load.rate)
            run.database.execute(mends)
        run.expect_retries("postgres", "configuration", "42", "23")


def test_31_a_partition_of_the_table_is_missing(arena):
    tables = {"events": "CREATE TABLE events (kafka_topic text, kafka_partition int, kafka_offset bigint, key text, data text) "
                        "PARTITION BY RANGE (kafka_offset); CREATE TABLE events0 PARTITION OF events FOR VALUES FROM (0) TO (3000)"}
    with arena.run(31, "no partition for the row", tables=tables, dead_letters="lost") as run:
        process = run.start()
        with run.fault():
            process.wait_for("no partition of the table takes the row", 120)
            run.load.more(2 * run.load.rate)
            run.database.execute("CREATE TABLE events1 PARTITION OF events FOR VALUES FROM (3000) TO (maxvalue)")
        run.expect_retries("postgres", "23", "configuration")


@pytest.mark.quick
def test_32_the_password_changes(arena, names, tmp_path):
    """The lane's sessions have ended, and its password's file is written anew only after it was refused."""
    secret = tmp_path / "password"
    secret.write_text("secret\n")
    with arena.run(32, "the password is rotated") as run:
        role = names.new()
        url = run.database.create_role(role, "GRANT {role} TO sluice", f"GRANT CREATE ON DATABASE {run.database.name} TO {{role}}",
                                       "GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
                                       "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
        run.settings.update(url=url, password=f"'${{file:{secret}}}'")
        process = run.start()
        with run.fault():
            run.database.execute(f"ALTER ROLE {role} PASSWORD 'another'")
            assert run.end_sessions("postgres") > 0
            process.wait_for("postgres: waits: .*28P01", 60)
            run.load.more(2 * run.load.rate)
            secret.write_text("another\n")
        run.expect_retries("postgres", "28", "configuration")


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_33_a_slow_database(arena, lane):
    """Half a second each way and 1 Mbit/s, a tenth of what the load needs: what waits is bounded, and no more is taken."""
    with arena.run(33, f"1 Mbit/s and 500 ms before {lane}") as run:
        proxy = run.through_proxy(lane)
        process = run.start()
        with run.fault():
            proxy.set(latency_s=0.5, bytes_per_s=125_000)
            run.expect_lag(process, lane)

            def flat():
                before = run.peaks[process.pid]
                run.load.more(10 * run.load.rate)
                return run.peaks[process.pid] < before + 4
            eventually(flat, 120, "memory stays where it is")
            run.expect_lag(process, lane)
            proxy.heal()
        assert max(run.peaks.values()) < MEMORY_MIB, run.peaks


@pytest.mark.parametrize("lane, fault", [("postgres", "blackhole"), ("postgres", "slicer"), ("cassandra", "blackhole"),
                                         pytest.param("postgres", "reset", marks=pytest.mark.quick),
                                         pytest.param("cassandra", "slicer", marks=pytest.mark.quick)])
def test_41_a_bad_network(arena, lane, fault):
    with arena.run(41, f"{fault} before {lane}") as run:
        proxy = run.through_proxy(lane)
        process = run.start()
        with run.fault():
            if fault == "blackhole":
                proxy.freeze()
                run.load.more(12 * run.load.rate)
                run.expect_lag(process, lane)
            elif fault == "reset":
                for _ in range(10):
                    before = proxy.connections
                    proxy.reset()
                    eventually(lambda seen=before: proxy.connections > seen, 30, "the lane connects again")
            else:
                proxy.set(slice_bytes=7)
                run.load.more(2 * run.load.rate)
            proxy.heal()
            proxy.thaw()
        if fault == "reset":
            run.expect_retries(lane, "connection", "lost", "timeout")
