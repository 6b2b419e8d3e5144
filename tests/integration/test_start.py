"""What `run` does where something is missing: one clear line, and the right exit code."""

import re
import socket
import time

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


def test_a_table_dropped_during_a_run_is_waited_for(sluice, topic, database):
    """The lane says so, and goes on when the table is back, without a row lost or twice."""
    database.execute("CREATE TABLE public.t (n int)")
    file = sluice.config(topic, "    postgres: {table: public.t}", database)
    process = sluice.start("run", "-c", file)
    topic.send(*(f'{{"n": {n}}}' for n in range(100)))
    eventually(lambda: database.value("SELECT count(*) FROM public.t") == 100, what="rows arrive")
    database.execute("DROP TABLE public.t")
    topic.send(*(f'{{"n": {n}}}' for n in range(100, 300)))
    process.wait_for(r"can't be written, tried again: .*42P01")
    assert process.running()
    database.execute("CREATE TABLE public.t (n int)")
    process.wait_for("can be written again")
    eventually(lambda: database.value("SELECT count(*) FROM public.t") == 200, what="the rest arrives")
    process.stop().expect(0)
    assert sorted(database.rows("SELECT n FROM public.t")) == [(n,) for n in range(100, 300)]


def test_a_fault_of_one_table_leaves_other_topics_going(sluice, make_topic, database):
    broken, fine = make_topic(1), make_topic(1)
    database.execute("CREATE TABLE public.t (n int)")
    routes = f"    postgres: {{table: t}}\n  - topic: {fine.name}\n    postgres: true\n"
    process = sluice.start("run", "-c", sluice.config(broken, routes, database))
    broken.send('{"n": 1}')
    eventually(lambda: database.value("SELECT count(*) FROM t") == 1, what="rows arrive")
    database.execute("ALTER TABLE t RENAME TO elsewhere")
    broken.send('{"n": 2}')
    process.wait_for("route 1 can't be written")
    fine.send("1", "2")
    eventually(lambda: database.value("SELECT count(*) FROM events") == 2, what="the other goes on")
    database.execute("ALTER TABLE elsewhere RENAME TO t")
    eventually(lambda: database.value("SELECT count(*) FROM t") == 2, what="it goes on")
    process.stop().expect(0)


@pytest.mark.slow
def test_a_table_that_waits_with_a_backlog_takes_no_room_from_other_topics(sluice, make_topic, database):
    """More than the lane's room (24 MiB) of rows waits; a lock lets them gather before the fault shows."""
    broken, fine = make_topic(1), make_topic(1)
    database.execute("CREATE TABLE t (n int, s text)")
    routes = f"    postgres: {{table: t}}\n  - topic: {fine.name}\n    postgres: true\n"
    process = sluice.start("run", "-c", sluice.config(broken, routes, database))
    process.wait_for("starts afresh", times=2)
    fine.send("0")
    eventually(lambda: database.value("SELECT count(*) FROM events") == 1, what="the other topic arrives")
    padding = "x" * 900
    with database.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE t")
        broken.send(*(f'{{"n": {n}, "s": "{padding}"}}' for n in range(60_000)))
        time.sleep(3)
        connection.execute("ALTER TABLE t ALTER n TYPE text")
    process.wait_for("route 1 can't be written")
    fine.send("1", "2")
    eventually(lambda: database.value("SELECT count(*) FROM events") == 3, what="the other topic goes on")
    process.stop().expect(0)


def test_a_table_dropped_during_a_run_is_waited_for_in_cassandra(sluice, topic, own_keyspace):
    definition = "CREATE TABLE {ks}.t (n int PRIMARY KEY)"
    own_keyspace.create(definition)
    file = sluice.config(topic, "    cassandra: {table: t}", None, own_keyspace)
    process = sluice.start("run", "-c", file)
    topic.send(*(f'{{"n": {n}}}' for n in range(100)))
    eventually(lambda: len(own_keyspace.rows("SELECT n FROM {ks}.t")) == 100, what="rows arrive")
    own_keyspace.execute("DROP TABLE {ks}.t")
    topic.send(*(f'{{"n": {n}}}' for n in range(100, 300)))
    process.wait_for("can't be written, tried again")
    own_keyspace.execute(definition)
    eventually(lambda: len(own_keyspace.rows("SELECT n FROM {ks}.t")) == 200, what="the rest arrives")
    process.stop().expect(0)


def test_a_column_added_by_the_user_does_not_disturb_the_run(sluice, topic, database):
    process = sluice.start("run", *sluice.flags(topic, database))
    topic.send("1")
    eventually(lambda: database.has("events") and
               database.value("SELECT count(*) FROM events") == 1, what="rows arrive")
    database.execute("ALTER TABLE events ADD COLUMN note text DEFAULT 'x'")
    topic.send("2")
    eventually(lambda: database.value("SELECT count(*) FROM events") == 2, what="rows arrive")
    process.stop().expect(0)
    verify.assert_equal(topic, database)


def test_a_route_that_waited_goes_on_where_its_batch_was_overtaken(sluice, make_topic, database):
    """The batch that waits for the table ends without a commit: somebody else has moved the partition on."""
    topic = make_topic(1)
    database.execute("CREATE TABLE public.t (n int)")
    process = sluice.start("run", "-c", sluice.config(topic, "    postgres: {table: public.t}", database))
    topic.send('{"n": 0}')
    eventually(lambda: database.value("SELECT count(*) FROM public.t") == 1, what="a row arrives")
    database.execute("DROP TABLE public.t")
    topic.send('{"n": 1}')
    process.wait_for(r"can't be written, tried again: .*42P01")
    database.execute("UPDATE sluice.offsets SET next_offset = 2", "CREATE TABLE public.t (n int)")
    process.wait_for("somebody else has moved it on")
    topic.send('{"n": 2}')
    eventually(lambda: database.rows("SELECT n FROM public.t") == [(2,)], what="the route goes on")
    process.stop().expect(0)


def waits_until(sluice, file, topic, values, reason, mend, rows):
    """A route whose table refuses everything waits, and goes on when the table is mended."""
    process = sluice.start("run", "-c", file)
    process.wait_for("starts afresh")
    topic.send(*values)
    process.wait_for(reason)
    mend()
    eventually(rows, what="it goes on")
    process.stop().expect(0)


def test_a_constraint_that_refuses_every_record_is_the_tables_fault(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (n int, CONSTRAINT never CHECK (n < 0))")
    waits_until(sluice, sluice.config(topic, "    postgres: {table: t}", database), topic,
                [f'{{"n": {n}}}' for n in range(1000)],
                r"route 1 can't be written.*table t.*check.*never.*23514.*every record",
                lambda: database.execute("ALTER TABLE t DROP CONSTRAINT never"),
                lambda: database.value("SELECT count(*) FROM t") == 1000)


@pytest.mark.slow
def test_a_run_to_the_end_gives_a_table_up_that_nobody_mends(sluice, make_topic, database):
    """Also where a record has stopped the partition already; what is complete counts as that."""
    broken, fine = make_topic(3), make_topic(1)
    database.execute("CREATE TABLE t (id int) PARTITION BY RANGE (id)",
                     "CREATE TABLE t0 PARTITION OF t FOR VALUES FROM (0) TO (10)")
    routes = f"    postgres: {{table: t}}\n  - topic: {fine.name}\n    postgres: true\n"
    file = sluice.config(broken, routes, database)
    for partition in range(2):
        broken.send(*(f'{{"id": {n + 5}}}' for n in range(8)), partition=partition)
    broken.send("no JSON", partition=1)
    fine.send(*map(str, range(1000)))
    done = sluice.drain_file(file).expect(1)
    done.has("route 1 can't be written", f"{broken.name}[", "@5, table t: no partition of the table takes the row",
             "23514", "add the partition")
    done.line("did not reach its end", f"{broken.name}[0]", "no partition of the table")
    done.line("did not reach its end", f"{broken.name}[1]@8", "not JSON")
    done.lacks(f"{broken.name}[2]").lacks("can be written again")
    assert database.value("SELECT count(*) FROM events") == 1000
    database.execute("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (10) TO (20)")
    sluice.drain_file(file).expect(1).line("did not reach its end", f"{broken.name}[1]@8")
    assert sorted(database.rows("SELECT id FROM t")) == sorted([(n + 5,) for n in range(8)] * 2)


@pytest.mark.slow
def test_a_run_to_the_end_gives_up_a_table_that_is_dropped_in_cassandra(sluice, make_topic, own_keyspace):
    broken, fine = make_topic(1), make_topic(1)
    own_keyspace.create("CREATE TABLE {ks}.t (n int PRIMARY KEY)")
    routes = f"    cassandra: {{table: t}}\n  - topic: {fine.name}\n    cassandra: true\n"
    broken.send(*(f'{{"n": {n}}}' for n in range(300_000)))
    fine.send(*map(str, range(1000)))
    process = sluice.start("run", "--until-end", "-c", sluice.config(broken, routes, None, own_keyspace))
    eventually(lambda: own_keyspace.rows("SELECT n FROM {ks}.t LIMIT 1"), what="rows arrive")
    own_keyspace.execute("DROP TABLE {ks}.t")
    done = process.wait(90).expect(1)
    done.line("did not reach its end", f"{broken.name}[0]")
    done.lacks("can be written again")
    assert len(own_keyspace.rows("SELECT kafka_offset FROM {ks}.events")) == 1000


def test_a_not_null_column_that_nothing_fills_is_the_tables_fault(sluice, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (n int)")
    file = sluice.config(topic, "    postgres: {table: t}", database)
    process = sluice.start("run", "-c", file)
    process.wait_for("starts afresh")
    database.execute("ALTER TABLE t ADD COLUMN must int NOT NULL")
    topic.send('{"n": 1}')
    process.wait_for(r"route 1 can't be written.*column t.must: a null.*23502.*give the column a default")
    database.execute("ALTER TABLE t ALTER must SET DEFAULT 7")
    eventually(lambda: database.rows("SELECT n, must FROM t") == [(1, 7)], what="it goes on")
    process.stop().expect(0)


@pytest.mark.parametrize("mode", ["append", "upsert"])
@pytest.mark.parametrize("was, becomes", [("integer", "bigint"), ("bigint", "double precision"),
                                          ("numeric(8,2)", "numeric(8,1)")])
def test_a_column_that_changes_its_type_gets_no_value_of_the_old_one(sluice, make_topic, database, mode,
                                                                     was, becomes):
    """COPY BINARY would take the bytes of a bigint for a double without a word."""
    topic = make_topic(1)
    database.execute(f"CREATE TABLE t (id int PRIMARY KEY DEFAULT 1, n {was})")
    key = ", key: id" if mode == "upsert" else ""
    file = sluice.config(topic, f"    postgres: {{table: t, mode: {mode}{key}}}", database)
    process = sluice.start("run", "-c", file)
    process.wait_for("starts afresh")
    database.execute(f"ALTER TABLE t ALTER n TYPE {becomes}")
    topic.send('{"id": 1, "n": 1.0}')
    process.wait_for(re.escape(f"column t.n: the column is {becomes} now, and was {was}") + ".*restart")
    process.stop()
    sluice.drain_file(file).expect(0)
    assert database.rows("SELECT n FROM t") == [(1,)]


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_a_deferred_constraint_names_its_record(sluice, make_topic, database, mode):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int PRIMARY KEY, n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    topic.send(*(f'{{"id": {i}, "n": {7 if i == 70 else i}}}' for i in range(100)))
    key = ", key: id" if mode == "upsert" else ""
    file = sluice.config(topic, f"    postgres: {{table: t, mode: {mode}{key}}}", database)
    sluice.drain_file(file).expect(1).has(f"{topic.name}[0]@70", "23505")
    assert database.value("SELECT count(*) FROM t") == 70


def test_no_value_stands_in_an_error_of_the_server(sluice, make_topic, database):
    topic = make_topic(3)
    database.execute("CREATE TABLE t (v text, n int GENERATED ALWAYS AS (v::int) STORED)",
                     "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                     "$$BEGIN IF NEW.v = '54321' THEN RAISE 'not %', NEW.v; END IF; RETURN NEW; END$$",
                     "CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()")
    for partition, value in enumerate(("99988877766", "abcdefgh", "54321")):
        topic.send(f'{{"v": "{value}"}}', partition=partition)
    done = sluice.drain_file(sluice.config(topic, "    postgres: {table: t}", database)).expect(1)
    done.has("[0]@0", "22003").has("[1]@0", "22P02").has("[2]@0", "P0001")
    done.lacks("99988877766").lacks("abcdefgh").lacks("54321")


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
