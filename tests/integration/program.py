"""Runs the program under test."""

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers import ROOT, eventually


def binary():
    found = os.environ.get("SLUICE_BINARY")
    return Path(found) if found else ROOT / "build/release/sluice"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    def expect(self, code):
        assert self.code == code, f"exit code {self.code}, not {code}\n{self.out}{self.err}"
        return self

    def lines(self, *words):
        """The lines of stdout and stderr that hold all of the words."""
        return [line for line in (self.out + self.err).splitlines()
                if all(word in line for word in words)]

    def line(self, *words):
        found = self.lines(*words)
        assert len(found) == 1, f"{len(found)} lines with {words} in:\n{self.out}{self.err}"
        return found[0]

    def has(self, *words):
        assert self.lines(*words), f"no line with {words} in:\n{self.out}{self.err}"
        return self

    def lacks(self, text):
        assert text not in self.out + self.err, f"{text!r} in:\n{self.out}{self.err}"
        return self


class Process:
    """`sluice` in the background."""

    def __init__(self, command, environment, folder, number):
        self.out = folder / f"{number}.out"
        self.err = folder / f"{number}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=err)
        self.pid = self.process.pid

    def text(self):
        return self.err.read_text(errors="replace")

    def count(self, pattern):
        return len(re.findall(pattern, self.text()))

    def wait_for(self, pattern, timeout=30.0, times=1):
        """Until stderr matches so many times."""
        def look():
            found = self.count(pattern) >= times
            assert found or self.process.poll() is None, \
                f"ended with {self.process.returncode} before {pattern!r}:\n{self.text()}"
            return found
        try:
            eventually(look, timeout, f"stderr has {pattern!r}")
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.text()}") from None
        return self

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=60.0):
        code = self.process.wait(timeout)
        return Result(code, self.out.read_text(errors="replace"), self.text())

    def stop(self, timeout=40.0):
        """SIGTERM, and what it ended with."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def stands_still(self):
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def end(self):
        if self.running():
            self.thaw()
            self.kill()


class Sluice:
    """Starts the program with the sandbox's addresses and passwords, and leaves none behind."""

    def __init__(self, addresses, folder):
        self.addresses = addresses
        self.folder = folder
        self.processes = []
        self.files = 0
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(folder),
                            "PGPASSWORD": "sluice", "CASSANDRA_PASSWORD": "cassandra"}

    def command(self, arguments, program=None):
        return [str(program or binary()), *map(str, arguments)]

    def run(self, *arguments, stdin=None, timeout=60, **environment):
        done = subprocess.run(self.command(arguments), env={**self.environment, **environment},
                              input=stdin if stdin is not None else b"", capture_output=True,
                              timeout=timeout)
        return Result(done.returncode, done.stdout.decode(errors="replace"),
                      done.stderr.decode(errors="replace"))

    def start(self, *arguments, program=None, **environment):
        process = Process(self.command(arguments, program), {**self.environment, **environment},
                          self.folder, len(self.processes))
        self.processes.append(process)
        return process

    def end(self):
        for process in self.processes:
            process.end()

    def flags(self, topic, database=None, keyspace=None):
        """One topic into `events` of one or both databases."""
        flags = ["--brokers", self.addresses.kafka, "--topic", topic.name, "--group", topic.name]
        if database:
            flags += ["--postgres", database.url]
        if keyspace:
            flags += ["--cassandra", "cassandra@" + keyspace.address]
        return flags

    def drain(self, topic, database=None, keyspace=None, *more, timeout=60):
        """Runs until the topic's end."""
        return self.run("run", "--until-end", *self.flags(topic, database, keyspace), *more,
                        timeout=timeout)

    def write_file(self, text, name=None):
        self.files += 1
        path = self.folder / (name or f"{self.files}.yaml")
        path.write_text(text)
        return path

    def config(self, topic, routes, database=None, keyspace=None, **settings):
        """A configuration file; `routes` is the YAML below `- topic:`, indented as it is. `reads` stands in that line's place."""
        head = [f"pipeline: {settings.get('pipeline', topic.name)}"]
        head += [f"{name}: {settings[name]}" for name in ("instance", "start_timeout", "drain_timeout", "dead_letters", "http",
                                                          "memory")
                 if name in settings]
        head += ["kafka:", f"  brokers: [{self.addresses.kafka}]"]
        head += [f"  {name}: {settings[name]}" for name in ("start", "properties") if name in settings]
        if database:
            head += ["postgres:", f"  url: {settings.get('url', database.url)}",
                     f"  pool: {settings.get('pool', 1)}"]
            head += [f"  password: {settings['password']}"] if "password" in settings else []
            head += [f"  rows_per_s_max: {settings['postgres_rate']}"] if "postgres_rate" in settings else []
        if keyspace:
            head += ["cassandra:", f"  hosts: [{settings.get('hosts', self.addresses.cassandra)}]",
                     f"  keyspace: {keyspace.name}",
                     f"  username: {settings.get('username', 'cassandra')}"]
            head += [f"  rows_per_s_max: {settings['cassandra_rate']}"] if "cassandra_rate" in settings else []
        head += ["routes:", settings.get("reads", f"  - topic: {topic.name}")]
        return self.write_file("\n".join(head) + "\n" + routes.strip("\n") + "\n")

    def drain_file(self, file, timeout=60):
        return self.run("run", "--until-end", "-c", file, timeout=timeout)
