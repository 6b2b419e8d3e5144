"""One event, many rows: `each`."""

import json

ORDERS = [{"id": n, "items": [{"sku": f"s{i}", "n": n * i} for i in range(n % 4)]} for n in range(200)]
ROWS = sorted((order["id"], line, item["sku"], item["n"])
              for order in ORDERS for line, item in enumerate(order["items"]))
TABLE = "CREATE TABLE {} (id int, line int, sku text, n int, PRIMARY KEY (id, line))"


def target(database, more=""):
    return (f"    {database}:\n      table: lines\n      each: value.items\n      mode: upsert\n      key: [id, line]\n"
            f'      columns: {{id: value.id, line: meta.item, "*": item.*}}\n{more}')


def test_each_item_is_a_row_of_both_databases(sluice, make_topic, database, own_keyspace):
    topic = make_topic(3)
    topic.send(*map(json.dumps, ORDERS))
    topic.send(*map(json.dumps, ({"id": 900}, {"id": 901, "items": None})))  # No item, no row.
    topic.send(*map(json.dumps, ({"id": 902, "items": {"sku": "x"}}, {"id": 903, "items": [{"n": 1}, {"n": "many"}]})))
    database.execute(TABLE.format("lines"))
    own_keyspace.create(TABLE.format("{ks}.lines"))
    file = sluice.config(topic, target("postgres") + target("cassandra"), database, own_keyspace, dead_letters="{table: dead_letters}")
    sluice.drain_file(file).expect(0)
    assert sorted(database.rows("SELECT id, line, sku, n FROM lines")) == ROWS
    assert sorted(own_keyspace.rows("SELECT id, line, sku, n FROM {ks}.lines")) == ROWS
    for letters in (database.rows("SELECT error FROM dead_letters"), own_keyspace.rows("SELECT error FROM {ks}.dead_letters")):
        told = sorted(row[0] for row in letters)
        assert len(told) == 2
        assert any("`value.items` is no array" in error for error in told)
        assert any("item 1, column lines.n" in error for error in told), "\n".join(told)


def test_two_items_with_one_key(sluice, make_topic, database, own_keyspace):
    """All rows of a record have one timestamp in Cassandra: there is no last one."""
    topic = make_topic(1)
    same = [{"sku": "a", "n": 1}, {"sku": "b", "n": 5}, {"sku": "a", "n": 2}]
    topic.send(*map(json.dumps, ({"id": 1, "items": same}, {"id": 2, "items": same[:2]})))
    database.execute("CREATE TABLE lines (sku text PRIMARY KEY, id int, n int)")
    own_keyspace.create("CREATE TABLE {ks}.lines (sku text PRIMARY KEY, id int, n int)")
    lane = "{}: {{table: lines, each: value.items, mode: upsert, key: sku, columns: {{id: value.id, \"*\": item.*}}}}\n"
    file = sluice.config(topic, "    " + lane.format("postgres") + "    " + lane.format("cassandra"), database, own_keyspace,
                         dead_letters="{table: dead_letters}")
    sluice.drain_file(file).expect(0)
    assert sorted(database.rows("SELECT sku, id, n FROM lines")) == [("a", 2, 1), ("b", 2, 5)]
    assert sorted(own_keyspace.rows("SELECT sku, id, n FROM {ks}.lines")) == [("a", 2, 1), ("b", 2, 5)]
    assert database.value("SELECT count(*) FROM dead_letters") == 0
    assert "another item of the record has the same primary key" in own_keyspace.rows("SELECT error FROM {ks}.dead_letters")[0][0]


def test_a_small_record_that_becomes_large_is_refused(sluice, make_topic, database):
    topic = make_topic(1)
    large = {"text": "x" * 900_000, "items": list(range(1000))}  # In each row again: 900 MB.
    many = {"text": "", "items": [0] * 400_000}
    topic.send(*(json.dumps(value, separators=(",", ":")) for value in (large, many, {"text": "y", "items": [1, 2]})))
    database.execute("CREATE TABLE t (id int, body text)")
    file = sluice.config(topic, "    postgres: {table: t, each: value.items, columns: {id: item, body: value.text}}\n", database,
                         dead_letters="{table: dead_letters}")
    run = sluice.drain_file(file)
    run.expect(0)
    assert database.rows("SELECT id, body FROM t ORDER BY 1") == [(1, "y"), (2, "y")]
    told = [row[0] for row in database.rows("SELECT error FROM dead_letters ORDER BY kafka_offset")]
    assert "the items' rows have" in told[0] and "`value.items` has 400000 items" in told[1], told


def test_the_table_is_made_of_what_the_items_are(sluice, make_topic, database):
    topic = make_topic(1)
    topic.send(*map(json.dumps, ORDERS))
    file = sluice.config(topic, target("postgres", "      create: true\n"), database)
    check = sluice.run("check", "-c", file, "--sample", "100").expect(0)
    sluice.drain_file(file).expect(0)
    assert sorted(database.rows("SELECT id, line, sku, n FROM lines")) == ROWS
    assert "CREATE TABLE" in check.out
    assert database.value("SELECT data_type FROM information_schema.columns WHERE table_name = 'lines' AND column_name = 'line'") == "integer"
