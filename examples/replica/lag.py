"""Writes a row into the source now and then, and takes the time until it is to be seen in each copy."""

import threading
import time

import psycopg
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster

FIRST = 1_000_000  # Beyond the keys of change.py.
GRAIN = 0.002  # Seconds between two looks, by which a time can be too long.


def postgres_look(url):
    """A function that tells whether a key's row is there; it connects again by itself."""
    state = {}

    def look(key):
        try:
            connection = state.get("connection") or psycopg.connect(url, autocommit=True, connect_timeout=2)
            state["connection"] = connection
            return connection.execute("SELECT 1 FROM readings WHERE id = %s", [key]).fetchone() is not None
        except psycopg.OperationalError:
            state.clear()
            return False
    return look


def cassandra_look(session):
    statement = session.prepare("SELECT id FROM replica.readings WHERE id = ?")

    def look(key):
        try:
            return session.execute(statement, [key], timeout=2).one() is not None
        except Exception:  # pylint: disable=broad-exception-caught  # The driver has a class for each way to be down.
            time.sleep(0.1)
            return False
    return look


class Lag:
    """Probes at a fixed rate, whatever the copies do: a copy that stands still makes all probes late that wait for it."""

    def __init__(self, source, copy, cassandra, rate=5):
        host, port = cassandra.rsplit(":", 1)
        self.cluster = Cluster([host], port=int(port), auth_provider=PlainTextAuthProvider("cassandra", "cassandra"))
        looks = {"PostgreSQL": postgres_look(copy), "Cassandra": cassandra_look(self.cluster.connect())}
        self.source, self.rate, self.written, self.ended = source, rate, [], threading.Event()
        self.times = {name: [] for name in looks}
        self.threads = [threading.Thread(target=self.write)]
        self.threads += [threading.Thread(target=self.watch, args=each) for each in looks.items()]
        for thread in self.threads:
            thread.start()

    def write(self):
        with psycopg.connect(self.source) as connection:
            began = time.monotonic()
            while not self.ended.wait(max(0.0, began + len(self.written) / self.rate - time.monotonic())):
                connection.execute("INSERT INTO readings (id) VALUES (%s)", [FIRST + len(self.written)])
                now = time.monotonic()
                connection.commit()
                self.written.append(now)

    def watch(self, name, look):
        times = self.times[name]
        while not self.ended.is_set():
            if len(times) < len(self.written) and look(FIRST + len(times)):
                times.append(time.monotonic() - self.written[len(times)])
            else:
                time.sleep(GRAIN)

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        self.cluster.shutdown()

    def lines(self):
        for name, times in self.times.items():
            ordered = sorted(times)
            if ordered:
                yield f"from commit to visible in {name}: p50 {ordered[len(ordered) // 2] * 1000:.0f} ms, " \
                      f"p99 {ordered[len(ordered) * 99 // 100] * 1000:.0f} ms, most {ordered[-1] * 1000:.0f} ms, of {len(ordered)} rows"
