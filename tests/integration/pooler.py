"""PgBouncer between the program and the sandbox's PostgreSQL: transaction mode, few server connections."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from servers import eventually

NOBODY = 65534  # It refuses to run as root.


class Pooler:
    def __init__(self, addresses, size):
        program = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
        assert program, "PgBouncer is missing: scripts/sandbox fetch installs it"
        # Not the test's own folder: others could not enter it.
        self.folder = Path(tempfile.mkdtemp(prefix="sluice-pooler-"))
        self.folder.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        host, port = addresses.postgres.split(":")
        (self.folder / "users").write_text('"sluice" "sluice"\n')
        self.ini = self.folder / "pgbouncer.ini"
        self.ini.write_text(
            f"[databases]\n* = host={host} port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\n"
            f"unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {self.folder}/users\nadmin_users = sluice\n"
            f"pool_mode = transaction\ndefault_pool_size = {size}\nserver_login_retry = 1\n")
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        self.command = ([program, str(self.ini)], user)
        self.process = None
        self.start()

    def url(self, database, options=""):
        return f"postgresql://sluice@{self.address}/{database.name}{options}"

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def start(self):
        command, user = self.command
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", **user)

        def answers():
            assert self.process.poll() is None, self.log()
            with socket.socket() as client:
                return client.connect_ex(("127.0.0.1", self.port)) == 0
        eventually(answers, 20, "PgBouncer listens")

    def end(self, how=signal.SIGTERM):
        """SIGTERM: at once, as its manual says; SIGINT: when the transactions under way have ended."""
        self.process.send_signal(how)
        self.process.wait(40)

    def close(self):
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        shutil.rmtree(self.folder)
