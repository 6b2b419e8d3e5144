"""What `run` does where something is missing: one clear line, and the right exit code."""

import socket

import pytest
import verify
from servers import eventually

NOWHERE = "127.0.0.1:1"  # Nothing listens there.


def unreachable(database, keyspace):
    """Places like these, at a port where nobody answers."""
    class Elsewhere:
        pass
    postgres, cassandra = Elsewhere(), Elsewhere()
    postgres.url = f"postgresql://sluice@{NOWHERE}/{database.name}"
    cassandra.address = f"{NOWHERE}/{keyspace.name}"
    return postgres, cassandra


def one_clear_line(done, *words):
    """The reason stands in one line that ends the run; the code is 3."""
    done.expect(3)
    found = [line for line in done.lines(*words) if "error" in line]
    assert found, f"no error line with {words} in:\n{done.err}"
    return found[-1]


def test_wrong_postgres_password(sluice, topic, database):
    done = sluice.run("run", *sluice.flags(topic, database), PGPASSWORD="wrong-secret")
    one_clear_line(done, "28P01", "check user and password")
    done.lacks("wrong-secret")


def test_wrong_cassandra_password(sluice, topic, keyspace):
    done = sluice.run("run", *sluice.flags(topic, None, keyspace), CASSANDRA_PASSWORD="wrong-secret")
    one_clear_line(done, "password")
    done.lacks("wrong-secret")


def test_missing_database(sluice, topic, database):
    database.url += "_missing"
    one_clear_line(sluice.run("run", *sluice.flags(topic, database)), "3D000", "does not exist")


def test_missing_table_in_postgres(sluice, topic, database):
    file = sluice.config(topic, "    postgres: {table: nowhere}", database)
    one_clear_line(sluice.run("run", "-c", file), "'nowhere' does not exist")


def test_missing_table_in_cassandra(sluice, topic, keyspace):
    file = sluice.config(topic, "    cassandra: {table: nowhere}", None, keyspace)
    one_clear_line(sluice.run("run", "-c", file), "nowhere' does not exist")


def test_missing_topic(sluice, topic, database, keyspace):
    topic.name += "_missing"
    done = sluice.run("run", *sluice.flags(topic, database, keyspace))
    one_clear_line(done, "postgres", topic.name, "create the topic")
    one_clear_line(done, "cassandra", topic.name, "create the topic")


def test_refused_ddl_prints_it_for_the_dba(sluice, topic, database, names):
    database.url = database.create_role(names.new())
    done = sluice.run("run", *sluice.flags(topic, database), PGPASSWORD="secret")
    one_clear_line(done, "42501", "CREATE SCHEMA IF NOT EXISTS", "offsets")


def test_printed_ddl_is_what_is_needed(sluice, topic, database, names):
    """The administrator runs what each error prints, and nothing else; then the lane starts."""
    role = names.new()
    database.url = database.create_role(role)
    topic.send("1", "2")
    for _ in range(3):
        done = sluice.run("run", "--until-end", *sluice.flags(topic, database), PGPASSWORD="secret")
        if done.code == 0:
            break
        line = one_clear_line(done, "have this run by a role that may: ")
        database.execute(line.split("have this run by a role that may: ")[1])
    assert database.value("SELECT count(*) FROM events") == 2


def test_refused_keyspace_prints_the_ddl(sluice, topic, cassandra, own_keyspace, names):
    role = names.new()
    cassandra.execute(f"CREATE ROLE {role} WITH PASSWORD = 'secret' AND LOGIN = true")
    try:
        flags = sluice.flags(topic, None, own_keyspace)
        flags[-1] = f"{role}@{own_keyspace.address}"
        done = sluice.run("run", *flags, CASSANDRA_PASSWORD="secret")
        one_clear_line(done, "CREATE KEYSPACE IF NOT EXISTS")
    finally:
        cassandra.execute(f"DROP ROLE {role}")


def test_one_unreachable_database_leaves_the_other_lane_running(sluice, topic, database, keyspace):
    topic.send("1", "2", "3")
    nowhere, _ = unreachable(database, keyspace)
    process = sluice.start("run", *sluice.flags(topic, nowhere, keyspace))
    eventually(lambda: len(verify.cassandra_events(keyspace, topic)) == 3,
               what="Cassandra's lane writes")
    process.wait_for("postgres: can't start, tries again")
    assert process.running()
    process.stop().expect(0)


@pytest.mark.slow
def test_a_lane_that_cannot_start_says_so_every_ten_seconds(sluice, topic, database, keyspace):
    nowhere, _ = unreachable(database, keyspace)
    process = sluice.start("run", *sluice.flags(topic, nowhere, keyspace))
    process.wait_for("postgres: can't start, tries again", timeout=30, times=2)
    process.stop().expect(0)


def test_unreachable_cassandra_leaves_the_postgres_lane_running(sluice, topic, database, keyspace):
    topic.send("1", "2", "3")
    _, nowhere = unreachable(database, keyspace)
    process = sluice.start("run", *sluice.flags(topic, database, nowhere))
    process.wait_for("cassandra: can't start, tries again")
    eventually(lambda: database.has("events") and
               database.value("SELECT count(*) FROM events") == 3, what="PostgreSQL's lane writes")
    process.stop().expect(0)


@pytest.mark.parametrize("which", ["postgres", "cassandra"])
def test_strict_makes_one_unreachable_database_fatal(sluice, topic, database, keyspace, which):
    nowhere = unreachable(database, keyspace)
    places = (nowhere[0], keyspace) if which == "postgres" else (database, nowhere[1])
    flags = sluice.flags(topic, *places)
    done = sluice.run("run", "--strict", "--start-timeout", "2s", *flags).expect(3)
    done.has(f"{which}: can't start")


def test_two_unreachable_databases_end_the_run_after_start_timeout(sluice, topic, database, keyspace):
    flags = sluice.flags(topic, *unreachable(database, keyspace))
    done = sluice.run("run", "--start-timeout", "2s", *flags, timeout=15).expect(3)
    done.has("postgres: can't start").has("cassandra: can't start")


def test_unreachable_kafka_ends_the_run_after_start_timeout(sluice, topic, database):
    flags = sluice.flags(topic, database)
    flags[1] = NOWHERE
    done = sluice.run("run", "--start-timeout", "2s", *flags, timeout=20).expect(3)
    done.has("can't start", "broker")


def test_a_second_route_may_have_its_events_table_made(sluice, make_topic, database):
    """Progress of another topic does not mean that this one's table was lost."""
    orders, more = make_topic(1), make_topic(1)
    database.execute("CREATE TABLE orders (n int)")
    orders.send('{"n": 1}')
    more.send("1")
    route = "    postgres: {table: orders}\n"
    sluice.drain_file(sluice.config(orders, route, database)).expect(0)
    both = sluice.config(orders, route + f"  - topic: {more.name}\n    postgres: true\n", database)
    sluice.run("check", "-c", both).expect(0).has("run will create: CREATE TABLE")
    sluice.drain_file(both).expect(0)
    assert database.value("SELECT count(*) FROM events") == 1
    database.execute("DROP TABLE events")
    for command in (("check",), ("run", "--until-end")):
        sluice.run(*command, "-c", both).expect(3).has(more.name, "is gone", "sluice reset")
    assert not database.has("events")


def test_an_identity_row_is_made_where_only_it_is_missing(sluice, make_topic, database, names):
    topic = make_topic(1)
    topic.send("1")
    sluice.drain(topic, database).expect(0)
    database.execute("DELETE FROM sluice.identity")
    url = database.url
    role = names.new()
    database.url = database.create_role(role, "GRANT USAGE ON SCHEMA sluice TO {role}",
                                        "GRANT ALL ON ALL TABLES IN SCHEMA sluice, public TO {role}")
    file = sluice.config(topic, "    postgres: true", database)
    done = sluice.run("run", "--until-end", "-c", file, PGPASSWORD="secret")
    assert database.value("SELECT count(*) FROM sluice.identity") == 1
    done.lacks("42501")
    database.url = url


def test_tables_of_a_newer_version_are_refused(sluice, topic, database):
    sluice.drain(topic, database).expect(0)
    database.execute("UPDATE sluice.identity SET schema_version = 2")
    sluice.drain(topic, database).expect(3).has("of version 2, this program knows 1")


@pytest.mark.parametrize("table, definition, words", [
    ("t", ("ALTER TABLE t ENABLE ROW LEVEL SECURITY",),
     ("row-level security of table t applies to the role", "BYPASSRLS")),
    ("closed.t", (), ("lacks USAGE on the schema of table", 'GRANT USAGE ON SCHEMA "closed"')),
])
def test_what_keeps_a_role_from_a_table_is_named(sluice, topic, database, names, table, definition, words):
    database.execute("CREATE SCHEMA closed", f"CREATE TABLE {table} (n int)", *definition)
    database.url = database.create_role(names.new(), f"GRANT ALL ON {table} TO {{role}}",
                                        f"GRANT CREATE ON DATABASE {database.name} TO {{role}}")
    file = sluice.config(topic, f"    postgres: {{table: {table}}}", database)
    for command in ("check", "run"):
        sluice.run(command, "-c", file, PGPASSWORD="secret").expect(3).has(*words)


@pytest.mark.parametrize("mode, event, refused", [("append", "INSERT", True), ("append", "UPDATE", False),
                                                  ("upsert", "UPDATE", True)])
def test_a_rule_that_copy_passes_by_is_refused(sluice, topic, database, mode, event, refused):
    database.execute("CREATE TABLE t (n int PRIMARY KEY)", f"CREATE RULE away AS ON {event} TO t DO INSTEAD NOTHING")
    key = ", key: n" if mode == "upsert" else ""
    file = sluice.config(topic, f"    postgres: {{table: t, mode: {mode}{key}}}", database)
    for command in (["check"], ["run", "--until-end"]):
        done = sluice.run(*command, "-c", file).expect(3 if refused else 0)
        assert bool(done.lines("table t has the rule 'away'", "drop or disable it")) == refused
    database.execute("ALTER TABLE t DISABLE RULE away")
    sluice.drain_file(file).expect(0)


def test_events_are_made_in_a_schema_with_a_dot(sluice, topic, database):
    database.execute('CREATE SCHEMA "a.b"',
                     f'ALTER DATABASE {database.name} SET search_path = "a.b"')
    topic.send("1")
    sluice.drain(topic, database).expect(0)
    assert database.value('SELECT count(*) FROM "a.b".events') == 1


def test_a_first_host_that_does_not_answer_leaves_time_for_the_second(sluice, topic, database):
    topic.send("1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, rest = database.url.split("@")[1].split("/", 1)
        user = database.url.split("@")[0]
        database.url = f"{user}@127.0.0.1:{silent.getsockname()[1]},{host}/{rest}?connect_timeout=2"
        sluice.drain(topic, database).expect(0)


@pytest.mark.slow
def test_a_port_that_speaks_another_protocol_is_told(sluice, topic, database):
    flags = sluice.flags(topic, database)
    process = sluice.start("run", *[sluice.addresses.cassandra if flag == sluice.addresses.kafka else flag for flag in flags])
    process.wait_for("can't start.*check the address, and that security.protocol is what its port speaks")
    assert not process.count("receive.message.max.bytes")
