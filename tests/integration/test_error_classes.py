"""Each class of errors that PostgreSQL has, raised by a real server: by a trigger, under the code that a case names."""

import pytest

SETTING = {"dead_letters": "{table: lost}"}
RECORDS = 40
TIMES = 3  # So often a fault that passes is met.


def raises(database, state, condition):
    """A sequence counts, because no rollback takes it back."""
    database.execute(
        "CREATE TABLE t (id int)", "CREATE SEQUENCE met",
        f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {condition} THEN "
        f"RAISE EXCEPTION 'made by a test' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER fail BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fail()")


@pytest.fixture
def file(sluice, make_topic, database):
    topic = make_topic(1)
    topic.send(*(f'{{"id": {n}}}' for n in range(RECORDS)))
    return sluice.config(topic, "    postgres: {table: t}", database, **SETTING)


def written(database):
    return [n for n, in database.rows("SELECT id FROM t ORDER BY id")]


def letters(database):
    return database.rows("SELECT kafka_offset, reason FROM lost") if database.has("lost") else []


@pytest.mark.parametrize("state", ["08006", "25006", "25P03", "26000", "40001", "40P01", "42P05", "53100", "53300", "55P03", "57014",
                                   "57P02", "57P03", "57P05", "58030"])
def test_what_passes_is_tried_again(sluice, database, file, state):
    raises(database, state, f"nextval('met') <= {TIMES}")
    sluice.drain_file(file).expect(0).has(state)
    assert written(database) == list(range(RECORDS))
    assert letters(database) == []


@pytest.mark.parametrize("state", ["28000", "3D000", "3F000", "42P01", "42501", "42703", "23503"])
def test_what_somebody_must_mend_holds_up_its_table_and_is_tried_again(sluice, database, file, state):
    raises(database, state, f"nextval('met') <= {TIMES}")
    sluice.drain_file(file).expect(0).has("tables of route 1 can't be written, tried again", state).has("can be written again")
    assert written(database) == list(range(RECORDS))
    assert letters(database) == []


@pytest.mark.parametrize("state", ["22012", "23505", "44000", "54000", "54001", "P0001"])
def test_what_one_record_is_at_fault_for_is_a_dead_letter(sluice, database, file, state):
    raises(database, state, "NEW.id = 13")
    sluice.drain_file(file).expect(0)
    assert written(database) == [n for n in range(RECORDS) if n != 13]
    assert letters(database) == [(13, f"postgres.copy {state}")]


@pytest.mark.parametrize("state", ["XX000", "XX002", "21000"])
def test_what_nobody_understands_stops_the_partition(sluice, database, file, state):
    raises(database, state, "NEW.id = 13")
    sluice.drain_file(file).expect(1).has("is stopped: ", state)
    assert written(database) == letters(database) == []
