"""A row of the fault matrix: the load, processes of one pipeline, a fault and its end, and the verdict.

    with arena.run(19, "backends are terminated") as run:
        run.start()                   # one process; run.start(3) for three
        with run.fault():             # between the first commits and the last
            …
        run.expect_retries("postgres", "57")
    # Here the load ends, both lanes reach the topic's end, and the checker looks."""

import json
import threading
import time
from contextlib import contextmanager, suppress

import verify
from checker import STATE, Verdict, Watch, check_cassandra, check_postgres
from load import Load
from servers import eventually
from test_metrics import Pages, free_address

LANES = ("postgres", "cassandra")
RECOVERY_MAX_S = 60.0

POSTGRES = ("CREATE TABLE events (kafka_topic text, kafka_partition int, kafka_offset bigint, key text, data text)",
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
    """Samples how far a lane has come, and when."""

    def __init__(self, look):
        super().__init__(daemon=True)
        self.look, self.ending = look, threading.Event()
        self.now, self.at, self.first_after = 0, time.monotonic(), []

    def run(self):
        while not self.ending.wait(0.05):
            found = None
            with suppress(Exception):  # The server may be away: that is the point.
                found = self.look()
            if found is not None and found != self.now:
                self.now, self.at = found, time.monotonic()

    def end(self):
        self.ending.set()


class Run:
    def __init__(self, arena, row, fault, *, partitions=4, records=None, load=None, dead_letters=None, settings=None):
        self.arena, self.row, self.name = arena, row, fault
        self.kafka, self.database, self.keyspace, self.sluice = arena.kafka, arena.database, arena.keyspace, arena.sluice
        self.topic = arena.make_topic(partitions)
        self.records = records or arena.records
        self.seed = arena.rng.randrange(1 << 32)
        self.load = Load(self.kafka, self.topic.name, partitions, self.seed, **{"rate": arena.rate, **(load or {})})
        self.dead_letters, self.settings = dead_letters, settings or {}
        self.watch = Watch(self.database, dead_letters)
        self.progress = {"postgres": Progress(lambda: self.database.progress(self.topic)),
                         "cassandra": Progress(lambda: self.kafka.progress(f"{self.topic.name}.cassandra", self.topic.name))}
        self.processes, self.pages, self.files = [], {}, {}
        self.peaks, self.recoveries, self.counted, self.verdict = {}, [], [], Verdict()
        self.new_partitions, self.disturbed = (), False

    # Processes.

    def prepare(self):
        self.database.execute(*POSTGRES)
        self.keyspace.create(*CASSANDRA)
        self.load.start()

    def start(self, count=1, **environment):
        """So many processes more, each under a name of its own; the last of them."""
        for _ in range(count):
            process = self.start_one(f"p{len(self.files)}", **environment)
        return process

    def start_one(self, instance, binary=None, **environment):
        """A process under that name: again, where there was one."""
        if instance not in self.files:
            address = free_address()
            self.files[instance] = (self.sluice.config(
                self.topic, f"    postgres: {self.settings.get('postgres', TARGETS)}\n"
                f"    cassandra: {self.settings.get('cassandra', TARGETS)}\n", self.database, self.keyspace,
                instance=instance, http=f"{{listen: '{address}'}}",
                **({"dead_letters": f"{{table: {self.dead_letters}}}"} if self.dead_letters else {}),
                **{name: value for name, value in self.settings.items() if name not in LANES}), Pages(address))
        file, pages = self.files[instance]
        process = self.sluice.start("run", "-c", file, **environment)
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
    def fault(self, lanes=LANES):
        """Begins after both lanes have committed; at its end it is healed, and both lanes must commit again."""
        self.wait_for_commits()
        yield
        self.healed(lanes)

    def healed(self, lanes=LANES):
        began = time.monotonic()
        before = {lane: self.progress[lane].now for lane in lanes}
        for lane in lanes:
            eventually(lambda at=lane: self.alive() and self.progress[at].now > before[at], 2 * RECOVERY_MAX_S,
                       f"{lane} commits after the fault")
        self.recoveries.append(max(0.0, max(self.progress[lane].at for lane in lanes) - began))
        return self.recoveries[-1]

    def expect_retries(self, lane, *classes):
        """The fault has happened: attempts of this class were made again."""
        eventually(lambda: any(self.sample("sluice_retries_total", each, lane) > 0 for each in classes), 30,
                   f"retries of {lane} of class {classes}")

    # The end.

    def finish(self):
        self.load.finish(self.records)
        truth = verify.read_topic(self.kafka.brokers, self.topic.name)
        self.verdict.add("lost", "acknowledged, but not in the topic",
                         {at for acked in self.load.acked.values() for at in acked} - truth.keys())
        ends = {partition: offset + 1 for partition, offset in sorted(truth)}

        def at_end(found):
            return all(found.get(partition, 0) >= end for partition, end in ends.items())
        eventually(lambda: at_end(dict(self.database.rows("SELECT partition, next_offset FROM sluice.offsets"))), 180,
                   "postgres reaches the end")
        eventually(lambda: at_end(self.kafka.committed(f"{self.topic.name}.cassandra", self.topic.name)), 180,
                   "cassandra reaches the end")
        self._check_counts(truth)
        for process in self.living():
            process.stop().expect(0)
        self.watch.end()
        self.check(truth)

    def check(self, truth):
        letters = self._letters()
        self.watch.judge(self.verdict, truth)
        check_postgres(self.verdict, truth, self.database, letters["postgres"])
        check_cassandra(self.verdict, truth, self.keyspace, self.topic.name, letters["cassandra"], self.new_partitions)

    def _letters(self):
        if not self.dead_letters:
            return dict.fromkeys(LANES, ())
        query = f"SELECT kafka_partition, kafka_offset FROM {{}}{self.dead_letters}"
        return {"postgres": set(self.database.rows(query.format(""))),
                "cassandra": {tuple(row) for row in self.keyspace.rows(query.format("{ks}."))}}

    def _check_counts(self, truth):
        """What was mapped was written, and once. Exact where one process has it all; else some is counted by two."""
        if len(self.processes) > 1 or self.disturbed:
            return

        def counts(lane):
            records, letters, mapped, rows, skipped = (self.sample(f"sluice_{name}_total", lane) for name in (
                "records", "dead_letters", "rows_mapped", "rows", "rows_skipped"))
            return (records, mapped, rows + skipped), (len(truth), 2 * (len(truth) - letters), mapped)
        for lane in LANES:
            with suppress(AssertionError):  # The pages are renewed ten times a second.
                eventually(lambda at=lane: len(set(counts(at))) == 1, 5)
            found, wanted = counts(lane)
            self.verdict.add("divergent", f"metrics of {lane}: (read, mapped, written) is {found}, not {wanted}",
                             [lane] if found != wanted else [])

    def end(self):
        self.load.end()
        self.watch.end()
        for progress in self.progress.values():
            progress.end()

    def report(self, problem):
        """One line of the table."""
        recovery = max(self.recoveries, default=0.0)
        return {"row": self.row, "fault": self.name, "lost": self.verdict.lost, "doubled": self.verdict.doubled,
                "divergent": self.verdict.divergent, "recovery_s": round(recovery, 2),
                "peak_mib": round(max(self.peaks.values(), default=0)), "records": self.load.sent, "seed": self.seed,
                "verdict": "passed" if problem is None and self.verdict.clean else "failed"}


class Arena:
    """What the rows of one test run share: servers, options, and where verdicts go."""

    def __init__(self, kafka, database, keyspace, sluice, make_topic, rng, records, rate, verdicts):
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
        except BaseException as found:
            problem = found
            raise
        finally:
            run.end()
            line = run.report(problem)
            print(json.dumps(line))
            with open(self.verdicts, "a") as out:
                out.write(json.dumps(line) + "\n")
