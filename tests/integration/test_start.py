"""What `run` does where something is missing: one clear line, and the right exit code."""

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
    """The administrator runs what each error prints; then the lane starts."""
    role = names.new()
    database.url = database.create_role(role)
    topic.send("1", "2")
    for _ in range(3):
        done = sluice.run("run", "--until-end", *sluice.flags(topic, database), PGPASSWORD="secret")
        if done.code == 0:
            break
        line = one_clear_line(done, "have this run by a role that may: ")
        database.execute(line.split("have this run by a role that may: ")[1],
                         f"GRANT USAGE ON SCHEMA public TO {role}",
                         f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
                         f"GRANT USAGE ON SCHEMA sluice TO {role}",
                         f"GRANT ALL ON ALL TABLES IN SCHEMA sluice TO {role}")
        database.execute("INSERT INTO sluice.identity (id, schema_version) VALUES "
                         "(gen_random_uuid(), 1) ON CONFLICT DO NOTHING")
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
