"""A row of the fault matrix: the load, processes of one pipeline, a fault and its end, and the verdict.

    with arena.run(19, "backends are terminated") as run:
        run.start()                   # one process; run.start(3) for three
        with run.fault():             # between the first commits and the last
            …
        run.expect_retries("postgres", "57")
    # Here the load ends, both lanes reach the topic's end, and the checker looks."""

import json
import os
import re
import signal
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import verify
from checker import STATE, Verdict, Watch, check_cassandra, check_postgres, is_bad, letters_of
from load import Load
from servers import ROOT, eventually
from pages import Pages, free_address

LANES = ("postgres", "cassandra")
RECOVERY_MAX_S = 60.0
PEAK_MAX_MIB = 256  # `memory`, by default.

EVENTS = "CREATE TABLE events (kafka_topic text, kafka_partition int, kafka_offset bigint, key text, data text)"
STATE_AND_HISTORY = (
            "CREATE TABLE state (id text PRIMARY KEY, uuid text, producer int, seq bigint, version bigint, amount bigint, "
            "kafka_partition int, kafka_offset bigint)",
            "CREATE TABLE history (at bigserial, id text, version bigint)",
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN INSERT INTO history (id, version) SELECT id, version FROM changed; RETURN NULL; END'",
            "CREATE TRIGGER inserted AFTER INSERT ON state REFERENCING NEW TABLE AS changed EXECUTE FUNCTION note()",
            "CREATE TRIGGER updated AFTER UPDATE ON state REFERENCING NEW TABLE AS changed EXECUTE FUNCTION note()")
CASSANDRA = ("CREATE TABLE {ks}.events (kafka_topic text, kafka_partition int, bucket bigint, kafka_offset bigint, key text, "
             "timestamp timestamp, data text, PRIMARY KEY ((kafka_topic, kafka_partition, bucket), kafka_offset))",
             "CREATE TABLE {ks}.state (id text PRIMARY KEY, uuid text, producer int, seq bigint, version bigint, amount bigint, "
             "kafka_partition int, kafka_offset bigint)")
FROM = {"id": "key", "kafka_partition": "meta.partition", "kafka_offset": "meta.offset"}
COLUMNS = ", ".join(f"{name}: {FROM.get(name, 'value.' + name)}" for name in STATE.split(", "))
TARGETS = f"[true, {{table: state, mode: upsert, key: [id], columns: {{{COLUMNS}}}}}]"


class Progress(threading.Thread):
    """Samples how far a lane has come, and when. `connect` gives what looks, and does so again after each failure."""

    def __init__(self, connect):
        super().__init__(daemon=True)
        self.connect, self.ending = connect, threading.Event()
        self.now, self.at = 0, time.monotonic()

    def run(self):
        look = None
        while not self.ending.wait(0.1):
            try:
                look = look or self.connect()
                found = look()
            except Exception:  # noqa: BLE001: The server may be away: that is the point.
                look = None
                continue
            if found != self.now:
                self.now, self.at = found, time.monotonic()

    def end(self):
        self.ending.set()


class Run:
    def __init__(self, arena, row, fault, *, partitions=4, records=None, load=None, topic=None, dead_letters=None,
                 letter_topic=None, tables=None, settings=None):
        self.arena, self.row, self.name = arena, row, fault
        self.kafka, self.database, self.keyspace, self.sluice = arena.kafka, arena.database, arena.keyspace, arena.sluice
        self.topic = arena.make_topic(partitions, **(topic or {}))
        self.records = records or arena.records
        self.seed = arena.rng.randrange(1 << 32)
        self.load = Load(self.kafka, self.topic.name, seed=self.seed,
                         **{"partitions": partitions, "rate": arena.rate, **(load or {})})
        self.letter_topic = letter_topic
        self.dead_letters, self.settings, self.tables = dead_letters, dict(settings or {}), tables or {}
        self.watch = Watch(self.database, dead_letters)
        self.progress = {"postgres": Progress(self._look_at_postgres),
                         "cassandra": Progress(lambda: lambda: self.kafka.progress(self.groups()[1], self.topic.name))}
        self.processes, self.pages, self.files = [], {}, {}
        self.peaks, self.recoveries, self.counted, self.verdict = {}, [], [], Verdict()
        self.known, self.clocks_ahead, self.stopped_partitions = {}, (), ()
        self.disturbed = self.made_again = self.compacted = False
        self.gone, self.passed_over = set(), {}  # Offsets that the cleaner took; how many of those a lane did not read.
        self.checks = []  # More of them: check(verdict, truth).

    # Processes.

    def prepare(self):
        self.database.execute(self.tables.get("events", EVENTS), *STATE_AND_HISTORY)
        self.keyspace.create(*CASSANDRA)
        self.load.start()

    def set_postgres(self, **settings):
        self.settings.update(settings)

    def settings_of(self, lane):
        return self.settings.get(lane, TARGETS)

    def through_proxy(self, lane):
        """What processes that start from now on reach this database by."""
        addresses = self.arena.addresses
        proxy = self.arena.proxy(addresses.postgres if lane == "postgres" else addresses.cassandra)
        if lane == "postgres":
            self.settings["url"] = f"postgresql://sluice@{proxy.address}/{self.database.name}?sslmode=disable"  # The proxy looks for COMMIT.
        else:
            self.settings["hosts"] = proxy.address
        return proxy

    def start(self, count=1, **environment):
        """So many processes more, each under a name of its own; the last of them."""
        for _ in range(count):
            process = self.start_one(f"p{len(self.files)}", **environment)
        return process

    def start_one(self, instance, program=None, **environment):
        """A process under that name: again, where there was one. With SLUICE_FAILPOINT it is the program that knows those."""
        if instance not in self.files:
            address = free_address()
            self.files[instance] = (self.sluice.config(
                self.topic, f"    postgres: {self.settings_of('postgres')}\n"
                f"    cassandra: {self.settings_of('cassandra')}\n", self.database, self.keyspace,
                instance=instance, http=f"{{listen: '{address}'}}",
                **({"dead_letters": f"{{table: {self.dead_letters}}}"} if self.dead_letters else {}),
                **({"dead_letters": f"{{topic: {self.letter_topic}}}"} if self.letter_topic else {}),
                **{name: value for name, value in self.settings.items() if name not in LANES}), Pages(address))
        file, pages = self.files[instance]
        if "SLUICE_FAILPOINT" in environment:
            program = self.arena.failpoint_binary
        process = self.sluice.start("run", "-c", file, program=program, **environment)
        process.instance = instance
        self.pages[process.pid] = pages
        self.processes.append(process)
        threading.Thread(target=self._measure, args=(process,), daemon=True).start()
        return process

    def _measure(self, process):
        """VmHWM in MiB, until the process ends."""
        while process.running():
            with suppress(OSError, StopIteration):
                with open(f"/proc/{process.pid}/status") as status:
                    self.peaks[process.pid] = next(int(line.split()[1]) for line in status
                                                   if line.startswith("VmHWM:")) / 1024
            time.sleep(0.2)

    def living(self):
        return [process for process in self.processes if process.running()]

    def sample(self, name, *labels):
        """Of all living processes, and of those whose counts were kept."""
        with suppress(OSError):
            self.counted = [process for process in self.counted if process[0] not in {p.pid for p in self.living()}]
            self.counted += [(process.pid, self.pages[process.pid].samples()) for process in self.living()]
        return sum(value for _, found in self.counted for (metric, values), value in found.items()
                   if metric == name and values[:len(labels)] == labels)

    def _look_at_postgres(self):
        connection = self.database.connect()
        return lambda: connection.execute("SELECT coalesce(sum(next_offset), 0)::bigint FROM sluice.offsets").fetchone()[0]

    def groups(self):
        return [f"{self.topic.name}.{lane}" for lane in LANES]

    def newest_in_cassandra(self):
        """{partition: offset}"""
        return dict(sorted(self.keyspace.rows(
            "SELECT kafka_partition, max(kafka_offset) FROM {ks}.events WHERE kafka_topic = "
            f"'{self.topic.name}' GROUP BY kafka_topic, kafka_partition, bucket ALLOW FILTERING")))  # The largest comes last.

    # The fault.

    def wait_for_commits(self, timeout=60.0):
        """Both lanes move on from where they are now."""
        for lane, progress in self.progress.items():
            before = progress.now
            eventually(lambda p=progress, b=before: self.alive() and p.now > b, timeout, f"{lane} commits")

    def alive(self):
        assert self.load.problem is None, self.load.problem
        return True

    @contextmanager
    def locked(self, statement):
        with self.database.connect() as connection, connection.transaction():
            connection.execute(statement)
            yield

    def end_sessions(self, user="sluice"):
        """How many sessions of the lane in PostgreSQL there were."""
        with self.database.connect(user, user) as connection:
            return len(connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                                          f"'sluice:{self.topic.name}'").fetchall())

    @contextmanager
    def fault(self, lanes=LANES):
        """Begins after both lanes have committed; at its end it is healed, and both lanes must commit again."""
        self.wait_for_commits()
        yield
        self.healed(lanes)

    def healed(self, lanes=LANES):
        began = time.monotonic()
        before = {lane: self.progress[lane].now for lane in lanes}
        self.load.more(1)  # A broker that was away holds the producers up too.
        for lane in lanes:
            eventually(lambda at=lane: self.alive() and self.progress[at].now > before[at], 2 * RECOVERY_MAX_S,
                       f"{lane} commits after the fault")
        self.recoveries.append(max(0.0, max(self.progress[lane].at for lane in lanes) - began))
        return self.recoveries[-1]

    def expect_retries(self, lane, *classes):
        """The fault has happened: attempts of this class were made again."""
        def seen():
            self.sample("sluice_retries_total")
            return {values[0] for _, found in self.counted for (name, values), value in found.items()
                    if name == "sluice_retries_total" and values[1] == lane and value > 0}
        eventually(lambda: seen() & set(classes) or "" in classes and seen(), 30, f"retries of {lane} of {classes}")

    def lag(self, process, lane, *partition):
        """As the process tells it, of one partition or of all."""
        return sum(value for (name, labels), value in self.pages[process.pid].samples().items()
                   if name == "sluice_lag_records" and labels[0] == lane and labels[1] in map(str, partition or range(100)))

    def expect_lag(self, process, lane):
        """The lane is behind, and says so."""
        eventually(lambda: self.lag(process, lane) > self.load.rate, 30, f"{lane} tells its lag")

    def drop_rows(self, prefix):
        """Deletes what has such keys, and says how much that was: by `events` of both lanes."""
        found = self.database.rows(f"SELECT key FROM events WHERE key LIKE '{prefix}%'")
        self.database.execute(*(f"DELETE FROM {table} WHERE {key} LIKE '{prefix}%'" for table, key in (
            ("events", "key"), ("state", "id"), ("history", "id"))))
        keys = {"events": ("kafka_topic", "kafka_partition", "bucket", "kafka_offset"), "state": ("id",)}
        for table, names in keys.items():
            rows = [row[1:] for row in self.keyspace.rows(
                f"SELECT {'key' if table == 'events' else 'id'}, {', '.join(names)} FROM {{ks}}.{table}") if row[0].startswith(prefix)]
            found += rows if table == "events" else []
            for row in rows:
                where = " AND ".join(f"{name} = {value!r}" for name, value in zip(names, row))
                self.keyspace.execute(f"DELETE FROM {{ks}}.{table} WHERE {where}")
        return len(found)

    # The end.

    def remember_topic(self):
        """What is there now counts as the topic's, also when Kafka has it no more."""
        there = verify.read_topic(self.kafka.brokers, self.topic.name)
        self.known = {**there, **self.known}
        self.gone = self.known.keys() - there.keys() if self.compacted else set()

    def stored(self):
        """By lane: {partition: next offset}"""
        return {"postgres": dict(self.database.rows("SELECT partition, next_offset FROM sluice.offsets")),
                "cassandra": self.kafka.committed(f"{self.topic.name}.cassandra", self.topic.name)}

    def reach_the_end(self):
        """Of the topic as it is now, in both lanes."""
        self.remember_topic()
        ends = {partition: offset + 1 for partition, offset in sorted(self.known)
                if partition not in self.stopped_partitions}
        for lane in LANES:
            eventually(lambda at=lane: all(self.stored()[at].get(partition, 0) >= end for partition, end in ends.items()),
                       180, f"{lane} reaches the end")

    def finish(self):
        self.load.finish(self.records)
        if not self.made_again:
            self.reach_the_end()
        acked = {at for each in self.load.acked.values() for at in each}
        self.verdict.add("lost", "acknowledged, but not in the topic", acked - self.known.keys())
        # After a session that has ended, or while no broker tells of the topic, as where the machine stalls, some is
        # counted again.
        stalled = ("were lost to other members", "is read again from its progress")
        disturbed = self.disturbed or any(sign in each.text() for each in self.processes for sign in stalled)
        if len(self.processes) == 1 and not disturbed:
            for lane, truth in self.truths(self.known).items():
                self._check_counts(lane, len(truth))
        for process in self.living():
            process.stop().expect(0)
        self.watch.end()
        self.check(self.known)

    def truths(self, truth):
        """By lane, what of it should be there. Of a stopped partition: what the lane says to have done. What the cleaner has
        taken may be there or not."""
        stored = self.stored() if self.stopped_partitions else {}
        of = {lane: {at: record for at, record in truth.items()
                     if at[0] not in self.stopped_partitions or at[1] < stored[lane].get(at[0], 0)} for lane in LANES}
        if self.gone:
            rows = {"postgres": verify.postgres_events(self.database), "cassandra": verify.cassandra_events(self.keyspace, self.topic)}
            for lane in LANES:
                passed_over = self.gone - {tuple(row[:2]) for row in rows[lane]}
                self.passed_over[lane] = len(passed_over)
                of[lane] = {at: record for at, record in of[lane].items() if at not in passed_over}
        return of

    def check(self, truth):
        of = self.truths(truth)
        letters, in_tables = dict.fromkeys(LANES), of["postgres"]
        if self.letter_topic:
            found = verify.read_topic(self.kafka.brokers, self.letter_topic).values()
            letters = {lane: letters_of(lane, found) for lane in LANES}
            in_tables = {at: record for at, record in in_tables.items() if not is_bad(record)}
        self.watch.judge(self.verdict, in_tables)
        whole = not self.stopped_partitions  # Else a transfer may have one of its halves there.
        check_postgres(self.verdict, of["postgres"], self.database, self.dead_letters, letters["postgres"], whole)
        check_cassandra(self.verdict, of["cassandra"], self.keyspace, self.topic.name, self.dead_letters, letters["cassandra"],
                        whole, self.clocks_ahead)
        for check in self.checks:
            check(self.verdict, truth)

    def _check_counts(self, lane, read):
        """What was mapped was written, and once. Exact where one process has it all; else some is counted by two."""
        def counts():
            records, letters, mapped, rows, skipped = (self.sample(f"sluice_{name}_total", lane) for name in (
                "records", "dead_letters", "rows_mapped", "rows", "rows_skipped"))
            targets = 1 + self.settings_of(lane).count("table: ")
            return (records, mapped, rows + skipped), (read, targets * (read - letters), mapped)
        with suppress(AssertionError):  # The pages are renewed ten times a second.
            eventually(lambda: len(set(counts())) == 1, 5)
        found, wanted = counts()
        self.verdict.add("divergent", f"metrics of {lane}: (read, mapped, written) is {found}, not {wanted}",
                         [lane] if found != wanted else [])

    def start_failing(self, instance, place, action, nth):
        """A process that does this to itself when it comes to that place; waits until it has."""
        process = self.start_one(instance, SLUICE_FAILPOINT=f"{place}={action}@{nth}")
        if action == "abort":
            assert process.wait(60).code == -signal.SIGABRT, process.text()
        else:
            eventually(process.stands_still, 60, f"the process freezes at {place}")
        return process

    def end(self):
        self.load.end()
        self.watch.end()
        for progress in self.progress.values():
            progress.end()
        for process in self.processes:
            process.end()

    def save_logs(self, folder):
        """What the processes have said, where somebody can still look at it tomorrow."""
        for number, process in enumerate(self.processes):
            fault = re.sub(r"[^a-z0-9]+", "-", self.name.lower())
            (folder / f"row-{self.row}-{fault}-{number}-{process.instance}.log").write_text(process.text())

    def report(self, problem):
        """One line of the table."""
        recovery = max(self.recoveries, default=0.0)
        return {"row": self.row, "fault": self.name, "lost": self.verdict.lost, "doubled": self.verdict.doubled,
                "divergent": self.verdict.divergent, "recovery_s": round(recovery, 2),
                "peak_mib": round(max(self.peaks.values(), default=0)), "records": self.load.sent, "seed": self.seed,
                "verdict": "passed" if problem is None and self.verdict.clean else "failed"}


class Arena:
    """What the rows of one test run share: servers, options, and where verdicts go."""

    failpoint_binary = Path(os.environ["SLUICE_BINARY"]).absolute().parent / "tests/sluice_failpoints"

    def __init__(self, addresses, kafka, database, keyspace, sluice, make_topic, proxy, rng, records, rate, verdicts):
        self.addresses, self.proxy = addresses, proxy
        self.kafka, self.database, self.keyspace, self.sluice = kafka, database, keyspace, sluice
        self.make_topic, self.rng, self.records, self.rate, self.verdicts = make_topic, rng, records, rate, verdicts

    @contextmanager
    def run(self, row, fault, **options):
        run = Run(self, row, fault, **options)
        problem = None
        try:
            run.prepare()
            run.watch.start()
            for progress in run.progress.values():
                progress.start()
            yield run
            run.finish()
            assert run.verdict.clean, run.verdict
            assert max(run.recoveries, default=0.0) <= RECOVERY_MAX_S, run.recoveries
            assert max(run.peaks.values(), default=0) <= PEAK_MAX_MIB, run.peaks
        except BaseException as found:
            problem = found
            run.save_logs(self.verdicts.parent)
            raise
        finally:
            run.end()
            line = run.report(problem)
            print(json.dumps(line))
            with open(self.verdicts, "a") as out:
                out.write(json.dumps(line) + "\n")
