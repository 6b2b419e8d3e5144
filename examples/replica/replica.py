"""Makes a source and two empty copies in the sandbox, lets Debezium and Sluice keep the copies, changes the source for a
while, takes the lag, and compares. At half time a column is added. With --kills Sluice is killed so often meanwhile, and with
--outages each copy's database is stopped once."""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster
from confluent_kafka.admin import AdminClient
from lag import Lag

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SUPERUSER = "postgresql://postgres:postgres@"


def of(url, database):
    """The same server's `database`, as its superuser."""
    return SUPERUSER + url.split("@")[1].rsplit("/", 1)[0] + "/" + database


def connect(method, path, body=None):
    request = urllib.request.Request(os.environ["SLUICE_CONNECT"] + path, method=method, data=body and json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        raise SystemExit(f"replica: Kafka Connect refuses {path}: {error.read().decode()[:500]}") from error


def await_that(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"replica: {what}: not within {seconds} s; see scripts/sandbox status for the servers' logs")
        time.sleep(0.1)


def make_database(url, name):
    with psycopg.connect(of(url, "postgres"), autocommit=True) as server:
        for slot, in server.execute("SELECT slot_name FROM pg_replication_slots WHERE database = %s", [name]).fetchall():
            await_that(f"replication slot {slot} is free", lambda: not server.execute(
                "SELECT 1 FROM pg_replication_slots WHERE slot_name = %s AND active", [slot]).fetchall())
            server.execute("SELECT pg_drop_replication_slot(%s)", [slot])
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {name} OWNER sluice")
    with psycopg.connect(of(url, name).replace(SUPERUSER, "postgresql://sluice:sluice@"), autocommit=True) as database:
        database.execute((HERE / "tables.sql").read_text())


def make_keyspace():
    host, port = os.environ["SLUICE_CASSANDRA"].rsplit(":", 1)
    cluster = Cluster([host], port=int(port), auth_provider=PlainTextAuthProvider("cassandra", "cassandra"))
    session = cluster.connect()
    session.execute("DROP KEYSPACE IF EXISTS replica", timeout=60)
    for statement in (HERE / "cassandra.cql").read_text().split(";"):
        if statement.strip():
            session.execute(statement, timeout=60)
    cluster.shutdown()


def delete_connectors():
    for name in connect("GET", "/connectors"):
        if name.startswith("replica"):
            connect("DELETE", f"/connectors/{name}")


def delete_topics():
    admin = AdminClient({"bootstrap.servers": os.environ["SLUICE_KAFKA"]})

    def ours():
        return [name for name in admin.list_topics(timeout=10).topics if name.startswith("shop.")]
    if ours():
        for future in admin.delete_topics(ours()).values():
            future.result()
    await_that("the topics of an earlier run are gone", lambda: not ours())


def topics_are_there():
    topics = AdminClient({"bootstrap.servers": os.environ["SLUICE_KAFKA"]}).list_topics(timeout=10).topics
    return sum(name.startswith("shop.public.") for name in topics) == 6


def start_sluice(log):
    copy = os.environ["SLUICE_POSTGRES"].rsplit("/", 1)[0] + "/replica"
    environment = {**os.environ, "REPLICA_KAFKA": os.environ["SLUICE_KAFKA"], "REPLICA_POSTGRES": copy,
                   "REPLICA_CASSANDRA": os.environ["SLUICE_CASSANDRA"]}
    binary = os.environ.get("SLUICE_BINARY") or ROOT / "build/release/sluice"
    return subprocess.Popen([binary, "run", "-c", HERE / "sluice.yaml"], env=environment, stdout=log, stderr=log)


def stop_databases(seconds):
    """Each copy's database once, for some seconds: one in the second quarter of the time, the other in the last."""
    for server in ("postgres", "cassandra"):
        time.sleep(seconds * 0.3)
        for command in ("stop", "start"):
            subprocess.run([ROOT / "scripts/sandbox", command, server], check=True)
            time.sleep(seconds * 0.02)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=500, help="changes per second")
    parser.add_argument("--kills", type=int, default=0, help="how often Sluice is killed meanwhile")
    parser.add_argument("--outages", action="store_true", help="each copy's database is stopped once meanwhile")
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    source_url, copy_url = os.environ["SLUICE_SOURCE"], os.environ["SLUICE_POSTGRES"]
    delete_connectors()
    delete_topics()
    make_database(source_url, "shop")
    make_database(copy_url, "replica")
    make_keyspace()
    # Its copy in Cassandra has a key of its own, city and id: only so `before` tells the former one.
    with psycopg.connect(of(source_url, "shop"), autocommit=True) as source:
        source.execute("ALTER TABLE places REPLICA IDENTITY FULL")
    settings = json.loads((HERE / "debezium.json").read_text())
    # Under a name of its own: Connect remembers how far a connector has come by its name.
    connect("PUT", f"/connectors/replica-{time.time_ns()}/config", settings)
    folder = ROOT / "build/logs"
    folder.mkdir(parents=True, exist_ok=True)
    change = [sys.executable, HERE / "change.py", "--source", of(source_url, "shop"), "--rate", str(options.rate)]
    seed = ["--seed", str(options.seed)] if options.seed is not None else []
    # A topic is made with its table's first change.
    subprocess.run([*change, "--seconds", "1", "--seed", "1"], check=True, stdout=subprocess.DEVNULL)
    await_that("Debezium has made the topics", topics_are_there, 90)
    with open(folder / "replica.log", "wb") as log:
        sluice = start_sluice(log)
        lag = Lag(of(source_url, "shop"), of(copy_url, "replica"), os.environ["SLUICE_CASSANDRA"])
        changing = subprocess.Popen([*change, "--seconds", str(options.seconds), "--column-at", str(options.seconds / 2), *seed])
        outages = threading.Thread(target=stop_databases, args=[options.seconds])
        if options.outages:
            outages.start()
        for _ in range(options.kills):
            time.sleep(options.seconds / (options.kills + 1))
            sluice.kill()
            sluice.wait()
            sluice = start_sluice(log)
        changed = changing.wait()
        if options.outages:
            outages.join()
        lag.end()
        if changed != 0:
            raise SystemExit("replica: the changes ended with an error")
        print(*lag.lines(), sep="\n", flush=True)
        compared = subprocess.run([sys.executable, HERE / "compare.py", "--source", of(source_url, "shop"), "--copy", of(copy_url, "replica"),
                                   "--cassandra", os.environ["SLUICE_CASSANDRA"]], check=False)
        sluice.terminate()
        sluice.wait(30)
    delete_connectors()
    sys.exit(compared.returncode)


if __name__ == "__main__":
    main()
