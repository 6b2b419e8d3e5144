"""What happens to the topic and to its broker."""

import time

import pytest
from confluent_kafka.admin import NewPartitions
from servers import sandbox


def test_07_the_coordinator_dies_amid_rebalances(arena):
    """The only broker, which then knows the members that there were when the last rebalance had ended."""
    with arena.run(7, "the coordinator killed, 5 times") as run:
        run.start(2)
        for _ in range(5):
            with run.fault():
                victim = arena.rng.choice(run.living())
                victim.kill()
                run.start_one(victim.instance)
                time.sleep(arena.rng.random() * 2)  # Not to wait for something: the random time.
                sandbox("kill", "kafka")
                sandbox("start", "kafka")


@pytest.mark.quick
def test_11_partitions_are_added(arena):
    """They begin at their beginning, and in Cassandra with a clock that is not behind any other's."""
    with arena.run(11, "partitions added under load") as run:
        run.new_partitions = {4, 5}
        process = run.start()
        with run.fault():
            run.kafka.admin.create_partitions([NewPartitions(run.topic.name, 6)])[run.topic.name].result(30)
            run.kafka.wait_for(run.topic.name, lambda topic: topic and len(topic.partitions) == 6)
            for partition in (4, 5):
                run.topic.send_records(((f"k{partition}00000{i}", f'{{"uuid": "x", "producer": 3, "seq": {i}, "version": 1, '
                                         f'"amount": 1}}') for i in range(1000)), partition=partition)
            for group in run.groups():
                run.kafka.wait_for_members(group, [6], 60)
        process.wait_for(r"cassandra: .*\[4\] is new", 60)
