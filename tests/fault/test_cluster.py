"""Three brokers, three Cassandra nodes, a PostgreSQL primary and its standby: one node of several fails, or the wrong one leads.

    scripts/test faults --cluster                                # brings the cluster up and down
    eval "$(scripts/sandbox env --cluster)"; pytest tests/fault -m cluster -k 24      # where it is up"""

from contextlib import suppress

import psycopg
import pytest
from servers import eventually, sandbox

pytestmark = pytest.mark.cluster

PROGRESS = "SELECT sum(next_offset)::bigint FROM sluice.offsets"


def send(run, kind, count, partition):
    """What the load does not send: the partition is the test's own."""
    run.topic.send_records(((f"{kind}{i}", f'{{"uuid": "x", "producer": 3, "seq": {i}, "version": 1, "amount": 1}}')
                            for i in range(count)), partition=partition)


class Pair:
    """The primary and its standby, whichever is which now."""

    def __init__(self, addresses):
        self.hosts = {f"postgres-{number}": host for number, host in enumerate(addresses.postgres.split(","), 1)}
        self.primary, self.standby = sorted(self.hosts, key=self.is_standby)
        assert self.is_standby(self.standby) and not self.is_standby(self.primary), "there is a primary and a standby"

    def ask(self, name, *statements, database="postgres"):
        """What the last of them gives."""
        with psycopg.connect(f"postgresql://postgres:postgres@{self.hosts[name]}/{database}", autocommit=True) as connection:
            for statement in statements:
                found = connection.execute(statement)
            return found.fetchone()[0]

    def is_standby(self, name):
        return self.ask(name, "SELECT pg_is_in_recovery()")

    def follows(self):
        """The standby has what the primary has."""
        return self.ask(self.primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND "
                                      "replay_lsn >= pg_current_wal_lsn()") == 1

    def detach(self):
        """The standby hears no more of its primary."""
        self.ask(self.standby, "ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
        eventually(lambda: self.ask(self.primary, "SELECT count(*) FROM pg_stat_replication") == 0, 30, "replication has ended")

    def mend(self):
        """Whatever a test has left behind."""
        if self.is_standby(self.standby):
            sandbox("start", self.primary)
            self.ask(self.standby, "ALTER SYSTEM RESET primary_conninfo", "SELECT pg_reload_conf()")
        elif not self.is_up(self.primary) or not self.is_standby(self.primary):
            self.rejoin()

    def is_up(self, name):
        with suppress(psycopg.OperationalError):
            return self.ask(name, "SELECT true")

    def promote(self):
        """The standby. The primary is down."""
        sandbox("promote", self.standby)
        self.ask(self.standby, "ALTER SYSTEM RESET primary_conninfo", "SELECT pg_reload_conf()")

    def rejoin(self):
        """The former primary comes back as a standby of the other."""
        sandbox("follow", self.primary)


@pytest.fixture
def pair(addresses):
    assert "," in addresses.postgres, "no cluster: scripts/sandbox up --cluster; eval \"$(scripts/sandbox env --cluster)\""
    found = Pair(addresses)
    eventually(found.follows, 60, "the standby has what the primary has")
    yield found
    found.mend()


def test_24_the_standby_takes_over(arena, pair):
    """The old primary comes back as a standby: whoever connects to it by mistake is passed on."""
    with arena.run(24, "failover to the standby") as run:
        process = run.start()
        with run.fault():
            sandbox("stop", pair.primary)  # A clean stop waits until the standby has all.
            process.wait_for("postgres: waits: ", 60)
            pair.promote()
        pair.rejoin()
        assert pair.is_standby(pair.primary) and not pair.is_standby(pair.standby)
        with run.fault():
            assert run.end_sessions()
        run.expect_retries("postgres", "connection", "57", "08")


def test_25_a_failover_loses_what_was_committed_last(arena, pair):
    """Rows and offsets go back together, and the lane with them: also in partition 4, which gets no more records."""
    with arena.run(25, "failover without the last commits", partitions=5, load={"partitions": 4}) as run:
        process = run.start()
        with run.fault():
            pair.detach()
            send(run, "quiet", 1000, partition=4)
            eventually(lambda: run.stored()["postgres"].get(4) == 1000, 60, "the quiet partition is written")
            run.load.more(5 * run.load.rate)
            run.wait_for_commits()
            sandbox("freeze", pair.primary)  # Nothing is committed after it was asked.
            before = run.progress["postgres"].now
            sandbox("kill", pair.primary)
            process.wait_for("postgres: waits: ", 60)
            after = pair.ask(pair.standby, PROGRESS, database=run.database.name)
            assert after < before, "commits are lost"
            print(f"the failover took back {before - after} records")
            pair.promote()
        run.expect_retries("postgres", "connection", "57", "08")
        process.wait_for(r"postgres: \S*\[4\]: the database has gone back from 1000 to 0", 60)
        eventually(lambda: run.sample("sluice_rewound_offsets_total", "postgres") >= before - after, 30, "the rewind is counted")
        pair.rejoin()
        run.disturbed = True  # What went back is written, and counted, twice.
