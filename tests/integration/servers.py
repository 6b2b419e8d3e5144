"""The sandbox's three servers, or its cluster, as the tests use them: by clients that are not Sluice's own."""

import itertools
import os
import shlex
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psycopg
from cassandra import ConsistencyLevel, OperationTimedOut, ReadTimeout
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import ConstantReconnectionPolicy, WhiteListRoundRobinPolicy
from cassandra.query import tuple_factory
from confluent_kafka import (Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicCollection,
                             TopicPartition)
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic,
                                    OffsetSpec)

ROOT = Path(__file__).resolve().parents[2]


def eventually(condition, timeout=30.0, what="the condition holds"):
    """Polls until `condition()` is true, and returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.02)


def sandbox(*arguments):
    """Runs scripts/sandbox, which starts, stops, freezes and kills servers."""
    subprocess.run([ROOT / "scripts/sandbox", *arguments], check=True, capture_output=True,
                   timeout=120)


def sandbox_environment():
    """What `scripts/sandbox env` says now: addresses, passwords, pids, log files."""
    lines = subprocess.run([ROOT / "scripts/sandbox", "env"], check=True, text=True, capture_output=True, timeout=60).stdout.splitlines()
    return dict(shlex.split(line)[1].split("=", 1) for line in lines)


@dataclass(frozen=True)
class Addresses:
    kafka: str  # Each host:port; in a cluster several, by commas.
    postgres: str
    cassandra: str
    postgres_log: Path

    @staticmethod
    def find():
        values = dict(os.environ)
        if "SLUICE_LOG_POSTGRES" not in values:
            values.update(sandbox_environment())
        return Addresses(kafka=values["SLUICE_KAFKA"],
                         postgres=values["SLUICE_POSTGRES"].split("@")[1].split("/")[0],
                         cassandra=values["SLUICE_CASSANDRA"],
                         postgres_log=Path(values["SLUICE_LOG_POSTGRES"]))

    def postgres_url(self, database, user="sluice", password=None):
        """Of several hosts the primary."""
        secret = "" if password is None else f":{password}"
        which = "?target_session_attrs=read-write" if "," in self.postgres else ""
        return f"postgresql://{user}{secret}@{self.postgres}/{database}{which}"


class Database:
    """A PostgreSQL database of one test's own."""

    def __init__(self, addresses, name):
        self.addresses = addresses
        self.name = name
        self.url = addresses.postgres_url(name)
        self.roles = []

    def connect(self, user="sluice", password="sluice"):
        return psycopg.connect(self.addresses.postgres_url(self.name, user, password),
                               autocommit=True, application_name="tests")

    def execute(self, *statements):
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, query):
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def value(self, query):
        return self.rows(query)[0][0]

    def has(self, table):
        return self.value(f"SELECT to_regclass('{table}') IS NOT NULL")

    def progress(self, topic):
        """How many records of the topic, from its beginning on, stand in the database. Exact: it moves with the rows."""
        if not self.has("sluice.offsets"):
            return 0
        return self.value(f"SELECT coalesce(sum(next_offset), 0)::bigint FROM sluice.offsets WHERE topic = '{topic.name}'")

    def create_role(self, name, *grants):
        """A role with the password `secret`, which lacks what is not granted."""
        self.roles.append(name)
        self.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'",
                     *(grant.format(role=name) for grant in grants))
        return self.addresses.postgres_url(self.name, name)


class Keyspace:
    """A keyspace of one test's own, or shared by tests. Sluice makes it where the test does not."""

    def __init__(self, addresses, session, name):
        self.session = session
        self.name = name
        self.address = f"{addresses.cassandra}/{name}"
        self.replicas = len(addresses.cassandra.split(","))

    def create(self, *tables):
        """Tables as 'CREATE TABLE {ks}.t (…)'."""
        self.session.execute(f"CREATE KEYSPACE IF NOT EXISTS {self.name} WITH replication = "
                             f"{{'class': 'NetworkTopologyStrategy', 'datacenter1': {self.replicas}}}")
        self.execute(*tables)

    def execute(self, *statements):
        for statement in statements:
            self.session.execute(statement.replace("{ks}", self.name), timeout=30)

    def rows(self, query):
        """Waits for a server that was just started or thawed."""
        def ask():
            try:
                return [list(self.session.execute(query.replace("{ks}", self.name), timeout=60))]
            except (NoHostAvailable, OperationTimedOut, ReadTimeout):
                return None
        return eventually(ask, 30, "Cassandra answers")[0]

    def value(self, query):
        return self.rows(query)[0][0]

    def has(self, table):
        found = self.session.execute("SELECT table_name FROM system_schema.tables WHERE "
                                     "keyspace_name = %s AND table_name = %s", (self.name, table))
        return bool(list(found))


def cassandra_session(addresses, user="cassandra", password="cassandra", consistency=ConsistencyLevel.ALL):
    """Asks all replicas: what one of them lacks is not overlooked."""
    hosts, ports = zip(*(address.split(":") for address in addresses.cassandra.split(",")))
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy(hosts), request_timeout=30,
                               row_factory=tuple_factory, consistency_level=consistency)
    cluster = Cluster(hosts, port=int(ports[0]), protocol_version=5,
                      auth_provider=PlainTextAuthProvider(user, password),
                      reconnection_policy=ConstantReconnectionPolicy(0.5, None),
                      execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                      connect_timeout=15, control_connection_timeout=15)
    return cluster.connect()


class Topic:
    """A topic that a test fills. Partitions are chosen by the test, or by the key as Java does."""

    def __init__(self, kafka, name):
        self.kafka = kafka
        self.name = name

    def send(self, *values, partition=None, key=None, timestamp=None, headers=None):
        """Texts, bytes or None, all alike but for the value."""
        self.send_records([(key, value) for value in values], partition=partition,
                          timestamp=timestamp, headers=headers)

    def send_records(self, pairs, partition=None, timestamp=None, headers=None):
        options = {name: value for name, value in
                   (("partition", partition), ("timestamp", timestamp), ("headers", headers))
                   if value is not None}
        self.kafka.send(self.name, ((key, value, options) for key, value in pairs))


class Kafka:
    def __init__(self, addresses):
        self.brokers = addresses.kafka
        self.admin = AdminClient({"bootstrap.servers": self.brokers})
        self.producer = self.new_producer()
        self.askers = {}  # By group.

    def new_producer(self, **settings):
        return Producer({"bootstrap.servers": self.brokers, "partitioner": "murmur2_random",
                         "linger.ms": 5, "acks": "all", "queue.buffering.max.messages": 500_000,
                         **{name.replace("_", "."): value for name, value in settings.items()}})

    def send(self, topic, records):
        problems = []

        def delivered(error, _):
            if error:
                problems.append(str(error))

        for key, value, options in records:
            while True:
                try:
                    self.producer.produce(topic, key=key, value=value, on_delivery=delivered,
                                          **options)
                    break
                except BufferError:
                    self.producer.poll(0.1)
        assert self.producer.flush(60) == 0, "the broker does not take the test's records"
        assert not problems, problems[:3]

    def create(self, name, partitions, replicas=None, **config):
        """`replicas`: the brokers of each partition, the first leads; else the brokers choose, and how many."""
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        placed = {"replica_assignment": replicas} if replicas else {"replication_factor": -1}
        made = self.admin.create_topics([NewTopic(name, partitions, config=settings, **placed)])
        made[name].result(30)
        self.wait_for(name, lambda topic: topic and len(topic.partitions) == partitions and
                      all(p.leader >= 0 for p in topic.partitions.values()))

    def configure(self, name, **config):
        """Of a topic; names with _ for each dot."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[
            ConfigEntry(key.replace("_", "."), str(value), incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()])
        self.admin.incremental_alter_configs([resource])[resource].result(30)

    def drop(self, name):
        """Whether it is there or not."""
        try:
            self.admin.delete_topics([name], operation_timeout=30)[name].result(30)
        except KafkaException as problem:
            if problem.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise

    def delete(self, name):
        self.admin.delete_topics([name], operation_timeout=30)[name].result(30)
        self.wait_for(name, lambda topic: topic is None)

    def wait_for(self, name, condition):
        def look():
            found = self.admin.list_topics(timeout=10).topics.get(name)
            return condition(found if found and not found.error else None)
        eventually(look, what=f"the broker knows topic {name} as it is now")

    def ends(self, name):
        """{partition: end offset}"""
        partitions = self.admin.list_topics(name, timeout=10).topics[name].partitions
        asked = self.admin.list_offsets({TopicPartition(name, p): OffsetSpec.latest()
                                         for p in partitions})
        return {at.partition: found.result(15).offset for at, found in asked.items()}

    def committed(self, group, name):
        """{partition: offset}. As a consumer that never joins: asked of an admin client while the coordinator moves, the
        question brings down the interpreter (librdkafka 2.16.1)."""
        consumer = self.askers.get(group)
        if consumer is None:
            while len(self.askers) >= 4:
                self.askers.pop(next(iter(self.askers))).close()
            consumer = self.askers[group] = Consumer({"bootstrap.servers": self.brokers, "group.id": group,
                                                      "socket.timeout.ms": 10_000})  # Of 60 s: a frozen broker.
        partitions = consumer.list_topics(name, timeout=15).topics[name].partitions
        asked = consumer.committed([TopicPartition(name, p) for p in partitions], timeout=15) if partitions else []
        return {at.partition: at.offset for at in asked if at.offset >= 0}

    def set_offsets(self, group, name, offsets):
        """{partition: offset}, as an operator sets them; the group has no members."""
        wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(name, p, offset) for p, offset in offsets.items()])
        self.admin.alter_consumer_group_offsets([wanted])[group].result(15)

    def progress(self, group, name):
        """How many records of the topic, from its beginning on, the group has committed."""
        return sum(offset for offset in self.committed(group, name).values() if offset > 0)

    def groups(self):
        return {found.group_id for found in self.admin.list_consumer_groups().result(15).valid}

    def delete_before(self, name, partition, offset):
        """Deletes the first records of a partition, as retention does."""
        at = TopicPartition(name, partition, offset)
        self.admin.delete_records([at])[at].result(15)

    def wait_for_members(self, group, sizes, timeout=30.0):
        """Until the group's members own so many partitions each."""
        def look():
            found = self.admin.describe_consumer_groups([group])[group].result(15)
            owned = [len(member.assignment.topic_partitions) for member in found.members]
            return sorted(owned) == sorted(sizes) and found.state.name == ("STABLE" if sizes else "EMPTY")
        eventually(look, timeout, f"the members of {group} have {sizes} partitions")

    def topic_id(self, name):
        found = self.admin.describe_topics(TopicCollection([name]))[name].result(15).topic_id
        high, low = found.get_most_significant_bits(), found.get_least_significant_bits()
        return uuid.UUID(int=(high % (1 << 64)) << 64 | low % (1 << 64))


class NameSource:
    """Names that no other run of the tests has."""

    def __init__(self):
        self.run = f"it_{os.getpid()}_{int(time.time()) % 100_000}"
        self.numbers = itertools.count(1)

    def new(self):
        return f"{self.run}_{next(self.numbers)}"
