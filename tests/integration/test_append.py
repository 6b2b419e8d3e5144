"""Zero-config and the user's own `events` tables, in both databases."""

import json
import uuid

import pytest
import verify


def numbered(count):
    return [(f"k{i % 17}", json.dumps({"n": i, "text": "žluťoučký 🐎"})) for i in range(count)]


def test_zero_config_fills_both_databases_with_each_record_once(sluice, topic, database, keyspace):
    topic.send_records(numbered(2000))
    sluice.drain(topic, database, keyspace).expect(0)
    records = verify.assert_equal(topic, database, keyspace)
    assert len(records) == 2000


def test_second_run_adds_nothing(sluice, topic, database, keyspace):
    topic.send_records(numbered(300))
    sluice.drain(topic, database, keyspace).expect(0)
    again = sluice.drain(topic, database, keyspace).expect(0)
    again.has("postgres", "continues, 3 of 3 partitions")
    again.has("cassandra", "continues, 3 of 3 partitions")
    verify.assert_equal(topic, database, keyspace)


def test_second_run_adds_what_came_in_between(sluice, topic, database, keyspace):
    for _ in range(3):
        topic.send_records(numbered(100))
        sluice.drain(topic, database, keyspace).expect(0)
    assert len(verify.assert_equal(topic, database, keyspace)) == 300


def test_columns_of_events_say_where_each_record_came_from(sluice, topic, database, keyspace):
    topic.send('{"a": 1}', key="k", partition=2, timestamp=1_700_000_000_123)
    topic.send('{"a": 2}', partition=2, timestamp=1_700_000_000_124)
    sluice.drain(topic, database, keyspace).expect(0)
    columns = "kafka_topic, kafka_partition, kafka_offset, key, timestamp, data"
    first, second = database.rows(f"SELECT {columns} FROM events ORDER BY kafka_offset")
    assert first[:4] == (topic.name, 2, 0, "k") and first[5] == {"a": 1}
    assert first[4].isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert second[3] is None and second[5] == {"a": 2}
    first, second = keyspace.rows(f"SELECT {columns}, bucket FROM {{ks}}.events WHERE kafka_topic = "
                                  f"'{topic.name}' AND kafka_partition = 2 AND bucket = 0")
    assert first[:4] == (topic.name, 2, 0, "k") and first[5] == '{"a": 1}' and first[6] == 0
    assert first[4].isoformat() == "2023-11-14T22:13:20.123000"
    assert second[3] is None


def test_strings_arrive_unchanged(sluice, topic, database, keyspace):
    values = ["", " ", "plain", "{not json", "ünï\t\r\n\\N\\.", "🐎" * 1000, '"quoted"']
    topic.send_records([("key ž", value) for value in values])
    sluice.drain(topic, database, keyspace, "--value", "string").expect(0)
    verify.assert_equal(topic, database, keyspace, meaning=False)


def test_bytes_arrive_unchanged(sluice, topic, database, own_keyspace):
    values = [b"", b"\0", bytes(range(256)), b"\xff\xfe", b"\0\0\0\0\1magic", b"x" * 100_000]
    topic.send_records([(b"\0\xffkey", value) for value in values])
    sluice.drain(topic, database, own_keyspace, "--value", "bytes", "--key", "bytes").expect(0)
    records = verify.read_topic(topic.kafka.brokers, topic.name)
    for rows in (verify.postgres_events(database, "data"),
                 verify.cassandra_events(own_keyspace, topic)):
        assert str(verify.compare(records, rows, meaning=False)) == "equal"


def test_json_keys_are_kept_as_json(sluice, topic, database, keyspace):
    topic.send('{"a": 1}', key='{"id": 7}', partition=0)
    sluice.drain(topic, database, keyspace, "--key", "json").expect(0)
    assert database.rows("SELECT key, data FROM events") == [({"id": 7}, {"a": 1})]
    assert verify.cassandra_events(keyspace, topic) == [(0, 0, '{"id": 7}', '{"a": 1}')]


def test_every_kind_of_json_value_is_an_event(sluice, topic, database, keyspace):
    values = ["null", "true", "0", "-0.0", '"text"', "[]", "{}", "[1, [2, {}]]", " 1 ", "1e400",
              '{"a": 12345678901234567890123456789.0123456789}', '"\\ud83d\\ude00 \\u00e9"']
    topic.send(*values)
    sluice.drain(topic, database, keyspace).expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_null_values_and_keys_become_null(sluice, topic, database, keyspace):
    topic.send_records([(None, None), ("k", None), (None, "{}")], partition=0)
    sluice.drain(topic, database, keyspace).expect(0)
    verify.assert_equal(topic, database, keyspace)
    assert database.value("SELECT count(*) FROM events WHERE data IS NULL AND key IS NULL") == 1


def test_an_empty_topic_ends_at_once(sluice, topic, database, keyspace):
    sluice.drain(topic, database, keyspace).expect(0)
    assert database.value("SELECT count(*) FROM events") == 0
    assert verify.cassandra_events(keyspace, topic) == []


def test_two_topics_go_into_one_table(sluice, make_topic, database, keyspace):
    first, second = make_topic(1), make_topic(2)
    first.send("1", "2")
    second.send_records(numbered(50))
    flags = sluice.flags(first, database, keyspace)
    sluice.run("run", "--until-end", *flags, "--topic", second.name).expect(0)
    for each, count in ((first, 2), (second, 50)):
        where = f"WHERE kafka_topic = '{each.name}'"
        assert database.value(f"SELECT count(*) FROM events {where}") == count
        assert len(verify.cassandra_events(keyspace, each)) == count


def test_own_events_with_jsonb_is_filled_as_it_is(sluice, topic, database):
    database.execute("CREATE TABLE events (data jsonb)")
    topic.send(*(json.dumps({"n": i}) for i in range(500)))
    sluice.drain(topic, database).expect(0)
    sluice.drain(topic, database).expect(0)
    assert database.value("SELECT array_agg((data->>'n')::int ORDER BY (data->>'n')::int) "
                          "FROM events") == list(range(500))


def test_own_events_with_text_keeps_the_text_byte_for_byte(sluice, topic, database):
    database.execute("CREATE TABLE events (data text)")
    values = ['{"b" :1,  "a":2}', "[ ]", "1.50", ' {"n": 1e2} ']
    topic.send(*values)
    sluice.drain(topic, database).expect(0)
    assert sorted(row[0] for row in database.rows("SELECT data FROM events")) == sorted(values)


def test_own_events_takes_text_columns_for_strings(sluice, topic, database):
    database.execute("CREATE TABLE events (data text NOT NULL)")
    topic.send("not json", "")
    sluice.drain(topic, database, None, "--value", "string").expect(0)
    assert sorted(database.rows("SELECT data FROM events")) == [("",), ("not json",)]


def test_own_events_of_text_hold_the_same_in_both_databases(sluice, topic, database, own_keyspace):
    """JSON, as it came: a string with its quotes, since "1" is not 1."""
    database.execute("CREATE TABLE events (data text)")
    own_keyspace.create("CREATE TABLE {ks}.events (id uuid PRIMARY KEY, data text)")
    values = ['"x"', '"1"', "1", '"\\u00e9"', "null"]
    topic.send(*values)
    sluice.drain(topic, database, own_keyspace).expect(0)
    expected = sorted([('"x"',), ('"1"',), ("1",), ('"\\u00e9"',), (None,)], key=str)
    assert sorted(database.rows("SELECT data FROM events"), key=str) == expected
    assert sorted(own_keyspace.rows("SELECT data FROM {ks}.events"), key=str) == expected


def test_own_events_with_id_gets_the_same_id_in_both_databases(sluice, topic, database, own_keyspace):
    database.execute("CREATE TABLE events (id uuid NOT NULL, data text)")
    own_keyspace.create("CREATE TABLE {ks}.events (id uuid PRIMARY KEY, data text)")
    topic.send(*(json.dumps({"n": i}) for i in range(400)))
    sluice.drain(topic, database, own_keyspace).expect(0)
    postgres = sorted(database.rows("SELECT id, data FROM events"))
    assert postgres == sorted(own_keyspace.rows("SELECT id, data FROM {ks}.events"))
    assert len({row[0] for row in postgres}) == 400
    assert {row[0].version for row in postgres} == {5}
    assert sorted(json.loads(row[1])["n"] for row in postgres) == list(range(400))


def test_ids_follow_topic_partition_and_offset(sluice, topic, kafka, database):
    """UUIDv5 of the topic's id, named `partition:offset`: anybody can compute it again."""
    database.execute("CREATE TABLE events (id uuid, kafka_partition int, kafka_offset bigint)")
    topic.send_records(numbered(20))
    sluice.drain(topic, database).expect(0)
    topic_id = kafka.topic_id(topic.name)
    rows = database.rows("SELECT * FROM events")
    assert len(rows) == 20
    for found, partition, offset in rows:
        assert found == uuid.uuid5(topic_id, f"{partition}:{offset}")


def test_default_of_the_users_id_column_stays_in_charge(sluice, topic, database):
    database.execute("CREATE TABLE events (id uuid DEFAULT gen_random_uuid(), n serial, data jsonb)")
    topic.send("1", "2", "3")
    sluice.drain(topic, database).expect(0)
    assert {row[0].version for row in database.rows("SELECT id FROM events")} == {4}
    assert sorted(database.rows("SELECT n FROM events")) == [(1,), (2,), (3,)]


def test_large_events_pass(sluice, make_topic, kafka, database, keyspace):
    topic = make_topic(1, max_message_bytes=6_000_000)
    large = kafka.new_producer(message_max_bytes=6_000_000)
    large.produce(topic.name, json.dumps({"x": "y" * 1_000_000}))
    assert large.flush(60) == 0
    topic.send("{}")
    sluice.drain(topic, database, keyspace).expect(0)
    assert len(verify.assert_equal(topic, database, keyspace)) == 2
    large.produce(topic.name, json.dumps({"x": "y" * 5_000_000}))
    assert large.flush(60) == 0
    sluice.drain(topic, database).expect(0)
    verify.assert_equal(topic, database)


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_rows_that_a_trigger_of_the_table_skips_are_told_and_not_counted(sluice, make_topic, database, mode):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v int)",
                     "CREATE FUNCTION odd_ones() RETURNS trigger LANGUAGE plpgsql AS "
                     "$$BEGIN RETURN CASE WHEN NEW.id % 2 = 1 THEN NEW END; END$$",
                     "CREATE TRIGGER odd_ones BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION odd_ones()")
    topic.send(*(json.dumps({"id": n, "v": n}) for n in range(1000)))
    key = ", key: id" if mode == "upsert" else ""
    done = sluice.drain_file(sluice.config(topic, f"    postgres: {{table: t, mode: {mode}{key}}}", database)).expect(0)
    done.has("table t: its own triggers returned null").has("for 500 rows the tables' own triggers returned null")
    done.has("500 rows from 1,000 records")
    assert database.value("SELECT count(*) FROM t") == 500
