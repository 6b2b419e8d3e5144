"""`sluice init`: what it proposes, run unchanged."""

import json

import pytest
from servers import ROOT, eventually
from test_create import types

EARTHQUAKES = ROOT / "examples/earthquakes/earthquakes.ndjson"


@pytest.fixture
def propose(sluice, database, own_keyspace, tmp_path):
    """Proposes a configuration for a topic; gives the file."""
    def make(topic):
        done = sluice.run("init", *sluice.flags(topic, database, own_keyspace)).expect(0)
        file = tmp_path / "proposed.yaml"
        file.write_text(done.out)
        return file
    return make


def counts(database, own_keyspace, table):
    return database.value(f"SELECT count(*) FROM {table}"), len(own_keyspace.rows(f"SELECT * FROM {{ks}}.{table}"))


def test_the_earthquakes(sluice, make_topic, database, own_keyspace, propose):
    topic = make_topic(3)
    lines = [json.loads(line) for line in EARTHQUAKES.read_text().splitlines()]
    topic.send_records([(line["id"], json.dumps(line)) for line in lines])
    file = propose(topic)
    text = file.read_text()
    assert "key: [id]" in text and "every record's key is its value.id" in text
    assert "{from: value.properties.time, unit: ms}" in text
    sluice.run("check", "-c", file).expect(0)
    sluice.drain_file(file).expect(0)
    table = topic.name
    ids = {line["id"] for line in lines}
    assert counts(database, own_keyspace, table) == (len(ids), len(ids))
    last = {line["id"]: line["properties"] for line in lines}
    for id_, mag, place, ms in database.rows(f"SELECT id, mag::float8, place, extract(epoch FROM time) * 1000 FROM {table}"):
        assert (mag, place, int(ms)) == (last[id_]["mag"], last[id_]["place"], last[id_]["time"])


def test_change_events_with_and_without_schemas(sluice, make_topic, database, own_keyspace, propose):
    fields = [{"field": "id", "type": "int64", "optional": False}, {"field": "name", "type": "string", "optional": True},
              {"field": "at", "type": "int64", "optional": True, "name": "io.debezium.time.Timestamp"}]
    row = {"type": "struct", "optional": True, "fields": fields}
    schema = {"type": "struct", "fields": [{**row, "field": "before"}, {**row, "field": "after"}, {"field": "op", "type": "string"}]}
    key_schema = {"type": "struct", "fields": fields[:1]}
    for with_schema in (True, False):
        topic = make_topic(1)

        def whole(schema_, payload):
            return json.dumps({"schema": schema_, "payload": payload} if with_schema else payload)  # pylint: disable=cell-var-from-loop
        records = [(whole(key_schema, {"id": n}), whole(schema, {"before": None, "op": "c", "after": {
            "id": n, "name": f"n{n}", "at": 1000 * n}})) for n in range(20)]
        records += [(whole(key_schema, {"id": 3}), whole(schema, {"before": {"id": 3}, "after": None, "op": "d"})),
                    (whole(key_schema, {"id": 3}), None)]
        topic.send_records(records)
        file = propose(topic)
        assert "mode: changes" in file.read_text() and "1 tombstones" in file.read_text()
        sluice.drain_file(file).expect(0)
        assert counts(database, own_keyspace, topic.name) == (19, 19)
        assert types(database, topic.name)["at"] == ("timestamp without time zone" if with_schema else "bigint")


def test_records_without_a_key(sluice, make_topic, database, own_keyspace, propose):
    topic = make_topic(2)
    topic.send(*(json.dumps({"n": n % 3, "odd name": {"deep-er": n}, "list": [n]}) for n in range(30)))
    file = propose(topic)
    assert "mode: append" in file.read_text()
    sluice.drain_file(file).expect(0)
    assert counts(database, own_keyspace, topic.name) == (30, 30)
    assert sorted(database.rows(f"SELECT deep_er, list->0 FROM {topic.name}")) == [(n, n) for n in range(30)]


def test_flattened_records_and_keys_that_are_guessed(sluice, make_topic, database, own_keyspace, propose):
    topic = make_topic(1)
    topic.send(*(json.dumps({"order_id": n, "__deleted": "true" if n == 5 else "false"}) for n in range(10)))
    file = propose(topic)
    assert "a guess: no value of it comes twice" in file.read_text() and "deleted: {when: " in file.read_text()
    sluice.drain_file(file).expect(0)
    assert counts(database, own_keyspace, topic.name) == (9, 9)


def test_texts_and_bytes(sluice, make_topic, database, own_keyspace, propose):
    topic = make_topic(1)
    topic.send("a line", "another")
    file = propose(topic)
    assert "value: string" in file.read_text() and "postgres: true" in file.read_text()
    sluice.drain_file(file).expect(0)
    eventually(lambda: database.value("SELECT count(*) FROM events") == 2)
    other = make_topic(1)
    other.send(b"\x00\x00\x00\x00\x07\xff\xfe")
    assert "a schema registry's" in propose(other).read_text()


def test_nothing_to_look_at(sluice, make_topic, database):
    topic = make_topic(1)
    sluice.run("init", *sluice.flags(topic, database)).expect(3).has("it has no records to look at")
    topic.name = "no_such_topic_at_all"
    sluice.run("init", *sluice.flags(topic, database)).expect(3).has("no_such_topic_at_all")
