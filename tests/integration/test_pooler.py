"""Behind PgBouncer in transaction mode, where each transaction may meet another backend."""

import json
import os
import shutil
import signal
import socket
import subprocess

import pytest
from servers import eventually

class Pooler:
    """PgBouncer before the sandbox's PostgreSQL, with two backends for everybody."""

    def __init__(self, addresses, folder):
        host, port = addresses.postgres.split(":")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder = folder
        (folder / "users").write_text('"sluice" "sluice"\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={host} port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\n"
            f"pool_mode = transaction\ndefault_pool_size = 2\nmin_pool_size = 2\nauth_type = scram-sha-256\n"
            f"auth_file = {folder}/users\nunix_socket_dir =\nlogfile = {folder}/log\n")
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres")
        self.process = None

    def start(self):
        self.process = subprocess.Popen(["pgbouncer", "-u", "postgres", self.folder / "pgbouncer.ini"] if os.geteuid() == 0
                                        else ["pgbouncer", self.folder / "pgbouncer.ini"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def answers():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        eventually(answers, what="PgBouncer listens")

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def url(self, database):
        return f"postgresql://sluice:sluice@127.0.0.1:{self.port}/{database.name}"


@pytest.fixture
def pooler(addresses, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pooler")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)
    found = Pooler(addresses, folder)
    found.start()
    yield found
    found.stop()


def test_appends_and_upserts_are_exact_behind_a_pooler(sluice, make_topic, kafka, database, pooler):
    """Two processes with three writers each take turns at two backends; one is killed, the pooler too."""
    topic = make_topic(4)
    database.execute("CREATE TABLE latest (id int PRIMARY KEY, n int)", "CREATE TABLE history (p int, o bigint)")

    def send(numbers):
        for partition in range(4):
            topic.send_records([(str(partition + 4 * (n % 500)), json.dumps({"n": n}) if n % 7 else None)
                                for n in numbers], partition=partition)
    send(range(10_000))
    route = ("    key: json\n    postgres:\n      - {table: latest, mode: upsert, key: [id], columns: {id: key, n: value.n}}\n"
             "      - {table: history, columns: {p: meta.partition, o: meta.offset}}")
    file = sluice.config(topic, route, database, url=pooler.url(database), pool=3)
    sluice.run("check", "-c", file).expect(0)
    processes = [sluice.start("run", "-c", file) for _ in range(2)]
    eventually(lambda: database.progress(topic) > 5_000, 60, "progress")
    processes[0].kill()
    send(range(10_000, 15_000))
    eventually(lambda: database.progress(topic) > 45_000, 60, "progress after the kill")
    pooler.stop()
    pooler.start()
    send(range(15_000, 18_000))
    eventually(lambda: database.progress(topic) > 62_000, 60, "progress after the pooler's restart")
    for begin in range(18_000, 20_000, 100):
        send(range(begin, begin + 100))
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice:%'")
    eventually(lambda: database.progress(topic) == 80_000, 90, "all of it")
    processes[1].stop().expect(0)
    expected = {}
    for partition in range(4):
        for n in range(20_000):
            expected[partition + 4 * (n % 500)] = n if n % 7 else None
    found = dict(database.rows("SELECT id, n FROM latest"))
    assert found == {key: n for key, n in expected.items() if n is not None}
    assert database.rows("SELECT count(*), count(DISTINCT (p, o)) FROM history") == [(80_000, 80_000)]
