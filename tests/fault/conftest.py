"""Options of the fault suite, and its table at the end."""

import json
import random
import sys
from pathlib import Path

import pytest
from proxy import Proxy
from servers import ROOT

sys.path.insert(0, str(Path(__file__).parent))

from arena import Arena  # noqa: E402
from disk import Disk  # noqa: E402

COLUMNS = ("row", "fault", "verdict", "lost", "doubled", "divergent", "recovery_s", "peak_mib", "records")


def pytest_addoption(parser):
    group = parser.getgroup("faults")
    group.addoption("--records", type=int, default=100_000, help="at least so many a row (100000)")
    group.addoption("--rate", type=int, default=6000, help="records a second (6000)")
    group.addoption("--kills", type=int, default=20, help="of row 1 (20)")
    group.addoption("--minutes", type=float, default=3.0, help="of row 46 (3)")
    group.addoption("--verdicts", default="faults", help="folder of build/logs where they go (faults)")
    group.addoption("--seed", type=int, help="what the run before has printed")


def pytest_configure(config):
    if config.getoption("--seed") is None:
        config.option.seed = random.SystemRandom().randrange(1 << 32)
    folder = verdicts(config).parent
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("row-*.log"):
        old.unlink()
    verdicts(config).write_text("")


def verdicts(config):
    return ROOT / "build/logs" / config.getoption("--verdicts") / "verdicts.jsonl"


def pytest_report_header(config):
    return f"seed {config.getoption('--seed')}"


def pytest_terminal_summary(terminalreporter, config):
    lines = [json.loads(line) for line in verdicts(config).read_text().splitlines()]
    table = [COLUMNS] + [tuple(str(line[name]) for name in COLUMNS) for line in lines]
    widths = [max(map(len, column)) for column in zip(*table)]
    text = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table)
    verdicts(config).with_name("table.txt").write_text(f"seed {config.getoption('--seed')}\n{text}\n")
    terminalreporter.section("the matrix")
    terminalreporter.write_line(text)


@pytest.fixture
def rng(request):
    """Each test's own, so that one alone does what it does among all."""
    seed = request.config.getoption("--seed")
    print(f"seed {seed}")
    return random.Random(f"{seed} {request.node.name}")


@pytest.fixture
def proxy():
    """Makes proxies to a host:port."""
    made = []

    def make(target):
        made.append(Proxy(target))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def disk():
    """Mounts small disks: disk(server's pid, path, mib)."""
    made = []

    def make(*arguments):
        made.append(Disk(*arguments))
        return made[-1]

    yield make
    for each in made:
        each.remove()


@pytest.fixture
def arena(request, addresses, kafka, database, own_keyspace, sluice, make_topic, proxy, rng):
    option = request.config.getoption
    return Arena(addresses, kafka, database, own_keyspace, sluice, make_topic, proxy, rng, option("--records"),
                 option("--rate"), verdicts(request.config))
