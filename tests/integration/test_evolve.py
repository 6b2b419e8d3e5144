"""Columns that a schema brings while a pipeline runs (`evolve: add_columns`)."""

import json

from servers import eventually
from test_changes import both, follow
from test_create import cassandra_types, types

EVOLVE = "\n      evolve: add_columns"


def field(field_name, kind, **more):
    return {"field": field_name, "type": kind, "optional": True, **more}


def event(fields, **row):
    """A change event with its schema, as Debezium's source writes it."""
    shape = {"type": "struct", "optional": True, "fields": fields}
    schema = {"type": "struct", "fields": [{**shape, "field": "before"}, {**shape, "field": "after"}, field("op", "string")]}
    return json.dumps({"schema": schema, "payload": {"before": None, "after": row, "op": "c"}})


ID, NAME = field("id", "int32"), field("name", "string")
AT = field("at", "int64", name="io.debezium.time.Timestamp")
TAGS = field("tags", "array", items={"type": "string", "optional": True})


def test_a_field_that_a_schema_brings_becomes_a_column(sluice, make_topic, database, keyspace, table):
    topic = make_topic(2)
    database.execute(f"CREATE TABLE {table} (id int PRIMARY KEY)")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY)")
    run = sluice.start("run", "-c", sluice.config(topic, both(table, EVOLVE), database, keyspace))
    for n in range(40):
        topic.send(event([ID], id=n), partition=n % 2)
    for n in range(40, 80):
        topic.send(event([ID, NAME], id=n, name=f"n{n}"), partition=n % 2)
    for n in range(80, 120):
        topic.send(event([ID, NAME, AT, TAGS], id=n, name="x", at=1000 * n, tags=["a"]), partition=n % 2)
    for n in range(120, 140):
        topic.send(event([ID], id=n), partition=n % 2)
    eventually(lambda: database.value(f"SELECT count(*) FROM {table}") == 140)
    eventually(lambda: len(keyspace.rows(f"SELECT id FROM {{ks}}.{table}")) == 140)
    run.stop().expect(0)
    assert run.count(f"table '{table}' gets columns: ") >= 2
    assert types(database, table) == {"id": "integer", "name": "text", "at": "timestamp without time zone", "tags": "text[]"}
    assert cassandra_types(keyspace, table) == {"id": "int", "name": "text", "at": "timestamp", "tags": "frozen<list<text>>"}
    rows = f"SELECT id, name, extract(epoch FROM at)::int, tags FROM {table} ORDER BY id"
    assert database.rows(rows) == [
        (n, None if n < 40 or n >= 120 else f"n{n}" if n < 80 else "x", n if 80 <= n < 120 else None, ["a"] if 80 <= n < 120 else None)
        for n in range(140)]
    found = {row[0]: row[1:] for row in keyspace.rows(f"SELECT id, name, tags FROM {{ks}}.{table}")}
    assert found[7] == (None, None) and found[77] == ("n77", None) and found[97] == ("x", ["a"])


def test_several_processes_add_a_column_once(sluice, make_topic, database, own_keyspace):
    topic = make_topic(6)
    database.execute("CREATE TABLE t (id int PRIMARY KEY)")
    own_keyspace.create("CREATE TABLE {ks}.t (id int PRIMARY KEY)")
    file = sluice.config(topic, both("t", EVOLVE), database, own_keyspace)
    runs = [sluice.start("run", "-c", file) for _ in range(3)]
    for run in runs:
        run.wait_for("running", times=1)
    for n in range(600):
        topic.send(event([ID, NAME] if n >= 300 else [ID], id=n, **({"name": str(n)} if n >= 300 else {})), partition=n % 6)
    eventually(lambda: database.value("SELECT count(name) FROM t") == 300, 60)
    eventually(lambda: len(own_keyspace.rows("SELECT id FROM {ks}.t")) == 600, 60)
    for run in runs:
        run.stop().expect(0)
    assert database.rows("SELECT count(*), count(*) FILTER (WHERE name = id::text) FROM t") == [(600, 300)]
    assert sum(name == str(id_) for id_, name in own_keyspace.rows("SELECT id, name FROM {ks}.t")) == 300


def test_a_locked_table_gets_its_column_when_it_is_free(sluice, make_topic, database):
    topic, other = make_topic(1), make_topic(1)
    database.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    route = follow("postgres", "t", EVOLVE) + f"\n  - topic: {other.name}\n    postgres: {{table: u, mode: upsert, key: id}}"
    run = sluice.start("run", "-c", sluice.config(topic, route, database))
    topic.send(event([ID], id=1))
    eventually(lambda: database.value("SELECT count(*) FROM t") == 1)
    with database.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE")
        topic.send(event([ID, NAME], id=2, name="b"))
        run.wait_for("columns can't be added, tried again: .*55P03")
        other.send('{"id": 1}')
        eventually(lambda: database.value("SELECT count(*) FROM u") == 1, what="another table's rows come")
        holder.execute("ROLLBACK")
    eventually(lambda: database.value("SELECT count(*) FROM t") == 2)
    run.stop().expect(0)
    assert database.rows("SELECT * FROM t ORDER BY id") == [(1, None), (2, "b")]


def test_a_role_that_may_not_add_columns_is_told(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int PRIMARY KEY)")
    topic.send(event([ID, field("a-b", "string")], id=1, **{"a-b": "x"}))
    topic.send(event([ID, field("c" * 64, "string")], id=2, **{"c" * 64: "x"}))
    done = sluice.drain_file(sluice.config(topic, follow("postgres", "t", EVOLVE), database)).expect(1)
    done.line("can't be a column", "PostgreSQL allows 1 to 63 bytes", "did not reach its end")
    assert database.rows('SELECT id, "a-b" FROM t') == [(1, "x")]
