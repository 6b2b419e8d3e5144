"""`sluice check` finds every problem at once, exits 3, and writes nothing.

That it writes nothing, each server is asked for. PostgreSQL's log has every statement that modifies (log_statement=mod),
with the application's name, the user and the database; Cassandra's tables and Kafka's topics, records and groups are
compared before and after."""

import re

import pytest

MARK = "the log has come so far"
# "statement: COPY …" of the simple protocol, "execute <unnamed>: INSERT …" of the extended one.
LOGGED = re.compile(r"LOG:  (statement|execute [^:]*): ")


def marked(database, log):
    """The lines of PostgreSQL's log from `log`'s place on, once two statements of ours, one by each protocol, are in."""
    with database.connect() as connection:
        for prepare in (False, True):
            connection.execute(f"COMMENT ON DATABASE {database.name} IS '{MARK}'", prepare=prepare)
    lines = log.read().decode(errors="replace").splitlines()
    found = [line for line in lines if f"db={database.name} " in line and LOGGED.search(line)]
    assert sum(MARK in line for line in found) == 2, "the log shows both protocols"
    return found


class Unwritten:
    """What Cassandra and Kafka hold, as far as `check` could add to it. Names of other runs of the tests are not ours."""

    def __init__(self, cassandra, kafka, names):
        self.cassandra, self.kafka, self.names = cassandra, kafka, names

    def ours(self, name):
        return not name.startswith("it_") or name.startswith(self.names.run + "_")

    def look(self):
        tables = {(keyspace, table) for keyspace, table in self.cassandra.execute(
            "SELECT keyspace_name, table_name FROM system_schema.tables") if self.ours(keyspace)}
        keyspaces = {keyspace for keyspace, in self.cassandra.execute(
            "SELECT keyspace_name FROM system_schema.keyspaces") if self.ours(keyspace)}
        rows = {(keyspace, table, str(row)) for keyspace, table in tables
                if keyspace.startswith(self.names.run) and table != "events"
                for row in self.cassandra.execute(f"SELECT * FROM {keyspace}.{table}")}
        topics = {(name, len(topic.partitions)) for name, topic in
                  self.kafka.admin.list_topics(timeout=10).topics.items() if self.ours(name)}
        groups = {name for name in self.kafka.groups() if self.ours(name)}
        return {"keyspaces": keyspaces, "tables": tables, "rows": rows, "topics": topics, "groups": groups}


@pytest.fixture
def check(sluice, addresses, database, cassandra, kafka, names):
    """Runs `check`, and asks each server whether it wrote anything."""
    servers = Unwritten(cassandra, kafka, names)

    def run(*arguments, **environment):
        before = servers.look()
        with open(addresses.postgres_log, "rb") as log:
            log.seek(0, 2)
            done = sluice.run("check", *arguments, **environment)
            written = [line for line in marked(database, log) if "app=tests" not in line]
        assert written == []
        # What is gone meanwhile was another test's.
        new = {what: now - before[what] for what, now in servers.look().items()}
        assert not any(new.values()), new
        return done
    return run


def test_check_says_what_run_will_create(check, sluice, topic, database, own_keyspace):
    done = check(*sluice.flags(topic, database, own_keyspace)).expect(0)
    done.has("run will create the schema sluice").has("run will create: CREATE TABLE", "events")
    done.has("run will create: CREATE KEYSPACE").has("everything that run needs is there")
    assert not database.has("events") and not database.value("SELECT to_regnamespace('sluice') IS NOT NULL")


def test_what_check_found_good_runs(check, sluice, topic, database, keyspace):
    topic.send("1")
    check(*sluice.flags(topic, database, keyspace)).expect(0)
    sluice.drain(topic, database, keyspace).expect(0)
    assert database.value("SELECT count(*) FROM events") == 1


def test_every_problem_is_said_at_once(check, sluice, topic, database, keyspace, table):
    database.execute(f"CREATE TABLE {table} (id int, place box, must int NOT NULL)")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY, tags list<text>)")
    routes = f"""
    postgres:
      - table: missing
      - table: {table}
        columns:
          id: value.id
          plaice: value.p
          place: value.place
    cassandra:
      - table: missing
      - table: {table}
        columns:
          tags: value.tags
          idd: value.id
  - topic: {topic.name}_missing
"""
    file = sluice.config(topic, routes, database, keyspace)
    done = check("-c", file).expect(3)

    def place(text, nth=0):
        found = [number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line]
        return f"{file}:{found[nth]}:"
    done.has("postgres", "'missing' does not exist")
    done.has(place("plaice"), "no column 'plaice'", "did you mean 'place'?")
    done.has(place("place: value.place"), "type box", "not supported")
    done.has("column 'must' of table", "is NOT NULL", "nothing fills it")
    done.has("cassandra", "missing' does not exist")
    done.has(place("tags"), "list<text>", "not supported")
    done.has(place("idd"), "no column 'idd'", "did you mean 'id'?")
    done.has("'id' belongs to the primary key")
    done.has("kafka", place(f"{topic.name}_missing"), "create the topic")
    problems = len(done.lines("problem  "))
    assert problems >= 9 and done.has(f"{problems} problems")


def test_missing_topic(check, sluice, topic, database):
    topic.name += "_missing"
    check(*sluice.flags(topic, database)).expect(3).has("problem  kafka", topic.name)


def as_role(sluice, database, topic, names, route, *grants, check):
    role = names.new()
    database.url = database.create_role(role, *grants)
    return check("-c", sluice.config(topic, route, database), PGPASSWORD="secret")


def test_missing_privileges_on_a_table(check, sluice, topic, database, names):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    done = as_role(sluice, database, topic, names,
                   "    postgres: {table: t, mode: upsert, key: id}",
                   "GRANT SELECT, UPDATE ON t TO {role}", check=check)
    done.expect(3).has("lacks INSERT, DELETE on table", "GRANT INSERT, DELETE ON")


def test_missing_right_to_make_the_offsets_table(check, sluice, topic, database, names):
    database.execute("CREATE TABLE t (id int)")
    done = as_role(sluice, database, topic, names, "    postgres: {table: t}",
                   "GRANT ALL ON t TO {role}", check=check)
    done.expect(3).has("tables for offsets are missing", "CREATE SCHEMA IF NOT EXISTS")


def test_missing_right_to_make_the_events_table(check, sluice, topic, database, names):
    done = as_role(sluice, database, topic, names, "    postgres: true", check=check)
    done.expect(3).has("'events' is missing", "CREATE TABLE IF NOT EXISTS")


def test_missing_right_to_make_temporary_tables(check, sluice, topic, database, names):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v text)",
                     f"REVOKE TEMPORARY ON DATABASE {database.name} FROM PUBLIC")
    done = as_role(sluice, database, topic, names,
                   "    postgres: {table: t, mode: upsert, key: id}",
                   "GRANT ALL ON t TO {role}", check=check)
    done.expect(3).has("may not create temporary tables", "GRANT TEMPORARY")


def test_missing_privilege_in_cassandra(check, sluice, topic, cassandra, keyspace, table, names):
    role = names.new()
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY)")
    cassandra.execute(f"CREATE ROLE {role} WITH PASSWORD = 'secret' AND LOGIN = true")
    cassandra.execute(f"GRANT SELECT ON KEYSPACE {keyspace.name} TO {role}")
    try:
        file = sluice.config(topic, f"    cassandra: {{table: {table}}}", None, keyspace, username=role)
        done = check("-c", file, CASSANDRA_PASSWORD="secret").expect(3)
        done.has("problem  cassandra", "lacks MODIFY on table", "GRANT MODIFY")
    finally:
        cassandra.execute(f"DROP ROLE {role}")


def test_missing_table(check, sluice, topic, database):
    file = sluice.config(topic, "    postgres: {table: public.nowhere}", database)
    check("-c", file).expect(3).has(f"{file}:", "'public.nowhere' does not exist")


def test_missing_column_names_the_nearest(check, sluice, topic, database):
    database.execute("CREATE TABLE t (customer text)")
    file = sluice.config(topic, "    postgres: {table: t, columns: {custmer: value.c}}", database)
    check("-c", file).expect(3).has("no column 'custmer'", "did you mean 'customer'?")


@pytest.mark.parametrize("type_", ["inet[]", "inet", "int4range", "box", "money"])
def test_column_of_an_unsupported_type(check, sluice, topic, database, type_):
    database.execute(f"CREATE TABLE t (id int, odd {type_})")
    file = sluice.config(topic, "    postgres: {table: t}", database)
    check("-c", file).expect(3).has("'odd' of table", "has the type", "not supported")


def test_not_null_column_without_a_source(check, sluice, topic, database):
    database.execute("CREATE TABLE t (id int, must text NOT NULL, fine text NOT NULL DEFAULT 'x')")
    file = sluice.config(topic, "    postgres: {table: t, columns: {id: value.id}}", database)
    done = check("-c", file).expect(3)
    done.has("column 'must' of table", "is NOT NULL").lacks("'fine'")


def test_counters_are_refused(check, sluice, topic, keyspace, table):
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY, n counter)")
    file = sluice.config(topic, f"    cassandra: {{table: {table}}}", None, keyspace)
    check("-c", file).expect(3).has("counter")


def test_a_view_is_no_table(check, sluice, topic, database):
    database.execute("CREATE VIEW v AS SELECT 1 AS id")
    file = sluice.config(topic, "    postgres: {table: v}", database)
    check("-c", file).expect(3).has("'v' is not a table")


@pytest.mark.slow
def test_unreachable_servers_are_all_named(check, sluice, topic, database, keyspace):
    flags = sluice.flags(topic, database, keyspace)
    flags = [re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:1", flag) for flag in flags]
    done = check(*flags).expect(3)
    for server in ("kafka", "postgres", "cassandra"):
        done.has("problem  " + server)


def test_wrong_passwords_are_both_named(check, sluice, topic, database, keyspace):
    done = check(*sluice.flags(topic, database, keyspace), PGPASSWORD="wr0ng", CASSANDRA_PASSWORD="wr0ng")
    done.expect(3).has("problem  postgres", "28P01").has("problem  cassandra")
    done.lacks("wr0ng")


def test_check_of_a_pipeline_with_progress_finds_nothing(check, sluice, topic, database, keyspace):
    topic.send("1")
    sluice.drain(topic, database, keyspace).expect(0)
    ends = topic.kafka.ends(topic.name)
    check(*sluice.flags(topic, database, keyspace)).expect(0)
    assert topic.kafka.ends(topic.name) == topic.kafka.committed(f"{topic.name}.cassandra", topic.name) == ends


def test_privileges_on_existing_offsets_are_checked(check, sluice, topic, database, names):
    topic.send("1")
    sluice.drain(topic, database).expect(0)
    role = names.new()
    database.url = database.create_role(role, "GRANT USAGE ON SCHEMA sluice TO {role}",
                                        "GRANT SELECT ON ALL TABLES IN SCHEMA sluice TO {role}",
                                        "GRANT ALL ON events TO {role}")
    done = check(*sluice.flags(topic, database), PGPASSWORD="secret").expect(3)
    done.has("lacks SELECT, INSERT or UPDATE on", "offsets")


def test_what_a_first_start_reads_in_cassandra_is_checked(check, sluice, topic, cassandra, keyspace, table,
                                                          names):
    """It looks whether the table has rows that no progress accounts for."""
    role = names.new()
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY)")
    cassandra.execute(f"CREATE ROLE {role} WITH PASSWORD = 'secret' AND LOGIN = true")
    cassandra.execute(f"GRANT MODIFY ON KEYSPACE {keyspace.name} TO {role}")
    try:
        file = sluice.config(topic, f"    cassandra: {{table: {table}}}", None, keyspace, username=role)
        done = check("-c", file, CASSANDRA_PASSWORD="secret").expect(3)
        done.has("problem  cassandra", f"lacks SELECT on table {table}",
                 f'GRANT SELECT ON TABLE "{keyspace.name}"."{table}" TO "{role}"')
    finally:
        cassandra.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("partitions, target, warned", [
    (3, "mode: upsert, key: [id], columns: {id: value.id}", "column 'id' of the key of t is not taken from"),
    (3, "mode: upsert, key: [id]", "column 'id' of the key of t is not taken from"),
    (3, "mode: upsert, key: [id], columns: {id: key}", None),
    (1, "mode: upsert, key: [id], columns: {id: value.id}", None),
    (3, "mode: append", None),
    (3, "mode: delete, key: [id], columns: {id: value.id}", None),
])
def test_a_key_that_is_not_the_records_key_is_warned_of(sluice, make_topic, database, partitions, target, warned):
    database.execute("CREATE TABLE t (id text PRIMARY KEY)")
    file = sluice.config(make_topic(partitions), f"    postgres: {{table: t, {target}}}", database)
    done = sluice.run("check", "-c", file).expect(0)
    warnings = [line for line in done.lines("warning ") if line.startswith("warning")]
    assert len(warnings) == (1 if warned else 0)
    if warned:
        assert warned in warnings[0] and "mode: upsert_newer" in warnings[0]


def test_several_topics_of_one_upsert_are_warned_of(sluice, make_topic, database):
    database.execute("CREATE TABLE t (id text PRIMARY KEY)")
    one, two = make_topic(1), make_topic(1)
    file = sluice.config(one, "    postgres: {table: t, mode: upsert, key: [id], columns: {id: key}}", database)
    with open(file) as reader:
        text = reader.read().replace(f"topic: {one.name}", f"topics: [{one.name}, {two.name}]")
    with open(file, "w") as writer:
        writer.write(text)
    sluice.run("check", "-c", file).expect(0).has("several topics feed the rows of t")


def test_a_sample_tells_what_would_become_of_records(sluice, make_topic, database, keyspace, table):
    topic = make_topic(2)
    database.execute(f"CREATE TABLE {table} (id text PRIMARY KEY, n smallint, name varchar(3))")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id text PRIMARY KEY, n smallint, name text)")
    records = [(str(n), f'{{"n": {n}, "name": "x"}}') for n in range(100)]
    records += [("a", '{"n": 70000}'), ("b", '{"n": 80000}'), ("c", '{"name": "long"}'), ("d", "no JSON"), ("7", None)]
    topic.send_records(records)
    target = f"{{table: {table}, mode: upsert, key: id, columns: {{id: key, n: value.n, name: value.name}}}}"
    file = sluice.config(topic, f"    postgres: {target}\n    cassandra: {target}\n", database, keyspace)
    check = sluice.run("check", "-c", file, "--sample", "1000").expect(0)
    sampled = f"topic {topic.name}: of 105 sampled records"
    assert f"ok       postgres: {sampled} 4 would be refused, 0 have no row; the others give 100 rows and 1 deletes" in check.out
    assert f"ok       cassandra: {sampled} 3 would be refused, 0 have no row; the others give 101 rows and 1 deletes" in check.out
    refused = rf"^warning +postgres: (\d) of 105 sampled records of topic {topic.name} would be refused, the first: .*(n|name|no value|JSON)\b"
    assert len(re.findall(refused, check.out, re.M)) == 3, check.out
    assert re.search(rf"warning +postgres: 2 of 105 .*{table}.n", check.out), "the two of one column are one line"
    assert database.value(f"SELECT count(*) FROM {table}") == 0
    sluice.run("check", "-c", file, "--sample", "0").expect(2)
