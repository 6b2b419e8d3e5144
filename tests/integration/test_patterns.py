"""Topics that a pattern finds, and tables that are named after topics and records."""

import json

import pytest
from servers import eventually


def reads(prefix):
    return f"  - topic_pattern: '{prefix}[.]public[.](.+)'"


def into(lane, name="{1}", more="mode: upsert, key: id"):
    return f'\n    key: string\n    {lane}: {{table: "{name}", {more}}}'


@pytest.fixture
def source(kafka, names, cleaner):
    """Makes topics under one prefix."""
    class Source:
        prefix = name = names.new()
        made = []

        def topic(self, name):
            self.made.append(f"{self.prefix}.{name}")
            kafka.create(self.made[-1], 1)

        def send(self, name, *values):
            kafka.send(f"{self.prefix}.{name}", [(None, json.dumps(value), {}) for value in values])
    made = Source()
    yield made
    for name in made.made:
        cleaner.submit(kafka.drop, name)


def test_every_topic_has_its_table_and_new_ones_are_taken(sluice, source, database, own_keyspace):
    for name in ("a", "big-orders"):
        table = name.replace("-", "_")
        database.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, n int)")
        own_keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY, n int)")
        source.topic(f"public.{name}")
        source.send(f"public.{name}", *({"id": n, "n": n} for n in range(10)))
    source.topic("transaction")
    source.send("transaction", {"status": "BEGIN"})
    file = sluice.config(source, into("postgres") + into("cassandra").replace("\n    key: string", ""), database, own_keyspace,
                         reads=reads(source.prefix))
    run = sluice.start("run", "-c", file)
    for table in ("a", "big_orders"):
        eventually(lambda: database.value(f"SELECT count(*) FROM {table}") == 10)  # pylint: disable=cell-var-from-loop
        eventually(lambda: len(own_keyspace.rows(f"SELECT id FROM {{ks}}.{table}")) == 10)  # pylint: disable=cell-var-from-loop

    # A topic without a table holds nobody back; in the database that has the table, it is taken.
    source.topic("public.late")
    source.send("public.late", {"id": 1, "n": 1})
    own_keyspace.create("CREATE TABLE {ks}.late (id int PRIMARY KEY, n int)")
    run.wait_for(f"postgres: topic '{source.prefix}.public.late' is left out for now: .*late.*", 40)
    run.wait_for(f"cassandra: takes the topic {source.prefix}.public.late from now on", 40)
    eventually(lambda: own_keyspace.rows("SELECT id FROM {ks}.late") == [(1,)])
    source.send("public.a", {"id": 11, "n": 11})
    eventually(lambda: database.value("SELECT count(*) FROM a") == 11)
    database.execute("CREATE TABLE late (id int PRIMARY KEY, n int)")
    eventually(lambda: database.rows("SELECT id FROM late") == [(1,)], 40)
    source.send("public.a", {"id": 12, "n": 12})
    source.send("public.late", {"id": 2, "n": 2})
    eventually(lambda: database.value("SELECT count(*) FROM a") == 12 and database.value("SELECT count(*) FROM late") == 2)
    eventually(lambda: len(own_keyspace.rows("SELECT id FROM {ks}.a")) == 12)
    run.stop().expect(0)
    assert run.count("left out for now") == 1
    assert "24 rows" in run.text()  # In all, whichever lane wrote them.


def test_a_pattern_that_finds_nothing_is_told(sluice, source, database):
    file = sluice.config(source, into("postgres"), database, reads=reads(source.prefix), start_timeout="2s")
    found = sluice.run("check", "-c", file).expect(3)
    found.has("problem  kafka: ", "no topic is there that topic_pattern finds", ":9:5")
    sluice.run("run", "-c", file).expect(3).has("can't start", "no topic is there that topic_pattern finds")
    sluice.run("reset", "-c", file, "--lane", "postgres", "--yes").expect(3).has("no topic is there")


def test_the_first_topic_may_come_later(sluice, source, database):
    database.execute("CREATE TABLE a (id int PRIMARY KEY, n int)")
    run = sluice.start("run", "-c", sluice.config(source, into("postgres"), database, reads=reads(source.prefix)))
    run.wait_for("no topic is there")
    source.topic("public.a")
    source.send("public.a", {"id": 1, "n": 1})
    eventually(lambda: database.value("SELECT count(*) FROM a") == 1)
    run.stop().expect(0)


def test_until_end_reads_what_is_there(sluice, source, database):
    for name in "ab":
        database.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, n int)")
        source.topic(f"public.{name}")
        source.send(f"public.{name}", {"id": 1, "n": 1}, {"id": 2, "n": 1})
    file = sluice.config(source, into("postgres"), database, reads=reads(source.prefix))
    sluice.run("check", "-c", file).expect(0)
    sluice.drain_file(file).expect(0)
    assert [database.value(f"SELECT count(*) FROM {name}") for name in "ab"] == [2, 2]
    sluice.run("reset", "-c", file, "--lane", "postgres", "--yes").expect(0)
    database.execute("TRUNCATE a, b")
    sluice.drain_file(file).expect(0)
    assert [database.value(f"SELECT count(*) FROM {name}") for name in "ab"] == [2, 2]


def test_a_field_chooses_the_table(sluice, make_topic, database, own_keyspace):
    topic = make_topic(2)
    for name in ("clicks", "views"):
        database.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, n int)")
        own_keyspace.create(f"CREATE TABLE {{ks}}.{name} (id int PRIMARY KEY, n int)")
    target = '\n      table: "{value.type}s"\n      tables: [click, view]\n      mode: upsert\n      key: id' \
             '\n      columns: {id: key, n: value.n}'
    file = sluice.config(topic, f"\n    postgres:{target}\n    cassandra:{target}", database, own_keyspace,
                         dead_letters="{table: lost}")
    kinds = ["click", "view", "view", "buy", None]
    topic.send_records([(str(n), json.dumps({"n": n, "type": kinds[n % 5]})) for n in range(50)], partition=0)
    topic.send_records([("0", None), ("1", None)], partition=0)
    sluice.drain_file(file).expect(0)
    for table, ids in (("clicks", range(5, 50, 5)), ("views", [n for n in range(3, 50) if n % 5 in (1, 2)])):
        extra = [2] if table == "views" else []
        assert database.rows(f"SELECT id FROM {table} ORDER BY id") == [(n,) for n in [*extra, *ids] if n > 1]
        assert sorted(own_keyspace.rows(f"SELECT id FROM {{ks}}.{table}")) == [(n,) for n in [*extra, *ids] if n > 1]
    reasons = database.rows("SELECT reason, count(*) FROM lost GROUP BY 1")
    assert [count for _, count in reasons] == [20]
    assert database.value("SELECT error FROM lost LIMIT 1").count("`value.type` names none of the tables click, view") == 1
