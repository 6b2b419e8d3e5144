"""Everything together, for as long as asked: one or two faults at a time, of processes, servers and the network."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from servers import sandbox

SERVERS = ("postgres", "cassandra", "kafka")
CALM_S = 2.0
FREEZE_MAX_S = 12.0  # Longer than a session, 8 s.


class Chaos:
    """Each fault is a method; it ends what it has begun. `p0` is never killed: its memory tells whether it leaks."""

    def __init__(self, run):
        self.run = run
        self.busy = {name: threading.Lock() for name in ("process", *SERVERS)}  # One fault each at a time.
        self.proxies = [run.through_proxy(lane) for lane in ("postgres", "cassandra")]
        self.faults = [self.kill_process, self.stop_process, self.freeze_process, self.kill_server, self.freeze_server,
                       self.end_sessions, self.lose_commits, self.lock_table, self.bad_network, self.cut_network]

    def mortals(self):
        return [process for process in self.run.living() if process.instance != "p0"]

    def again(self, rng, end):
        with self.busy["process"]:
            process = rng.choice(self.mortals())
            end(process)
            self.run.start_one(process.instance)

    def kill_process(self, rng):
        self.again(rng, lambda process: process.kill())

    def stop_process(self, rng):
        self.again(rng, lambda process: process.stop(timeout=40))

    def freeze_process(self, rng):
        with self.busy["process"]:
            process = rng.choice(self.run.living())
            process.freeze()
            time.sleep(rng.uniform(1, FREEZE_MAX_S))
            process.thaw()

    def kill_server(self, rng):
        server = rng.choice(SERVERS)
        with self.busy[server]:
            sandbox("kill", server)
            time.sleep(rng.uniform(0, 5))
            sandbox("start", server)

    def freeze_server(self, rng):
        server = rng.choice(SERVERS)
        with self.busy[server]:
            sandbox("freeze", server)
            time.sleep(rng.uniform(1, FREEZE_MAX_S))
            sandbox("thaw", server)

    def end_sessions(self, rng):
        with suppress(Exception):  # PostgreSQL may be away by another fault.
            self.run.end_sessions()

    def lose_commits(self, rng):
        self.proxies[0].when(b"COMMIT", rng.choice(["drop_reply", "drop_request", "cut"]), nth=rng.randrange(1, 5),
                             times=rng.randrange(1, 4), seconds=5.0, hang_up=True)

    def lock_table(self, rng):
        with suppress(Exception), self.run.locked("LOCK TABLE events"):
            time.sleep(rng.uniform(1, 10))

    def bad_network(self, rng):
        proxy = rng.choice(self.proxies)
        proxy.set(latency_s=rng.uniform(0, 0.5), slice_bytes=rng.choice([0, 1000]))
        time.sleep(rng.uniform(1, 10))
        proxy.heal()

    def cut_network(self, rng):
        proxy = rng.choice(self.proxies)
        rng.choice([proxy.cut, proxy.reset])()


def resident_mib(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


@pytest.mark.combined
def test_46_everything_at_random(arena, request):
    minutes = request.config.getoption("--minutes")
    with arena.run(46, f"all at random, {minutes:g} minutes", load={"rate": min(arena.rate, 500)}) as run:
        chaos = Chaos(run)
        survivor = run.start()
        run.start(2)
        run.wait_for_commits()
        end, seen, resident = time.monotonic() + 60 * minutes, {}, []
        with ThreadPoolExecutor() as threads:
            while time.monotonic() < end:
                rngs = [random.Random(arena.rng.random()) for _ in range(1 if arena.rng.random() < 0.7 else 2)]
                faults = arena.rng.sample(chaos.faults, len(rngs))
                print(f"{time.strftime('%H:%M:%S')} {' and '.join(fault.__name__ for fault in faults)}", flush=True)
                list(threads.map(lambda fault, rng: fault(rng), faults, rngs))
                run.healed()
                for fault in faults:
                    seen[fault.__name__] = seen.get(fault.__name__, 0) + 1
                resident.append(resident_mib(survivor))
                time.sleep(arena.rng.uniform(0, CALM_S))
        half = len(resident) // 2
        early, late = max(resident[:half]), max(resident[half:])
        print(f"faults: {seen}; p0 had at most {early:.0f} MiB in the first half and {late:.0f} MiB in the second")
        assert late < 1.25 * early + 16, resident
