"""What happens to the topic."""

import pytest
from confluent_kafka.admin import NewPartitions


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
