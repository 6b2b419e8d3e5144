"""What must hold between the topic, read again, and both databases. Shares nothing with the product.

The tables: `events` of each database, one row a record, and `state`, one row a key. In PostgreSQL triggers keep every
version that `state` has had in `history`."""

import json
import threading
from bisect import bisect_left
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg
import verify

COLUMNS = ("uuid", "producer", "seq", "version", "amount")
LETTERS = "SELECT kafka_partition, kafka_offset, key, value FROM "
STATE = "id, uuid, producer, seq, version, amount, kafka_partition, kafka_offset"
LAST_YEAR_US = 7_258_118_400_000_000  # 2200-01-01: later times count as absent.


@dataclass
class Verdict:
    """Numbers, and for people where each first is."""
    lost: int = 0
    doubled: int = 0
    divergent: int = 0
    found: list = field(default_factory=list)

    def add(self, kind, where, what):
        what = list(what)
        if what:
            setattr(self, kind, getattr(self, kind) + len(what))
            self.found.append(f"{where}: {len(what)} {kind}: {what[:5]}")

    @property
    def clean(self):
        return not self.found


def fold(truth):
    """{key: the row of `state`} after one pass in order. A key stands in one partition."""
    state = {}
    for (partition, offset), record in sorted(truth.items()):
        key = record.key.decode()
        if record.value is None:
            state.pop(key, None)
        else:
            value = json.loads(record.value)
            state[key] = (*(value[name] for name in COLUMNS), partition, offset)
    return state


def clocks(truth):
    """{(partition, offset): write time in µs}, of partitions that were there from the start."""
    last, out = defaultdict(int), {}
    for at, record in sorted(truth.items()):
        time = record.timestamp * 1000
        last[at[0]] = max(time if 0 <= time < LAST_YEAR_US else 0, last[at[0]] + 1)
        out[at] = last[at[0]]
    return out


def check_events(verdict, where, truth, rows):
    """Each of these records is a row, once, and there is no other."""
    found = verify.compare(truth, rows, meaning=False)
    verdict.add("lost", where, found.missing)
    verdict.add("doubled", where, found.doubled)
    verdict.add("divergent", where + ", not to be there", found.foreign)
    verdict.add("divergent", where + ", changed", found.changed)


def check_state(verdict, where, expected, rows):
    found = {row[0]: tuple(row[1:]) for row in rows}
    verdict.add("divergent", where, (key for key in expected.keys() | found.keys()
                                     if expected.get(key) != found.get(key)))


def check_write_times(verdict, truth, events, state, clocks_ahead):
    """`events` are (partition, offset, of timestamp, of data or None), `state` (partition, offset, write times…). The clocks
    of some partitions may be ahead of their records: of new ones, and of a compacted topic."""
    expected, before = clocks(truth), {}
    found = {}
    for partition, offset, *times in sorted(events, key=lambda row: row[:2]):
        at = (partition, offset)
        found[at] = times[0]
        # None is the time of a null.
        wrong = any(time not in (None, times[0]) for time in times) or times[0] <= before.get(partition, -1)
        before[partition] = times[0]
        due = expected.get(at, 0)
        if wrong or times[0] < due or partition not in clocks_ahead and times[0] != due:
            verdict.add("divergent", "cassandra write times of events", [(at, times, expected.get(at))])
    verdict.add("divergent", "cassandra write times of state",
                ((row, found.get(tuple(row[:2]))) for row in state
                 if set(row[2:]) != {found.get(tuple(row[:2]))}))


def is_bad(record):
    """What the load sends for the dead letters is no JSON."""
    return record.value == b"bad"


def letters_of(lane, messages):
    """Those of its letters that stand in a topic, as rows. One that stands there twice counts once."""
    found = {}
    for message in messages:
        headers = {name.removeprefix("__connect.errors."): value.decode() for name, value in message.headers
                   if name.startswith("__connect.errors.")}
        if headers["connector.name"].endswith("." + lane):
            at = int(headers["partition"]), int(headers["offset"])
            found[at] = (*at, message.key, message.value)
    return list(found.values())


def check_postgres(verdict, truth, database, dead_letters=None, letters=None, whole=True):
    good = {at: record for at, record in truth.items() if not is_bad(record)}
    check_events(verdict, "postgres events", good, verify.postgres_events(database, "data"))
    check_events(verdict, "postgres dead letters", {at: truth[at] for at in truth.keys() - good.keys()}, letters if letters is not None
                 else database.rows(LETTERS + dead_letters) if dead_letters else [])
    check_state(verdict, "postgres state", fold(good), database.rows(f"SELECT {STATE} FROM state"))
    verdict.add("divergent", "postgres versions that went back", database.rows(
        "SELECT id, version, before FROM (SELECT id, version, lag(version) OVER (PARTITION BY id ORDER BY at) AS before "
        "FROM history) AS h WHERE version <= before"))
    bank = database.value("SELECT coalesce(sum(amount), 0)::bigint FROM state WHERE id LIKE 'a%'")
    verdict.add("divergent", "postgres bank", [bank] if bank and whole else [])


def check_cassandra(verdict, truth, keyspace, topic, dead_letters=None, letters=None, whole=True, clocks_ahead=()):
    good = {at: record for at, record in truth.items() if not is_bad(record)}
    rows = keyspace.rows("SELECT kafka_partition, kafka_offset, key, data, WRITETIME(timestamp), WRITETIME(key), "
                         f"WRITETIME(data) FROM {{ks}}.events WHERE kafka_topic = '{topic}' ALLOW FILTERING")
    check_events(verdict, "cassandra events", good, [tuple(row[:4]) for row in rows])
    check_events(verdict, "cassandra dead letters", {at: truth[at] for at in truth.keys() - good.keys()}, letters if letters is not None
                 else keyspace.rows(LETTERS + "{ks}." + dead_letters) if dead_letters else [])
    names = [name.strip() for name in STATE.split(",")]
    times = ", ".join(f"WRITETIME({name})" for name in names[1:])
    state = keyspace.rows(f"SELECT {STATE}, {times} FROM {{ks}}.state")
    check_state(verdict, "cassandra state", fold(good), [row[:len(names)] for row in state])
    check_write_times(verdict, truth, [(*row[:2], *row[4:]) for row in rows],
                      [tuple(row[len(names) - 2:]) for row in state], clocks_ahead)
    bank = sum(row[names.index("amount")] for row in state if row[0].startswith("a"))
    verdict.add("divergent", "cassandra bank", [bank] if bank and whole else [])


class Watch(threading.Thread):
    """Once a second each partition's stored offset and the rows that are there, by one statement and so in one snapshot.
    Judged at the end, when the topic is read. A database that is away is not looked at."""

    def __init__(self, database, dead_letters=None, every_s=1.0):
        super().__init__(daemon=True, name="watch")
        self.database, self.every_s = database, every_s
        rows = "SELECT kafka_partition, kafka_offset FROM events"
        if dead_letters:
            rows += f" UNION ALL SELECT kafka_partition, kafka_offset FROM {dead_letters}"
        self.query = ("SELECT partition, next_offset, count(kafka_offset), max(kafka_offset) FROM sluice.offsets LEFT JOIN "
                      f"({rows}) AS r ON kafka_partition = partition GROUP BY 1, 2")
        self.samples, self.ending = [], threading.Event()

    def run(self):
        while not self.ending.wait(self.every_s):
            with suppress(psycopg.Error), self.database.connect() as connection:
                while not self.ending.wait(self.every_s):
                    self.samples.append(connection.execute(self.query).fetchall())

    def end(self):
        self.ending.set()
        self.join(60)

    def judge(self, verdict, truth):
        offsets = defaultdict(list)
        for partition, offset in sorted(truth):
            offsets[partition].append(offset)
        for number, sample in enumerate(self.samples):
            for partition, next_offset, count, newest in sample:
                due = bisect_left(offsets[partition], next_offset)
                if (count, newest) != (due, offsets[partition][due - 1] if due else None):
                    verdict.add("divergent", f"snapshot {number}", [
                        f"partition {partition}: {count} rows up to {newest}, {due} records before {next_offset}"])
