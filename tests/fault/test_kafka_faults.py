"""What happens to the topic, to transactions in it, to the group and to the broker."""

import time

import pytest
from arena import LANES
from confluent_kafka.admin import NewPartitions
from servers import eventually, sandbox

HOUR_MS = 3_600_000


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


@pytest.mark.parametrize("when", ["stopped", pytest.param("frozen", marks=pytest.mark.quick)])
def test_09_records_are_deleted_unread(arena, when):
    """Their partition stops before the gap and names it, the others go on. What is in no log any more is looked for nowhere."""
    with arena.run(9, f"records deleted unread, while it is {when}") as run:
        process = run.start()
        with run.fault():
            if when == "stopped":
                process.stop().expect(0)
            else:
                process.freeze()
            before = run.stored()
            run.load.more(2 * run.load.rate)
            run.remember_topic()
            newest = max(offset for partition, offset in run.known if partition == 0)
            assert all(newest > before[lane][0] + run.load.rate // 8 for lane in LANES), (newest, before)
            run.kafka.delete_before(run.topic.name, 0, newest)
            if when == "stopped":
                process = run.start_one(process.instance)
            process.thaw()
            for lane in LANES:
                process.wait_for(rf"{lane}: .*\[0\] is stopped: .*expired", 60)
        run.stopped_partitions = {0}


@pytest.mark.parametrize("when", [pytest.param("runs", marks=pytest.mark.quick), "is stopped", "is frozen"])
def test_10_a_topic_is_made_again_and_longer(arena, when):
    """Its partitions stop and name `sluice reset`, and nothing of the new log is taken for the old one's. Where the process
    runs, what it wrote in the seconds until it noticed (a look every 5 s) stays. Its load has ended: a producer would too."""
    with arena.run(10, f"the topic is made again while it {when}") as run:
        process = run.start()
        run.wait_for_commits()
        run.load.finish(run.records)
        run.reach_the_end()
        run.watch.end()
        if when == "is stopped":
            process.kill()
        elif when == "is frozen":
            process.freeze()
        run.kafka.delete(run.topic.name)
        run.kafka.create(run.topic.name, 4)
        value = '{"uuid": "", "producer": 3, "seq": 1, "version": 1, "amount": 0}'
        for partition in range(4):
            length = max(offset for at, offset in run.known if at == partition) + 1000
            run.topic.send_records(((f"n{i}", value) for i in range(length)), partition=partition)
        if when == "is stopped":
            process = run.start_one(process.instance)
        elif when == "is frozen":
            for group in run.groups():  # For longer than the time between two looks.
                run.kafka.wait_for_members(group, [], 60)
        process.thaw()
        for lane in LANES:
            process.wait_for(rf"{lane}: .*is stopped: .*made again.*sluice reset --lane {lane}", 60, times=4)
        run.made_again = run.disturbed = True
        process.stop().expect(0)
        written = run.drop_rows("n")
        assert written == 0 or when == "runs", f"{written} rows of the new topic"


def add_partitions(run, before, after):
    run.kafka.admin.create_partitions([NewPartitions(run.topic.name, after)])[run.topic.name].result(30)
    run.kafka.wait_for(run.topic.name, lambda topic: topic and len(topic.partitions) == after)
    run.kafka.producer = run.kafka.new_producer()  # The old one does not know the new partitions yet.
    for partition in range(before, after):
        run.topic.send_records(((f"k{partition}00000{i}", f'{{"uuid": "x", "producer": 3, "seq": {i}, "version": 1, '
                                 f'"amount": 1}}') for i in range(1000)), partition=partition)


@pytest.mark.quick
def test_11_partitions_are_added(arena):
    """They begin at their beginning, and in Cassandra with a clock that is not behind any other's: also where nobody was
    there, and what the others have to read yet is a year ahead."""
    next_year = int(time.time() * 1000) + 365 * 24 * HOUR_MS
    with arena.run(11, "partitions added", topic={"message_timestamp_after_max_ms": 2**63 - 1},
                   settings={"properties": "{topic.metadata.refresh.interval.ms: 2000}"}) as run:
        run.clocks_ahead = {4, 5, 6, 7}
        process = run.start()
        with run.fault():
            add_partitions(run, 4, 6)
            for group in run.groups():
                run.kafka.wait_for_members(group, [6], 60)
        process.wait_for(r"cassandra: .*\[4\] is new", 60)
        with run.fault():
            process.kill()
            for partition in range(6):
                run.topic.send_records([(f"y{partition}", '{"uuid": "x", "producer": 3, "seq": 1, "version": 1, "amount": 1}')],
                                       partition=partition, timestamp=next_year)
            add_partitions(run, 6, 8)
            run.start_one(process.instance)

        def are_ahead(verdict, _):
            rows = run.keyspace.rows("SELECT kafka_partition, kafka_offset, WRITETIME(data) FROM {ks}.events")
            verdict.add("divergent", "write times in a new partition, behind the others'",
                        (row for row in rows if row[0] >= 6 and row[2] <= next_year * 1000))
        run.checks.append(are_ahead)


def test_12_the_topic_is_compacted(arena):
    """Before it is read. Nothing younger than 10 s is taken by the cleaner, so that each record was seen here before. Its time
    is that of the last 10 s, so that the write times hang on how many records there were."""
    compacted = {"cleanup_policy": "compact", "segment_ms": 500, "min_cleanable_dirty_ratio": 0.01, "min_compaction_lag_ms": HOUR_MS}
    with arena.run(12, "the cleaner takes records unread", topic=compacted, 
                   load={"keys": 50, "rate": arena.rate // 2, "timestamp": lambda rng: int(time.time()) // 10 * 10_000}) as run:
        run.compacted, run.clocks_ahead = True, set(range(4))
        process = run.start()
        with run.fault():
            process.kill()
            stored = run.stored()

            def taken_unread():
                run.remember_topic()
                return all(any(offset >= stored[lane][partition] for partition, offset in run.gone) for lane in LANES)
            run.kafka.configure(run.topic.name, min_compaction_lag_ms=20_000)
            eventually(taken_unread, 120, "the cleaner has run")
            run.kafka.configure(run.topic.name, min_compaction_lag_ms=HOUR_MS)
            run.start_one(process.instance)

        def gaps_were_read(*_):
            assert len(run.passed_over) == 2 and min(run.passed_over.values()) > 0, run.passed_over
        run.checks.append(gaps_were_read)


@pytest.mark.quick
def test_13_aborted_transactions(arena):
    """What they hold is in no table; their gaps and markers hold nobody up, also where a process begins at one."""
    with arena.run(13, "30 % of the transactions aborted, kill -9", load={"aborted": 0.3}) as run:
        process = run.start()
        for _ in range(3):
            with run.fault():
                process.kill()
                process = run.start_one(process.instance)
        assert run.load.aborts > 0.1 * run.load.transactions > 0, (run.load.aborts, run.load.transactions)


def test_14_a_transaction_hangs(arena):
    """Nothing behind it may be read until the broker ends it; the lag shows it, and other partitions go on."""
    with arena.run(14, "a transaction that its producer never ends") as run:
        process = run.start()
        with run.fault():
            producer = run.kafka.new_producer(transactional_id="hangs-" + run.topic.name, transaction_timeout_ms=15_000)
            producer.init_transactions(30)
            producer.begin_transaction()
            sent = []
            producer.produce(run.topic.name, "of no transaction", key="k0", partition=0,
                             on_delivery=lambda error, message: sent.append(message.offset()))
            assert producer.flush(30) == 0
            hanging, before = sent[0], run.stored()
            run.load.more(10 * run.load.rate)
            stored = run.stored()
            for lane in LANES:
                assert stored[lane][0] <= hanging, (lane, stored, hanging)
                assert stored[lane][1] > before[lane][1], (lane, stored, before)
                eventually(lambda at=lane: run.lag(process, at, 0) > run.load.rate, 30, f"{lane} tells that it waits")
            for lane in LANES:
                eventually(lambda at=lane: run.alive() and run.stored()[at][0] > hanging, 90, f"{lane} goes on when the broker has ended it")


def test_15_a_rebalance_storm(arena):
    """The lanes come further while members join and leave, and whoever leaves ends well."""
    changes = 30
    with arena.run(15, f"a member joins or leaves every 2 s, {changes} times") as run:
        run.start()
        guests, worked = [], 0
        with run.fault():
            for number in range(changes):
                due = time.monotonic() + 2
                if number % 5 == 0:
                    run.wait_for_commits()
                if guests and (len(guests) == 2 or arena.rng.random() < 0.5):
                    guest = guests.pop(arena.rng.randrange(len(guests)))
                    worked += guest.count("postgres: .*partitions have progress") > 0
                    guest.stop().expect(0)
                else:
                    guests.append(run.start_one(f"guest{number}"))
                run.load.more(max(1, int((due - time.monotonic()) * run.load.rate)))
            run.wait_for_commits()
        assert worked > changes // 6, f"{worked} guests had partitions"
