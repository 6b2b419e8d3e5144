"""Change events: both tables follow the source's."""

import json
from datetime import date, datetime, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from confluent_kafka.admin import NewPartitions
from servers import ROOT, eventually

SAMPLES = [json.loads(line) for line in (ROOT / "tests/data/debezium.ndjson").read_text().splitlines()]
UTC = timezone.utc
# Without a schema the columns say how they are to be read; tags go to jsonb as they come.
READINGS = """
      columns:
        "*": value.after.*
        balance: {encoding: base64, scale: 2}
        born: {unit: days}
        created: {unit: us}
        doc: {encoding: json}
        raw: {encoding: base64}
"""
ANNA = (1, "Anna", Decimal("100.50"), ["a", "b"], {"k": [1, None]}, True, date(1990, 2, 28), datetime(2026, 1, 2, 3, 4, 5, 678901),
        datetime(2026, 1, 2, 1, 4, 5, 678901, UTC), 9007199254740993, 0.1, bytes.fromhex("deadbeef"),
        UUID("6b1f6f2e-8a40-4c3f-9f8e-1f0a2b3c4d5e"), None)
ANNA_B = (1, "Anna B", None, *ANNA[3:8], datetime(2026, 1, 3, tzinfo=UTC), *ANNA[9:])


def samples(kind, *whats):
    compact = {"separators": (",", ":")}
    for what in whats:
        sample = next(each for each in SAMPLES if (each["kind"], each["what"]) == (kind, what))
        yield json.dumps(sample["key"], **compact), sample["value"] and json.dumps(sample["value"], **compact)


def follow(lane, table, more=""):
    return f"\n    {lane}:\n      table: {table}\n      mode: changes{more}"


def both(table, more=""):
    return follow("postgres", table, more) + follow("cassandra", table, more)


@pytest.fixture
def customers(database, table):
    database.execute(f"""CREATE TABLE {table} (id int PRIMARY KEY, name text NOT NULL, balance numeric(12,2), tags jsonb,
        doc jsonb, active boolean, born date, created timestamp, updated timestamptz, big bigint, ratio double precision,
        raw bytea, uid uuid, note text)""")
    return table


@pytest.mark.parametrize("kind", ["no-schema", "with-schema"])
def test_real_envelopes_are_applied(sluice, make_topic, database, customers, kind):
    topic = make_topic(1)
    route = follow("postgres", customers, READINGS if kind == "no-schema" else "")
    file = sluice.config(topic, route, database)
    rows = f"SELECT * FROM {customers}"
    for whats, expected in ((["insert"], [ANNA]), (["update"], [ANNA_B]), (["delete"], []), (["tombstone"], []),
                            (["insert", "update"], [ANNA_B]), (["delete", "tombstone", "insert"], [ANNA])):
        topic.send_records(samples(kind, *whats))
        sluice.drain_file(file).expect(0)
        assert database.rows(rows) == expected, whats


def envelope(op, before=None, after=None, **more):
    return json.dumps({"before": before, "after": after, "op": op, "source": {"lsn": 7}, **more})


@pytest.fixture
def people(database, keyspace, table):
    """A key that is more than the source's."""
    database.execute(f"CREATE TABLE {table} (city text, id int, name text, doc text NOT NULL, PRIMARY KEY (city, id))")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (city text, id int, name text, doc text, PRIMARY KEY (city, id))")
    return table


def contents(database, keyspace, table):
    found = sorted(database.rows(f"SELECT city, id, name, doc FROM {table}"))
    assert sorted(keyspace.rows(f"SELECT city, id, name, doc FROM {{ks}}.{table}")) == found
    return found


def test_a_moved_row_leaves_none_behind_and_keeps_what_was_not_sent(sluice, make_topic, database, keyspace, people):
    topic = make_topic(1)
    file = sluice.config(topic, both(people), database, keyspace)
    rome = {"city": "Rome", "id": 1, "name": "Ada", "doc": "long"}
    unsent = "__debezium_unavailable_value"
    steps = [
        ([("c", None, rome), ("r", None, {**rome, "id": 2})], [("Rome", 1, "Ada", "long"), ("Rome", 2, "Ada", "long")]),
        ([("u", rome, {**rome, "city": "Oslo", "doc": unsent})], [("Oslo", 1, "Ada", "long"), ("Rome", 2, "Ada", "long")]),
        ([("u", {**rome, "city": "Oslo", "doc": unsent}, {"city": "Oslo", "id": 1, "name": "Eve", "doc": unsent})],
         [("Oslo", 1, "Eve", "long"), ("Rome", 2, "Ada", "long")]),
        ([("d", {**rome, "id": 2}, None), ("u", {**rome, "city": "Oslo"}, {**rome, "city": "Rome", "name": "Una"})],
         [("Rome", 1, "Una", "long")]),
        # In one batch: gone, made again, moved there and back.
        ([("d", rome, None), ("c", None, rome), ("u", rome, {**rome, "city": "Bonn"}),
          ("u", {**rome, "city": "Bonn"}, {**rome, "name": "Ann"})], [("Rome", 1, "Ann", "long")]),
    ]
    for events, expected in steps:
        topic.send_records((json.dumps({"id": (after or before)["id"]}), envelope(op, before, after))
                           for op, before, after in events)
        sluice.drain_file(file).expect(0)
        assert contents(database, keyspace, people) == expected, events
    # From the start again: PostgreSQL is asked anew, Cassandra by its clock.
    for lane in ("postgres", "cassandra"):
        sluice.run("reset", "--lane", lane, "-c", file, "--yes").expect(0)
    sluice.drain_file(file).expect(0)
    assert contents(database, keyspace, people) == steps[-1][1]


def test_what_cant_be_applied_is_a_dead_letter_and_its_neighbours_are_written(sluice, make_topic, database, keyspace, people):
    topic = make_topic(1)
    row = {"city": "Rome", "id": 1, "name": "Ada", "doc": "x"}
    bad = [
        (envelope("x", None, row), "has an unknown `op`"),
        (envelope("c"), "has no `after`"),
        (envelope("c", None, {"id": 5}), "a key column is absent"),
        (envelope("c", None, {**row, "id": 6, "doc": "__debezium_unavailable_value"}), "the source did not send the value"),
        (envelope("u", None, {**row, "id": 7}), "neither `before` nor the record's key tells"),
        (envelope("c", None, {**row, "id": "8"}), "a JSON string is not read as an integer"),
        ('{"id": 9}', "no change event"),
        (json.dumps({"schema": {"type": "record"}, "payload": {}}), "is not one of Kafka Connect"),
    ]
    topic.send_records([('{"id":1}', envelope("c", None, row)), *((f'{{"id":{n}}}', value) for n, (value, _) in enumerate(bad, 2)),
                        ('{"id":99}', envelope("c", None, {**row, "id": 99}))])
    letters = "letters"
    file = sluice.config(topic, both(people), database, keyspace, dead_letters=f"{{table: {people}_{letters}}}")
    sluice.drain_file(file).expect(0)
    assert contents(database, keyspace, people) == [("Rome", 1, "Ada", "x"), ("Rome", 99, "Ada", "x")]
    found = database.rows(f"SELECT error FROM {people}_{letters} ORDER BY kafka_offset")
    assert len(found) == len(bad)
    for (error,), (_, why) in zip(found, bad, strict=True):
        assert why in error


def test_truncates_are_applied_in_their_order(sluice, make_topic, database, people, rng):
    topic = make_topic(1)
    log, state = [], {}
    for n in range(3000):
        row = {"city": "Rome", "id": rng.randrange(40), "name": f"n{n}", "doc": "x"}
        op = rng.choices("cdt", (20, 5, 0.2))[0]
        if op == "t":
            state.clear()
            log.append((None, envelope("t")))
        elif op == "c" or row["id"] not in state:
            state[row["id"]] = row["name"]
            log.append((f'{{"id":{row["id"]}}}', envelope("c", None, row)))
        else:
            del state[row["id"]]
            log.append((f'{{"id":{row["id"]}}}', envelope("d", row)))
    file = sluice.config(topic, follow("postgres", people, "\n      truncate: apply"), database)
    database.execute(f"INSERT INTO {people} VALUES ('Rome', 900, 'before', 'x')")
    for first, last in ((0, 2000), (2000, 2001), (2001, 3000)):
        topic.send_records(log[first:last])
        sluice.drain_file(file).expect(0)
    assert dict(database.rows(f"SELECT id, name FROM {people}")) == state
    sluice.run("reset", "--lane", "postgres", "-c", file, "--yes").expect(0)
    sluice.drain_file(file).expect(0)
    assert dict(database.rows(f"SELECT id, name FROM {people}")) == state


def test_a_truncate_without_an_order_is_refused(sluice, kafka, make_topic, database, people):
    file = sluice.config(make_topic(2), follow("postgres", people, "\n      truncate: apply"), database)
    sluice.drain_file(file).expect(3).has("2 partitions", "`truncate: apply` needs an order", "truncate: stop")
    topic = make_topic(1)
    file = sluice.config(topic, follow("postgres", people, "\n      truncate: apply"), database)
    run = sluice.start("run", "-c", file)
    topic.send(envelope("c", None, {"city": "Rome", "id": 1, "name": "Ada", "doc": "x"}), key='{"id":1}')
    eventually(lambda: database.value(f"SELECT count(*) FROM {people}") == 1)
    kafka.admin.create_partitions([NewPartitions(topic.name, 2)])[topic.name].result(30)
    run.wait_for("is stopped: .*2 partitions now", 60)
    run.stop()


@pytest.mark.parametrize("before, words", [
    ("CREATE TABLE child (city text, id int, FOREIGN KEY (city, id) REFERENCES {people})", "child has a foreign key to"),
    ("REVOKE TRUNCATE ON {people} FROM CURRENT_USER", "lacks TRUNCATE")])
def test_a_table_that_can_not_be_truncated(sluice, make_topic, database, people, before, words):
    database.execute(before.format(people=people))
    file = sluice.config(make_topic(1), follow("postgres", people, "\n      truncate: apply"), database)
    assert words in sluice.run("check", "-c", file).out
    sluice.drain_file(file).has(words)


def test_a_truncate_stops_until_somebody_passes_over_it(sluice, make_topic, database, keyspace, people):
    topic = make_topic(1)
    row = {"city": "Rome", "id": 1, "name": "Ada", "doc": "x"}
    topic.send_records([('{"id":1}', envelope("c", None, row)), (None, envelope("t")), ('{"id":2}', envelope("c", None, {**row, "id": 2}))])
    file = sluice.config(topic, follow("postgres", people), database)
    sluice.drain_file(file).expect(1).has("is stopped", "the source table was truncated", "sluice dlq skip")
    assert [row[1] for row in database.rows(f"SELECT * FROM {people}")] == [1]
    sluice.run("dlq", "skip", "-c", file, f"{topic.name}/0@1", "--lane", "postgres", "--yes").expect(0)
    sluice.drain_file(file).expect(0)
    assert sorted(row[1] for row in database.rows(f"SELECT * FROM {people}")) == [1, 2]
