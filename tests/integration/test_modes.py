"""The keyed modes beside upsert, conditions, and deletes that a field tells."""

import json

import pytest


def target(mode, columns, key="[id]", **settings):
    more = "".join(f", {name}: {value}" for name, value in settings.items())
    return f"    postgres: {{table: t, mode: {mode}, key: {key}, columns: {columns}{more}}}\n"


def send_random(topic, rng, count, keys=60, tombstones=True):
    """Keys of one partition each; returns the log in its order as (key, value or None)."""
    log = []
    for i in range(count):
        key = f"k{rng.randrange(keys)}"
        value = {"v": rng.randrange(-500, 500), "n": i}
        if rng.random() < 0.5:
            value["s"] = rng.choice([f"s{i}", None])
        if tombstones and rng.random() < 0.15:
            value = None
        log.append((key, value))
    topic.send_records([(key, None if value is None else json.dumps(value)) for key, value in log])
    return log


def folded(mode, log, before):
    """One pass over the log, one record at a time."""
    state = {key: dict(row) for key, row in before.items()}
    for key, value in log:
        row = state.get(key)
        if mode == "delete" or value is None:
            state.pop(key, None)
        elif mode == "insert_ignore":
            state.setdefault(key, {"v": value["v"], "n": value["n"], "s": value.get("s")})
        elif mode == "update" and row is not None:
            row.update(value)
        elif mode == "upsert_newer" and (row is None or row["v"] is None or row["v"] < value["v"]):
            state[key] = {"v": value["v"], "n": value["n"], "s": value.get("s")}
    return state


@pytest.mark.parametrize("mode", ["insert_ignore", "upsert_newer", "update", "delete"])
def test_a_mode_ends_as_one_pass_over_the_log_does(sluice, make_topic, database, rng, mode):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id text PRIMARY KEY, v bigint, n bigint, s text)")
    before = {f"k{i}": {"v": i - 40 if i % 3 else None, "n": -1, "s": "old"} for i in range(0, 90, 2)}
    for key, row in before.items():
        database.execute(f"INSERT INTO t VALUES ('{key}', {'NULL' if row['v'] is None else row['v']}, -1, 'old')")
    settings = {"version": "v"} if mode == "upsert_newer" else {}
    columns = "{id: key}" if mode == "delete" else "{id: key, v: value.v, n: value.n, s: value.s}"
    file = sluice.config(topic, target(mode, columns, **settings), database)
    log = []
    for count in (2000, 30, 700):  # Folded in batches, and held against what is stored.
        log += send_random(topic, rng, count, tombstones=mode != "upsert_newer")
        sluice.drain_file(file).expect(0)
    found = {row[0]: dict(zip("vns", row[1:])) for row in database.rows("SELECT id, v, n, s FROM t")}
    assert found == folded(mode, log, before)


def test_the_newest_version_stays_in_cassandra(sluice, make_topic, database, keyspace, table, rng):
    """Each version once: of two records with one version the databases keep different ones."""
    topic = make_topic(1)
    versions = rng.sample(range(-5000, 5000), 2000)
    log = [(f"k{rng.randrange(40)}", {"v": v, "n": v, **({"s": f"s{v}"} if v % 2 else {})}) for v in versions]
    topic.send_records([(key, json.dumps(value)) for key, value in log])
    definition = f"{table} (id text PRIMARY KEY, v bigint, n bigint, s text)"
    database.execute(f"CREATE TABLE {definition}")
    keyspace.create(f"CREATE TABLE {{ks}}.{definition}")
    route = "".join(f"    {name}: {{table: {table}, mode: upsert_newer, key: [id], version: v, columns: "
                    "{id: key, v: value.v, n: value.n, s: value.s}}\n" for name in ("postgres", "cassandra"))
    sluice.drain_file(sluice.config(topic, route, database, keyspace)).expect(0)
    expected = folded("upsert_newer", log, {})
    for rows in (database.rows(f"SELECT id, v, n, s FROM {table}"), keyspace.rows(f"SELECT id, v, n, s FROM {{ks}}.{table}")):
        assert {row[0]: dict(zip("vns", row[1:])) for row in rows} == expected


def test_a_version_may_be_a_time(sluice, make_topic, database, keyspace, table):
    topic = make_topic(1)
    for at, n in (("2024-05-01T00:00:00.002Z", 1), ("2024-05-01T00:00:00.001Z", 2),
                  ("1969-12-31T23:59:59Z", 3), ("2024-05-01T00:00:00.003Z", 4), ("1970-01-01T00:00:00Z", 5)):
        topic.send(json.dumps({"at": at, "n": n}), key="k")
    database.execute(f"CREATE TABLE {table} (id text PRIMARY KEY, at timestamptz, n int)")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id text PRIMARY KEY, at timestamp, n int)")
    route = "".join(f"    {name}: {{table: {table}, mode: upsert_newer, key: [id], version: at, columns: "
                    "{id: key, at: value.at, n: value.n}}\n" for name in ("postgres", "cassandra"))
    sluice.drain_file(sluice.config(topic, route, database, keyspace)).expect(0)
    assert database.rows(f"SELECT n FROM {table}") == [(4,)]
    assert [tuple(row) for row in keyspace.rows(f"SELECT n FROM {{ks}}.{table}")] == [(4,)]


@pytest.mark.parametrize("value, words", [(None, "a row that is gone has no version"),
                                          ('{"n": 1}', "has no version"), ('{"v": null}', "has no version")])
def test_without_a_version_a_record_is_refused(sluice, make_topic, database, value, words):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id text PRIMARY KEY, v bigint)")
    topic.send_records([("a", '{"v": 1}'), ("a", value), ("b", '{"v": 2}')])
    route = target("upsert_newer", "{id: key, v: value.v}", version="v")
    done = sluice.drain_file(sluice.config(topic, route, database, dead_letters="{table: lost}")).expect(0)
    done.has("1 records went to the dead letters")
    assert words in database.value("SELECT reason || error FROM lost")
    assert database.rows("SELECT id, v FROM t ORDER BY id") == [("a", 1), ("b", 2)]


def test_a_field_tells_that_a_row_is_deleted(sluice, make_topic, database, keyspace, table):
    """Debezium's ExtractNewRecordState with delete.tombstone.handling.mode=rewrite."""
    topic = make_topic(1)
    unsent = "__debezium_unavailable_value"
    for value in ({"id": 1, "s": "a", "__deleted": "false"}, {"id": 2, "s": "b", "__deleted": "false"},
                  {"id": 3, "s": "c", "__deleted": "false"}, {"id": 2, "s": None, "__deleted": "true"},
                  {"id": 3, "s": unsent, "__deleted": "false"}, {"id": 1, "s": "A"},
                  {"id": 4, "s": "d", "__deleted": True}, {"id": 5, "s": "e", "__deleted": "no"}):
        topic.send(json.dumps(value), key=json.dumps({"id": value["id"]}))
    database.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, s text)")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY, s text)")
    route = "".join(f"    {name}: {{table: {table}, mode: upsert, key: [id], deleted: {{when: value.__deleted}}, "
                    f"unavailable: {unsent}, columns: {{id: value.id, s: value.s}}}}\n"
                    for name in ("postgres", "cassandra"))
    sluice.drain_file(sluice.config(topic, route, database, keyspace)).expect(0)
    expected = [(1, "A"), (3, "c"), (5, "e")]
    assert database.rows(f"SELECT id, s FROM {table} ORDER BY id") == expected
    assert sorted(tuple(row) for row in keyspace.rows(f"SELECT id, s FROM {{ks}}.{table}")) == expected


@pytest.mark.parametrize("create", [False, True])
def test_what_is_deleted_may_be_marked(sluice, make_topic, database, own_keyspace, create):
    """A role without DELETE is enough for it."""
    topic = make_topic(1)
    topic.send_records([("a", '{"n": 1}'), ("b", '{"n": 2}'), ("c", '{"n": 3}'), ("a", None), ("b", '{"gone": true}'), ("d", None)])
    if not create:
        definition = "t (id text PRIMARY KEY, n bigint, is_gone boolean)"
        database.execute(f"CREATE TABLE {definition}")
        database.execute("REVOKE DELETE ON t FROM CURRENT_USER")
        own_keyspace.create(f"CREATE TABLE {{ks}}.{definition}")
    more = ", create: true" if create else ""
    route = "".join(f"    {name}: {{table: t, mode: upsert, key: [id], deleted: {{when: value.gone, column: is_gone}}, "
                    f"columns: {{id: key, n: value.n}}{more}}}\n" for name in ("postgres", "cassandra"))
    file = sluice.config(topic, route, database, own_keyspace)
    expected = [("a", 1, True), ("b", 2, True), ("c", 3, False), ("d", None, True)]
    sluice.drain_file(file).expect(0)
    assert database.rows("SELECT id, n, is_gone FROM t ORDER BY id") == expected
    assert sorted(tuple(row) for row in own_keyspace.rows("SELECT id, n, is_gone FROM {ks}.t")) == expected
    topic.send_records([("a", '{"n": 5}'), ("c", None)])
    sluice.drain_file(file).expect(0)
    expected = [("a", 5, False), ("b", 2, True), ("c", 3, True), ("d", None, True)]
    assert database.rows("SELECT id, n, is_gone FROM t ORDER BY id") == expected
    assert sorted(tuple(row) for row in own_keyspace.rows("SELECT id, n, is_gone FROM {ks}.t")) == expected


def test_each_kind_of_event_goes_to_its_table(sluice, make_topic, database):
    topic = make_topic(1)
    for i, kind in enumerate(["order", "return", "order", "visit", None, 7, True]):
        topic.send(json.dumps({"id": i, "type": kind}), headers=[("region", b"eu" if i < 2 else b"us")])
    topic.send('{"id": 7}')
    for name in ("orders", "europe", "others"):
        database.execute(f"CREATE TABLE {name} (id int)")
    route = """    postgres:
      - {table: orders, when: {value.type: order}}
      - {table: europe, when: {value.type: [order, return], headers.region: eu}}
      - {table: others, when: {value.type: [null, 7, true]}}
"""
    sluice.drain_file(sluice.config(topic, route, database)).expect(0)
    assert [row[0] for row in database.rows("SELECT id FROM orders ORDER BY id")] == [0, 2]
    assert [row[0] for row in database.rows("SELECT id FROM europe ORDER BY id")] == [0, 1]
    assert [row[0] for row in database.rows("SELECT id FROM others ORDER BY id")] == [4, 5, 6, 7]


def test_a_tombstone_deletes_in_each_table_that_the_key_is_in(sluice, make_topic, database):
    topic = make_topic(1)
    topic.send_records([("a", '{"type": "x"}'), ("b", '{"type": "y"}'), ("c", '{"type": "x"}'), ("a", None), ("b", None)])
    for name in ("x", "y"):
        database.execute(f"CREATE TABLE {name} (id text PRIMARY KEY)")
    route = "    postgres:\n" + "".join(
        f"      - {{table: {name}, mode: upsert, key: id, columns: {{id: key}}, when: {{value.type: {name}}}}}\n"
        for name in ("x", "y"))
    sluice.drain_file(sluice.config(topic, route, database)).expect(0)
    assert database.rows("SELECT id FROM x") == [("c",)]
    assert database.rows("SELECT id FROM y") == []


@pytest.mark.parametrize("definition, settings, words", [
    ("id text PRIMARY KEY, v text", {"mode": "upsert_newer", "version": "v"}, "a version is smallint"),
    ("id text PRIMARY KEY, v int", {"mode": "upsert_newer", "version": "w"}, "no column of t"),
    ("id text, v int", {"mode": "update"}, "no unique index"),
])
def test_a_mode_that_the_table_is_not_made_for_is_told(sluice, make_topic, database, definition, settings, words):
    database.execute(f"CREATE TABLE t ({definition})")
    route = target(settings.pop("mode"), "{id: key, v: value.v}", **settings)
    sluice.drain_file(sluice.config(make_topic(1), route, database)).expect(3).has(words)
