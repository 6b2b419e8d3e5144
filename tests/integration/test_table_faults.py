"""A table that can't be written: what waits for it, what goes on, and what is told."""

import re
import time

import pytest
import verify
from servers import eventually


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


def test_a_locked_table_holds_up_no_other_topic(sluice, make_topic, database):
    """One writer for both, and more partitions of the other than it can have come by before it meets the lock."""
    locked, fine = make_topic(1), make_topic(8)
    database.execute("CREATE TABLE t (n int)")
    locked.send('{"n": 1}')
    for partition in range(8):
        fine.send(str(partition), partition=partition)
    routes = f"    postgres: {{table: t}}\n  - topic: {fine.name}\n    postgres: true\n"
    with database.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE t")
        process = sluice.start("run", "-c", sluice.config(locked, routes, database, pool=1))
        process.wait_for("route 1 can't be written, tried again: .*lock timeout", 40)
        eventually(lambda: database.value("SELECT count(*) FROM events") == 8, 120, "the other topic goes on")
    process.wait_for("route 1 can be written again", 40)
    eventually(lambda: database.value("SELECT count(*) FROM t") == 1, what="the row")
    process.stop().expect(0)


def test_a_locked_table_of_offsets_is_told_and_leaves_no_session_behind(sluice, make_topic, database):
    """VACUUM FULL, or a session that was forgotten: also who asks for the row's holder would wait."""
    topic = make_topic(1)
    database.execute("CREATE TABLE events (data text)")
    process = sluice.start("run", "-c", sluice.config(topic, "    postgres: true", database))
    topic.send("1")
    eventually(lambda: database.value("SELECT count(*) FROM events") == 1, what="the first row")
    sessions = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice:{topic.name}'"
    before = database.value(sessions)
    with database.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE sluice.offsets")
        topic.send("2")
        process.wait_for("waits: .*lock timeout.*another session holds the lock", 30)
        assert database.value(sessions) == before
    eventually(lambda: database.value("SELECT count(*) FROM events") == 2, what="the second row")
    process.stop().expect(0)


@pytest.mark.slow
def test_two_locked_tables_leave_the_third_its_time(sluice, make_topic, database):
    """One writer for all: each of them is waited for until its lock's timeout, again and again."""
    first, second, fine = make_topic(1), make_topic(1), make_topic(1)
    database.execute("CREATE TABLE t (n int)", "CREATE TABLE u (n int)")
    for topic in (first, second):
        topic.send('{"n": 1}')
    routes = (f"    postgres: {{table: t}}\n  - topic: {second.name}\n    postgres: {{table: u}}\n"
              f"  - topic: {fine.name}\n    postgres: true\n")
    with database.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE t, u")
        process = sluice.start("run", "-c", sluice.config(first, routes, database, pool=1))
        for route in (1, 2):
            process.wait_for(f"route {route} can't be written, tried again: .*lock timeout", 60)
        for number in range(3):
            fine.send(str(number))
            eventually(lambda: database.value("SELECT count(*) FROM events") == number + 1, 60, "the third goes on")
    for table in ("t", "u"):
        eventually(lambda at=table: database.value(f"SELECT count(*) FROM {at}") == 1, 90, "the row")
    process.stop().expect(0)


def test_a_locked_table_takes_nothing_of_the_rate(sluice, make_topic, database):
    """More of its records than the rate lets be on their way (half a second's) are fetched and wait."""
    locked, fine = make_topic(1), make_topic(1)
    database.execute("CREATE TABLE t (n int)")
    locked.send(*(f'{{"n": {n}}}' for n in range(300)))
    routes = f"    postgres: {{table: t}}\n  - topic: {fine.name}\n    postgres: true\n"
    with database.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE t")
        process = sluice.start("run", "-c", sluice.config(locked, routes, database, pool=1, postgres_rate=100))
        process.wait_for("route 1 can't be written, tried again: .*lock timeout", 40)
        fine.send(*(str(n) for n in range(100)))
        eventually(lambda: database.value("SELECT count(*) FROM events") == 100, 60, "the other topic goes on")
    eventually(lambda: database.value("SELECT count(*) FROM t") == 300, 60, "the rows")
    process.stop().expect(0)


def test_row_security_that_is_switched_on_hides_no_row_from_a_delete(sluice, make_topic, database):
    """It is a fault of the table: a delete that finds nothing would be taken for one that is done."""
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id text PRIMARY KEY)")
    file = sluice.config(topic, "    postgres: {table: t, mode: upsert, key: id, columns: {id: key}}", database)
    process = sluice.start("run", "-c", file)
    topic.send('"x"', key="a")
    eventually(lambda: database.value("SELECT count(*) FROM t") == 1, what="the row")
    database.execute("ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    topic.send(None, key="a")
    process.wait_for("route 1 can't be written, tried again: .*row-level security policy.*42501.*BYPASSRLS")
    database.execute("ALTER TABLE t DISABLE ROW LEVEL SECURITY")
    eventually(lambda: database.value("SELECT count(*) FROM t") == 0, what="the delete")
    process.stop().expect(0)


# The new table has a column more, which nothing fills until the next start.
@pytest.mark.parametrize("columns", ["", ", columns: {'*': value.*}"])
def test_a_table_dropped_during_a_run_is_waited_for_in_cassandra(sluice, topic, own_keyspace, columns):
    own_keyspace.create("CREATE TABLE {ks}.t (n int PRIMARY KEY)")
    file = sluice.config(topic, f"    cassandra: {{table: t{columns}}}", None, own_keyspace)
    process = sluice.start("run", "-c", file)
    topic.send(*(f'{{"n": {n}}}' for n in range(100)))
    eventually(lambda: len(own_keyspace.rows("SELECT n FROM {ks}.t")) == 100, what="rows arrive")
    own_keyspace.execute("DROP TABLE {ks}.t")
    topic.send(*(f'{{"n": {n}}}' for n in range(100, 300)))
    process.wait_for("can't be written, tried again")
    own_keyspace.execute("CREATE TABLE {ks}.t (n int PRIMARY KEY, more text)")
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
