"""`sluice dlq`: what became dead letters is listed, shown whole, and goes back into its tables exactly once."""

import json
import re

import pytest
from servers import eventually

SETTING = {"dead_letters": "{table: lost}"}
ROUTE = "    postgres: {table: t, columns: {id: value.id, n: value.n}}"


def record(number, value):
    return json.dumps({"id": number, "n": value})


@pytest.fixture
def lost(sluice, make_topic, database):
    """A pipeline with one dead letter in three: text in a column of numbers. Gives its file and its topic."""
    def make(count=9, partitions=1, route=ROUTE):
        topic = make_topic(partitions)
        database.execute("CREATE TABLE t (id int, n int)")
        topic.send_records([(f"key {i}", record(i, f"v{i}" if i % 3 == 1 else i)) for i in range(count)], partition=0,
                           headers=[("trace", b"x\x1b[31m"), ("raw", b"\xff\x00"), ("none", None)])
        file = sluice.config(topic, route, database, **SETTING)
        sluice.drain_file(file, timeout=90).expect(0)
        assert database.value("SELECT count(*) FROM lost") == count // 3
        return file, topic
    return make


def make_text(database):
    database.execute("ALTER TABLE t ALTER n TYPE text")


def rows(database):
    return sorted(database.rows("SELECT id, n::text FROM t"))


def all_rows(count):
    return sorted((i, f"v{i}" if i % 3 == 1 else str(i)) for i in range(count))


def test_list_names_each_letter_and_sums_up(sluice, database, lost):
    file, topic = lost()
    done = sluice.run("dlq", "list", "-c", file).expect(0)
    for offset in (1, 4, 7):
        done.line("postgres ", f"{topic.name}[0]@{offset} ", "postgres.encode", "key 5 B, value 20 B")
    done.line(f"postgres  {topic.name}  postgres.encode: 3")
    done.lacks("v1").lacks('"id"').lacks("key 1")
    limited = sluice.run("dlq", "list", "-c", file, "--limit", 1).expect(0)
    limited.has("and 2 more").lacks("[0]@4").has(": 3")
    sluice.run("dlq", "list", "-c", file, "--topic", "other").expect(0).has("no dead letters")


def test_list_as_json_is_one_document(sluice, database, lost):
    file, topic = lost()
    found = json.loads(sluice.run("dlq", "list", "-c", file, "--json", "--lane", "postgres").expect(0).out)
    assert [letter["offset"] for letter in found["dead_letters"]] == [1, 4, 7]
    first = found["dead_letters"][0]
    assert (first["lane"], first["topic"], first["partition"]) == ("postgres", topic.name, 0)
    assert (first["key_bytes"], first["value_bytes"], first["reason"]) == (5, 20, "postgres.encode")
    assert isinstance(first["timestamp_ms"], int) and "column t.n" in first["error"]
    assert found["total"] == 3
    assert found["summary"] == [{"lane": "postgres", "topic": topic.name, "reason": "postgres.encode", "count": 3}]


def test_show_has_all_of_a_letter_and_nothing_that_a_terminal_acts_on(sluice, database, lost):
    file, topic = lost()
    done = sluice.run("dlq", "show", "-c", file, f"{topic.name}/0@4").expect(0)
    for words in ("record     " + topic.name + "[0]@4", "lane       postgres", "reason     postgres.encode",
                  "key        text, 5 B", "  key 4", '  {"id": 4, "n": "v4"}', "headers    3", "  x\\x1b[31m", "ff 00",
                  "  none     null"):
        done.has(words)
    done.lacks("\x1b")
    assert sluice.run("dlq", "show", "-c", file, f"{topic.name}[0]@4").expect(0).out == done.out
    raw = sluice.run("dlq", "show", "-c", file, f"{topic.name}/0@4", "--raw").expect(0)
    assert raw.out == record(4, "v4")


def test_an_unknown_letter_is_named(sluice, database, lost):
    file, topic = lost()
    for command in ("show", "replay"):
        sluice.run("dlq", command, "-c", file, f"{topic.name}/0@5").expect(1).has(f"no dead letter {topic.name}[0]@5")


def test_replay_writes_each_letter_once(sluice, database, lost):
    file, topic = lost()
    make_text(database)
    sluice.run("dlq", "replay", "-c", file, f"{topic.name}/0@4").expect(0).has("1 dead letters replayed")
    assert (4, "v4") in rows(database) and (1, "v1") not in rows(database)
    sluice.run("dlq", "replay", "-c", file, "--all").expect(0).has("2 dead letters replayed")
    assert rows(database) == all_rows(9)
    sluice.run("dlq", "replay", "-c", file, "--all").expect(0).has("no dead letters")
    sluice.run("dlq", "list", "-c", file).expect(0).has("no dead letters")
    sluice.drain_file(file).expect(0)
    assert rows(database) == all_rows(9)


def test_what_fails_again_stays_a_dead_letter(sluice, database, lost):
    """In the database too: the transaction that took the letter out is rolled back."""
    file, topic = lost()
    before = sorted(database.rows("SELECT * FROM lost"))
    failed = sluice.run("dlq", "replay", "-c", file, "--all").expect(1)
    failed.has("3 failed again").has(f"{topic.name}[0]@7 stays a dead letter", "column t.n")
    assert sorted(database.rows("SELECT * FROM lost")) == before
    make_text(database)
    database.execute("ALTER TABLE t ADD CHECK (n <> 'v4')")
    sluice.run("dlq", "replay", "-c", file, "--all").expect(1).has("2 dead letters replayed, 1 failed again").has("23514")
    assert database.rows("SELECT kafka_offset FROM lost") == [(4,)]
    assert rows(database) == [row for row in all_rows(9) if row[0] != 4]


def test_letters_of_topics_that_no_route_reads_stay(sluice, make_topic, database, lost):
    file, topic = lost()
    make_text(database)
    other = sluice.config(make_topic(1), ROUTE, database, **SETTING)
    sluice.run("dlq", "replay", "-c", other, "--all").expect(0).has("3 are of topics that no route")
    assert database.value("SELECT count(*) FROM lost") == 3


def test_a_replayed_record_keeps_its_place_id_and_headers(sluice, database, lost):
    """The columns that come from meta and headers have what the run would have written."""
    columns = "{id: value.id, n: value.n, m: meta.id, o: meta.offset, at: meta.timestamp, h: headers.none, k: key}"
    database.execute("CREATE TABLE seen (id int, n text, m uuid, o bigint, at timestamptz, h text, k text)")
    file, topic = lost(route=f"    postgres: [{{table: t, columns: {{id: value.id, n: value.n}}}}, {{table: seen, columns: {columns}}}]")
    make_text(database)
    sluice.run("dlq", "replay", "-c", file, "--all").expect(0)
    replayed = sorted(database.rows("SELECT * FROM seen"))
    database.execute("DELETE FROM seen")
    again = sluice.config(topic, f"    postgres: {{table: seen, columns: {columns}}}", database, pipeline="again")
    sluice.drain_file(again).expect(0)
    assert replayed == sorted(database.rows("SELECT * FROM seen"))
    assert [row[3] for row in replayed] == list(range(9))


def test_a_replayed_upsert_is_as_new_as_its_replay(sluice, make_topic, database):
    """It goes the way of all upserts: the row of its key is replaced, a column that it lacks keeps its value."""
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int PRIMARY KEY, n int, kept int)")
    topic.send('{"id": 1, "n": 1, "kept": 5}', '{"id": 1, "n": "v1"}', '{"id": 2, "n": "v2"}', '{"id": 1, "n": 9}')
    file = sluice.config(topic, "    postgres: {table: t, mode: upsert, key: [id]}", database, **SETTING)
    sluice.drain_file(file).expect(0)
    assert database.rows("SELECT * FROM t") == [(1, 9, 5)]
    make_text(database)
    sluice.run("dlq", "replay", "-c", file, "--all").expect(0).has("2 dead letters replayed")
    assert sorted(database.rows("SELECT * FROM t")) == [(1, "v1", 5), (2, "v2", None)]


def test_two_replays_at_once_write_each_letter_once(sluice, database, lost):
    count = 900
    file, topic = lost(count)
    make_text(database)
    processes = [sluice.start("dlq", "replay", "-c", file, "--all") for _ in range(3)]
    for process in processes:
        process.wait(90).expect(0)
    assert rows(database) == all_rows(count)
    assert database.value("SELECT count(*) FROM lost") == 0


def test_a_killed_replay_is_taken_up_where_it_was(sluice, database, lost):
    count = 900
    file, topic = lost(count)
    make_text(database)
    process = sluice.start("dlq", "replay", "-c", file, "--all")
    eventually(lambda: database.value("SELECT count(*) FROM lost") < count // 3 - 5, what="some letters are replayed")
    process.kill()
    left = database.value("SELECT count(*) FROM lost")
    assert 0 < left < count // 3
    sluice.run("dlq", "replay", "-c", file, "--all").expect(0)
    assert rows(database) == all_rows(count)


def test_more_letters_than_a_page_holds_are_listed_once_each(sluice, database, lost):
    file, topic = lost()
    database.execute("INSERT INTO lost (kafka_topic, kafka_partition, kafka_offset, value, reason, error) SELECT "
                     f"'{topic.name}', n % 3, 1000 + n / 2, 'x', 'r', 'e' FROM generate_series(1, 12000) n")
    found = json.loads(sluice.run("dlq", "list", "-c", file, "--json", "--limit", 100_000).expect(0).out)
    places = [(letter["partition"], letter["offset"]) for letter in found["dead_letters"]]
    assert len(places) == database.value("SELECT count(*) FROM lost") and places == sorted(places)


def test_without_dead_letters_the_setting_is_named(sluice, make_topic, database):
    file = sluice.config(make_topic(1), ROUTE, database)
    sluice.run("dlq", "list", "-c", file).expect(2).has(str(file), "dead_letters: {table: NAME}")
    file = sluice.config(make_topic(1), ROUTE, database, dead_letters="stop")
    sluice.run("dlq", "list", "-c", file).expect(2).has(f"{file}:2:15", "dead_letters: {table: NAME}")


def test_a_table_that_was_never_made_has_no_letters(sluice, make_topic, database):
    file = sluice.config(make_topic(1), ROUTE, database, **SETTING)
    sluice.run("dlq", "list", "-c", file).expect(0).has("no dead letters")
    sluice.run("dlq", "replay", "-c", file, "--all").expect(0).has("no dead letters")


@pytest.fixture
def stopped(sluice, make_topic, database):
    """A pipeline that stopped at its record 1 of 3, with what `settings` add. Gives its file and its topic."""
    def make(**settings):
        topic = make_topic(1)
        database.execute("CREATE TABLE t (id int, n int)")
        file = sluice.config(topic, ROUTE, database)
        topic.send(record(0, 0), record(1, "v1"), record(2, 2), key="k")
        sluice.drain_file(file).expect(1).has("is stopped", f"{topic.name}[0]@1")
        return sluice.config(topic, ROUTE, database, **settings), topic
    return make


def test_skip_passes_over_the_one_record_that_stopped_a_partition(sluice, database, stopped):
    file, topic = stopped()
    for offset in (0, 2):
        refused = sluice.run("dlq", "skip", "-c", file, f"{topic.name}/0@{offset}", "--lane", "postgres", "--yes")
        refused.expect(1).has(f"{topic.name}[0]@{offset}", f"does not stand at this record, but at {topic.name}[0]@1")
    arguments = ("dlq", "skip", "-c", file, f"{topic.name}[0]@1", "--lane", "postgres")
    sluice.run(*arguments).expect(2).has("say --yes")
    assert database.progress(topic) == 1
    sluice.run(*arguments, "--yes").expect(0).has("passed over", f"{topic.name}[0]@1")
    assert database.progress(topic) == 2
    sluice.run(*arguments, "--yes").expect(1).has(f"but at {topic.name}[0]@2")
    sluice.drain_file(file).expect(0)
    assert rows(database) == [(0, "0"), (2, "2")]
    sluice.run(*arguments, "--yes").expect(1).has(f"but at {topic.name}[0]@3, the end")


def test_a_skipped_record_is_a_dead_letter_where_they_are_kept(sluice, database, stopped):
    file, topic = stopped(**SETTING)
    sluice.run("dlq", "skip", "-c", file, f"{topic.name}/0@1", "--lane", "postgres", "--yes").expect(0)
    assert database.rows("SELECT kafka_offset, value, reason FROM lost") == [(1, record(1, "v1").encode(), "dlq.skip")]
    sluice.drain_file(file).expect(0)
    make_text(database)
    sluice.run("dlq", "replay", "-c", file, "--all").expect(0)
    assert rows(database) == [(0, "0"), (1, "v1"), (2, "2")]


def test_a_skipped_record_goes_into_the_topic_first(sluice, database, stopped, make_topic, kafka):
    letters = make_topic(1)
    file, topic = stopped(dead_letters=f"{{topic: {letters.name}}}")
    sluice.run("dlq", "skip", "-c", file, f"{topic.name}/0@1", "--lane", "postgres", "--yes").expect(0)
    assert kafka.ends(letters.name) == {0: 1}
    assert database.progress(topic) == 2


def test_skip_beside_a_lane_that_runs_and_over_a_gap(sluice, make_topic, database, kafka):
    """The progress stands before an aborted transaction, which no reader gets to see."""
    topic = make_topic(2)
    database.execute("CREATE TABLE t (id int, n int)")
    file = sluice.config(topic, ROUTE, database)
    topic.send(record(0, 0), partition=0)
    sluice.drain_file(file).expect(0)
    producer = kafka.new_producer(transactional_id=topic.name)
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(topic.name, record(1, 1), partition=0)
    assert producer.flush(20) == 0
    producer.abort_transaction(20)
    topic.send(record(3, "v3"), record(4, 4), partition=0)
    process = sluice.start("run", "-c", file)
    process.wait_for("is stopped")
    offset = int(re.search(r"\[0\]@(\d+)", process.text()).group(1))
    assert database.progress(topic) == 1 < offset
    sluice.run("dlq", "skip", "-c", file, f"{topic.name}/0@{offset}", "--lane", "postgres", "--yes").expect(0)
    topic.send(record(5, 5), partition=1)
    eventually(lambda: (5, "5") in rows(database), what="the lane goes on with its other partition")
    process.stop()
    sluice.drain_file(file).expect(0)
    assert rows(database) == [(0, "0"), (4, "4"), (5, "5")]


def test_skip_over_an_expired_record_is_refused(sluice, database, stopped, kafka):
    file, topic = stopped()
    kafka.delete_before(topic.name, 0, 2)
    refused = sluice.run("dlq", "skip", "-c", file, f"{topic.name}/0@2", "--lane", "postgres", "--yes")
    assert refused.code != 0
    refused.has(f"{topic.name}[0]@1")
    assert database.progress(topic) == 1
