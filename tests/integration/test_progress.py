"""Where a run begins, and what it remembers."""

import pytest
import verify
from confluent_kafka.admin import NewPartitions
from servers import Database, eventually


def numbers(database):
    return sorted(row[0] for row in database.rows("SELECT data FROM events"))


def test_start_latest_skips_what_is_there(sluice, topic, database, keyspace):
    topic.send("1", "2", partition=0)
    sluice.drain(topic, database, keyspace, "--start", "latest").expect(0)
    topic.send("3", "4", partition=0)
    sluice.drain(topic, database, keyspace, "--start", "latest").expect(0)
    assert numbers(database) == [3, 4]
    assert sorted(row[3] for row in verify.cassandra_events(keyspace, topic)) == ["3", "4"]


def test_start_at_a_time_begins_with_the_first_record_at_or_after_it(sluice, topic, database, keyspace):
    for day in range(1, 5):
        topic.send(str(day), partition=0, timestamp=1_700_000_000_000 + day * 86_400_000)
    flags = ("--start", "2023-11-16T22:13:20Z")
    sluice.drain(topic, database, keyspace, *flags).expect(0)
    assert numbers(database) == [2, 3, 4]
    assert len(verify.cassandra_events(keyspace, topic)) == 3


def test_start_error_refuses_a_first_start(sluice, topic, database, keyspace):
    for places in ((database, None), (None, keyspace)):
        done = sluice.drain(topic, *places, "--start", "error").expect(3)
        done.has("no progress on topic", topic.name)


def test_start_error_goes_on_where_there_is_progress(sluice, topic, database, keyspace):
    topic.send("1")
    sluice.drain(topic, database, keyspace).expect(0)
    topic.send("2")
    sluice.drain(topic, database, keyspace, "--start", "error").expect(0).has("continues")
    assert numbers(database) == [1, 2]


def test_one_instant_in_two_spellings_is_one_start_policy(sluice, topic, keyspace):
    """A space in it would also break the group's commits, which are words with spaces between."""
    topic.send("1")
    sluice.drain(topic, None, keyspace, "--start", "2020-01-31 08:00:00Z").expect(0)
    done = sluice.drain(topic, None, keyspace, "--start", "2020-01-31T09:00:00.000+01:00").expect(0)
    done.has("3 of 3 partitions have progress")


def test_another_start_policy_against_progress_names_reset(sluice, topic, database, keyspace):
    topic.send("1")
    sluice.drain(topic, database, keyspace).expect(0)
    for lane, places in (("postgres", (database, None)), ("cassandra", (None, keyspace))):
        done = sluice.drain(topic, *places, "--start", "latest").expect(3)
        done.has("start: latest", f"sluice reset --lane {lane}")


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_a_topic_made_again_is_noticed_and_names_reset(sluice, make_topic, kafka, database, keyspace, lane):
    """Also where the new topic is longer than the old one was."""
    topic = make_topic(1)
    topic.send("1", "2")
    places = (database, None) if lane == "postgres" else (None, keyspace)
    sluice.drain(topic, *places).expect(0)
    kafka.delete(topic.name)
    kafka.create(topic.name, 1)
    topic.send("11", "12", "13", "14")
    done = sluice.drain(topic, *places).expect(1)
    done.has("did not reach its end", "made again", f"sluice reset --lane {lane}")
    if lane == "postgres":
        assert numbers(database) == [1, 2]
    else:
        assert len(verify.cassandra_events(keyspace, topic)) == 2


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_a_partition_that_only_the_new_topic_has_is_refused_like_the_others(sluice, make_topic, kafka, database, keyspace, lane):
    """Else a reset would write its records twice."""
    topic = make_topic(1)
    topic.send("1", "2")
    places = (database, None) if lane == "postgres" else (None, keyspace)
    sluice.drain(topic, *places).expect(0)
    kafka.delete(topic.name)
    kafka.create(topic.name, 2)
    kafka.producer = kafka.new_producer()  # The other one knows one partition.
    topic.send("11", "12", partition=1)
    sluice.drain(topic, *places).expect(1).has("made again", f"sluice reset --lane {lane}")
    if lane == "postgres":
        assert numbers(database) == [1, 2]
    else:
        assert len(verify.cassandra_events(keyspace, topic)) == 2


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_a_topic_made_again_during_a_run_stops_its_partitions(sluice, make_topic, kafka, database,
                                                              keyspace, lane):
    topic = make_topic(1)
    topic.send("1", "2")
    places = (database, None) if lane == "postgres" else (None, keyspace)
    process = sluice.start("run", *sluice.flags(topic, *places))
    group = f"{topic.name}.{lane}"
    eventually(lambda: kafka.committed(group, topic.name).get(0) == 2, what="a commit")
    kafka.delete(topic.name)
    kafka.create(topic.name, 1)
    topic.send("11", "12", "13", "14")  # A longer log: its offsets alone don't tell.
    process.wait_for("is stopped: .*deleted and made again", 30)
    assert f"sluice reset --lane {lane}" in process.text()
    process.stop().expect(0)


def transaction(kafka, topic, commit, *values):
    producer = kafka.new_producer(transactional_id=f"{topic.name}-{commit}")
    producer.init_transactions(30)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic.name, value, partition=0)
    producer.flush(30)
    if commit:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


@pytest.mark.parametrize("commit, expected", [(True, [1, 7]), (False, [1])])
def test_a_topic_that_ends_in_a_transaction_marker_ends(sluice, make_topic, kafka, database, keyspace,
                                                        commit, expected):
    topic = make_topic(2)
    topic.send("1", partition=0)
    transaction(kafka, topic, commit, "7")
    for _ in range(2):
        sluice.drain(topic, database, keyspace, timeout=30).expect(0)
        assert numbers(database) == expected
        verify.assert_equal(topic, database, keyspace)


def test_a_topic_of_nothing_but_an_aborted_transaction_ends(sluice, make_topic, kafka, database, keyspace):
    topic = make_topic(1)
    transaction(kafka, topic, False, *map(str, range(500)))
    sluice.drain(topic, database, keyspace, timeout=30).expect(0)
    assert numbers(database) == []


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_one_pipeline_name_into_two_databases_is_refused(sluice, make_topic, database, keyspace,
                                                         own_keyspace, postgres, names, lane):
    topic = make_topic(1)
    topic.send("1")
    if lane == "postgres":
        other = Database(database.addresses, names.new())
        postgres.execute(f"CREATE DATABASE {other.name}")
        first, second = (database, None), (other, None)
    else:
        first, second = (None, keyspace), (None, own_keyspace)
    try:
        sluice.drain(topic, *first).expect(0)
        done = sluice.drain(topic, *second).expect(3)
        done.has("another", "pipeline", "--group")
    finally:
        if lane == "postgres":
            postgres.execute(f"DROP DATABASE {other.name} WITH (FORCE)")


def test_progress_with_its_table_gone_names_reset(sluice, topic, database):
    topic.send("1")
    sluice.drain(topic, database).expect(0)
    database.execute("DROP TABLE events")
    done = sluice.drain(topic, database).expect(3)
    done.has("events", "sluice reset --lane postgres")


def test_progress_with_its_table_gone_names_reset_in_cassandra(sluice, topic, own_keyspace):
    topic.send("1")
    sluice.drain(topic, None, own_keyspace).expect(0)
    own_keyspace.execute("DROP TABLE {ks}.events")
    done = sluice.drain(topic, None, own_keyspace).expect(3)
    done.has("events", "sluice reset --lane cassandra")


def test_rows_without_progress_stop_the_cassandra_lane(sluice, topic, keyspace, table):
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY)")
    keyspace.execute(f"INSERT INTO {{ks}}.{table} (id) VALUES (1)")
    topic.send('{"id": 2}')
    file = sluice.config(topic, f"    cassandra: {{table: {table}}}", None, keyspace)
    sluice.drain_file(file).expect(3).has(table, "has rows", "sluice reset --lane cassandra")


def test_deleted_group_is_made_good_from_the_keyspace(sluice, topic, kafka, keyspace):
    """The group expires after idle days; the pair then comes from sluice_progress."""
    topic.send(*map(str, range(100)))
    sluice.drain(topic, None, keyspace).expect(0)
    group = f"{topic.name}.cassandra"
    kafka.admin.delete_consumer_groups([group])[group].result(30)
    topic.send("100")
    sluice.drain(topic, None, keyspace).expect(0).has("continues")
    verify.assert_equal(topic, None, keyspace)


def test_until_end_trusts_no_commit_that_is_not_the_progress(sluice, topic, kafka, database, keyspace):
    """The database has gone back, as after a failover; and somebody has set the group's offsets."""
    topic.send(*map(str, range(300)))
    sluice.drain(topic, database, keyspace).expect(0)
    database.execute("UPDATE sluice.offsets SET next_offset = 0", "TRUNCATE events")
    topic.send(*map(str, range(300, 600)))
    kafka.set_offsets(f"{topic.name}.cassandra", topic.name, kafka.ends(topic.name))
    sluice.drain(topic, database, keyspace).expect(0)
    assert len(verify.assert_equal(topic, database, keyspace)) == 600


def test_new_partitions_are_read_from_their_beginning(sluice, make_topic, kafka, database, keyspace):
    topic = make_topic(1)
    topic.send("1", "2", partition=0)
    sluice.drain(topic, database, keyspace, "--start", "earliest").expect(0)
    kafka.admin.create_partitions([NewPartitions(topic.name, 3)])[topic.name].result(30)
    kafka.wait_for(topic.name, lambda found: found and len(found.partitions) == 3)
    kafka.producer = kafka.new_producer()  # The old one does not know the new partitions yet.
    topic.send("3", partition=1)
    topic.send("4", partition=2)
    sluice.drain(topic, database, keyspace, "--start", "earliest").expect(0)
    assert numbers(database) == [1, 2, 3, 4]
    verify.assert_equal(topic, database, keyspace)


@pytest.mark.parametrize("committed", [False, True])
def test_until_end_sees_the_end_of_what_another_process_reads(sluice, make_topic, kafka, database, committed):
    """Two topics, both ending in a transaction marker, which the other's commits are behind already, or not yet."""
    topics = [make_topic(2), make_topic(2)]
    for topic in topics:
        transaction(kafka, topic, True, "1")
        topic.send("2", partition=1)
    flags = sluice.flags(topics[0], database)
    flags[flags.index("--topic") + 1] = ",".join(topic.name for topic in topics)
    first = sluice.start("run", *flags)
    eventually(lambda: first.count("starts afresh") == 2, what="a start")
    if committed:
        for topic in topics:
            eventually(lambda of=topic: kafka.committed(f"{topics[0].name}.postgres", of.name) == kafka.ends(of.name),
                       what="commits behind the markers")
    second = sluice.run("run", "--until-end", *flags, timeout=40).expect(0)
    second.has("continues")
    first.stop().expect(0)
    assert numbers(database) == [1, 1, 2, 2]


def test_a_new_partition_that_waits_for_a_stopped_one_is_listed(sluice, make_topic, kafka, keyspace):
    topic = make_topic(1)
    topic.send("1", partition=0)
    sluice.drain(topic, None, keyspace).expect(0)
    topic.send("not JSON", partition=0)
    kafka.admin.create_partitions([NewPartitions(topic.name, 2)])[topic.name].result(30)
    kafka.wait_for(topic.name, lambda found: found and len(found.partitions) == 2)
    kafka.producer = kafka.new_producer()  # The old one does not know the new partition yet.
    topic.send("2", partition=1)
    done = sluice.drain(topic, None, keyspace, timeout=40).expect(1)
    done.has(f"{topic.name}[1] did not reach its end", f"{topic.name}[0]", "stopped")
    done.has(f"{topic.name}[0] did not reach its end", "not JSON")


def test_a_first_start_stores_all_partitions_of_a_wide_topic_at_once(sluice, make_topic, keyspace, names):
    """As one batch into one partition of Cassandra, whose size threshold (50 KiB) counts only batches over several.
    A part of them would make the next attempt continue, and read what `start: latest` leaves out."""
    pipeline = names.new() + "_" + "p" * 150
    topic = make_topic(200)
    topic.send(*(str(number) for number in range(400)))
    file = sluice.config(topic, "    cassandra: true", None, keyspace, pipeline=pipeline, start="latest")
    sluice.drain_file(file).expect(0).has("starts afresh at latest, 200 partitions")
    kept = keyspace.rows("SELECT partition, next_offset, start FROM {ks}.sluice_progress WHERE "
                         f"pipeline = '{pipeline}' AND topic = '{topic.name}'")
    assert {partition: offset for partition, offset, _ in kept} == topic.kafka.ends(topic.name)
    assert {start for _, _, start in kept} == {"latest"}
    assert verify.cassandra_events(keyspace, topic) == []


def test_a_zero_config_route_may_join_a_pipeline_that_has_progress_on_another_topic(sluice, make_topic,
                                                                                    own_keyspace):
    orders, visits = make_topic(1), make_topic(1)
    own_keyspace.create("CREATE TABLE {ks}.orders (id int PRIMARY KEY)")
    orders.send('{"id": 1}')
    visits.send("1", "2")
    route = "    cassandra: {table: orders}\n"
    sluice.drain_file(sluice.config(orders, route, None, own_keyspace)).expect(0)
    more = f"{route}  - topic: {visits.name}\n    cassandra: true"
    sluice.drain_file(sluice.config(orders, more, None, own_keyspace)).expect(0)
    verify.assert_equal(visits, None, own_keyspace)


def by_the_write_clock(timestamps_ms):
    """The rule of docs/decisions/0002-write-clock.md, from a partition's first record on."""
    last = 0
    for ms in timestamps_ms:
        last = max(ms * 1000 if ms < 7_258_118_400_000 else 0, last + 1)
        yield last


def test_a_replay_writes_each_record_with_the_timestamp_that_it_had(sluice, make_topic, kafka,
                                                                    own_keyspace):
    """The pair of offset and clock is put back, in the copy that counts where the group has none, and the table is
    emptied without tombstones."""
    topic = make_topic(1, message_timestamp_after_max_ms=(1 << 63) - 1, retention_ms=-1)
    group = f"{topic.name}.cassandra"
    start = 1_700_000_000_000
    first = [start, start, start - 60_000, start + 5, 7_258_118_400_001, start + 4]
    second = [start + 4, start + 1, start + 900, start, start + 900]

    def send(timestamps):
        for ms in timestamps:
            topic.send(str(ms), partition=0, timestamp=ms)

    def written():
        rows = own_keyspace.rows("SELECT kafka_offset, WRITETIME(data) FROM {ks}.events WHERE kafka_topic "
                                 f"= '{topic.name}' AND kafka_partition = 0 AND bucket = 0")
        return dict(map(tuple, rows))

    send(first)
    sluice.drain(topic, None, own_keyspace).expect(0)
    send(second)
    sluice.drain(topic, None, own_keyspace).expect(0)
    expected = dict(enumerate(by_the_write_clock(first + second)))
    assert written() == expected

    own_keyspace.execute("TRUNCATE {ks}.events")
    kafka.admin.delete_consumer_groups([group])[group].result(30)
    own_keyspace.execute("UPDATE {ks}.sluice_progress SET "
                         f"next_offset = {len(first)}, clock = {expected[len(first) - 1]} WHERE "
                         f"pipeline = '{topic.name}' AND topic = '{topic.name}' AND partition = 0")
    sluice.drain(topic, None, own_keyspace).expect(0).has("continues")
    assert written() == {offset: at for offset, at in expected.items() if offset >= len(first)}
