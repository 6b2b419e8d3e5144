"""Fixtures: names and places of each test's own, on the sandbox's real servers.

`scripts/sandbox up` starts the servers; `SLUICE_BINARY` names the program (default build/release/sluice)."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent / "integration"))

from program import Sluice, binary  # noqa: E402
from servers import (Addresses, Database, Kafka, Keyspace, NameSource, Topic,  # noqa: E402
                     cassandra_session)


def pytest_report_header():
    return f"program under test: {binary()}"


@pytest.fixture(scope="session")
def addresses():
    assert binary().exists(), f"there is no {binary()}: build it, or set SLUICE_BINARY"
    return Addresses.find()


@pytest.fixture(scope="session")
def names():
    return NameSource()


@pytest.fixture(scope="session")
def kafka(addresses):
    return Kafka(addresses)


@pytest.fixture(scope="session")
def postgres(addresses):
    """For what is done outside of a test's own database."""
    with psycopg.connect(addresses.postgres_url("sluice", password="sluice"), autocommit=True,
                         application_name="tests") as connection:
        yield connection


@pytest.fixture(scope="session")
def cassandra(addresses):
    session = cassandra_session(addresses)
    yield session
    session.cluster.shutdown()


class Cleaner:
    """Dropping takes up to a second; nobody needs to wait for it. What fails is told at the end."""

    def __init__(self, pool):
        self.pool, self.under_way = pool, []

    def submit(self, what, *arguments, **options):
        self.under_way.append(self.pool.submit(what, *arguments, **options))

    def finish(self):
        found = [str(problem) for each in self.under_way if (problem := each.exception())]
        assert not found, f"{len(found)} things were not cleaned up: {found[:5]}"


@pytest.fixture(scope="session")
def cleaner():
    with ThreadPoolExecutor(1) as pool:
        found = Cleaner(pool)
        yield found
        found.finish()


@pytest.fixture
def database(addresses, names, cleaner):
    found = Database(addresses, names.new())

    def maintain(*statements, user="sluice"):
        with psycopg.connect(addresses.postgres_url("sluice", user, password=user), autocommit=True,
                             application_name="tests") as connection:
            for statement in statements:
                connection.execute(statement)

    maintain(f"CREATE DATABASE {found.name}")
    yield found
    # As the superuser: sessions of other roles may be on their way out.
    cleaner.submit(maintain, f"DROP DATABASE {found.name} WITH (FORCE)",
                   *(f"DROP ROLE {role}" for role in found.roles), user="postgres")


@pytest.fixture(scope="session")
def keyspace(addresses, cassandra, names):
    """Shared: a change of schema takes Cassandra up to a second. Topics tell the rows of `events` apart."""
    found = Keyspace(addresses, cassandra, names.new())
    found.create()
    yield found
    cassandra.execute(f"DROP KEYSPACE {found.name}", timeout=120)


@pytest.fixture
def own_keyspace(addresses, cassandra, names):
    found = Keyspace(addresses, cassandra, names.new())
    yield found
    cassandra.execute(f"DROP KEYSPACE IF EXISTS {found.name}", timeout=120)


@pytest.fixture
def table(names):
    """A name for a table in the shared keyspace, or in the test's own database."""
    return names.new()


@pytest.fixture
def make_topic(kafka, names, cleaner):
    made = []

    def make(partitions=3, **config):
        topic = Topic(kafka, names.new())
        kafka.create(topic.name, partitions, **config)
        made.append(topic.name)
        return topic

    yield make
    for name in made:
        cleaner.submit(kafka.drop, name)


@pytest.fixture
def topic(make_topic):
    return make_topic()


@pytest.fixture
def sluice(addresses, tmp_path):
    found = Sluice(addresses, tmp_path)
    yield found
    found.end()


@pytest.fixture
def rng(request):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)
