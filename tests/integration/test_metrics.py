"""What a run tells of itself by HTTP, and that others can't hold it up by asking."""

import re
import socket
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from pages import Pages, free_address
from servers import eventually, sandbox


def listens_on(process):
    """Addresses as the kernel spells them, bytes of IPv4 in reverse: 0100007F:24F8."""
    owned = set()
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            owned.add(str(link.readlink()))
    rows = [line.split() for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in owned]


@pytest.fixture
def pages():
    return Pages(free_address())


def start(sluice, pages, *arguments):
    process = sluice.start("run", *arguments, "--http", pages.address)
    process.wait_for("answers on http")
    return process


def test_after_a_drain_the_counts_agree(sluice, pages, topic, database, keyspace):
    """Every record is counted once: it is a row of the table, or one that a trigger has skipped."""
    database.execute(
        "CREATE TABLE events (kafka_offset bigint, data text)",
        "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER skips BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.data = '7') EXECUTE FUNCTION skip()")
    values = [str(i % 10) for i in range(3000)]
    topic.send(*values)
    process = start(sluice, pages, *sluice.flags(topic, database, keyspace))

    def drained():
        found = pages.samples()
        return all(found["sluice_rows_total", (lane,)] + found["sluice_rows_skipped_total", (lane,)] == 3000
                   for lane in ("postgres", "cassandra")) and \
            ("sluice_last_commit_age_seconds", ("cassandra",)) in found and found
    found = eventually(drained, what="all rows are counted")
    for lane, skipped in (("postgres", 300), ("cassandra", 0)):
        assert found["sluice_records_total", (lane,)] == 3000
        assert found["sluice_rows_mapped_total", (lane,)] == 3000
        assert found["sluice_rows_skipped_total", (lane,)] == skipped
        assert found["sluice_bytes_total", (lane,)] == sum(map(len, values))
        assert found["sluice_batches_total", (lane,)] >= 1
        assert found["sluice_fenced_batches_total", (lane,)] == 0
        assert found["sluice_lane_up", (lane,)] == 1
        assert [found["sluice_lane_phase", (lane, phase)]
                for phase in ("starting", "running", "draining", "ended")] == [0, 1, 0, 0]
        assert 0 <= found["sluice_last_commit_age_seconds", (lane,)] < 30
        for partition in "012":
            assert found["sluice_lag_records", (lane, partition, topic.name)] == 0
            assert found["sluice_partition_state", (lane, partition, "fetching", topic.name)] == 1
    assert database.value("SELECT count(*) FROM events") == found["sluice_rows_total", ("postgres",)]
    assert 1e6 < found["process_resident_memory_bytes", ()] < 1e10
    assert abs(found["process_start_time_seconds", ()] - time.time()) < 60
    assert pages.get("/healthz")[:2] == (200, "ok\n")
    assert pages.ready() == (200, "postgres: running\ncassandra: running\n")
    process.stop().expect(0)


def test_lag_and_state_while_a_table_waits(sluice, pages, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int) PARTITION BY RANGE (id)")
    file = sluice.config(topic, "    postgres: {table: t}", database)
    file.write_text(file.read_text() + f"http: {{listen: {pages.address}}}\n")
    topic.send('{"id": 1}')
    process = sluice.start("run", "-c", file).wait_for("tables of route 1 can't be written")
    topic.send(*['{"id": 1}'] * 3000)
    state = ("sluice_partition_state", "postgres", "0", "held", topic.name)
    eventually(lambda: pages.value("sluice_lag_records", "postgres", "0", topic.name) == 3001, what="lag")
    assert pages.value(*state) == 1
    assert pages.value("sluice_lane_up", "postgres") == 0
    assert pages.value("sluice_retries_total", "23", "postgres") >= 1  # no partition of the table for the row
    status, why = pages.ready()
    assert status == 503 and why.startswith("postgres: running, waits: ") and why.count("\n") == 1
    database.execute("CREATE TABLE t0 PARTITION OF t DEFAULT")
    eventually(lambda: pages.value("sluice_rows_total", "postgres") == 3001, what="all rows")
    eventually(lambda: pages.value("sluice_lag_records", "postgres", "0", topic.name) == 0, what="no lag")
    assert pages.value(*state) == 0
    assert pages.ready()[0] == 200
    process.stop().expect(0)


def test_a_rejected_record_is_counted_by_its_reason(sluice, pages, make_topic, database):
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int)")
    topic.send('{"id": 1}', '{"id": "payload-8b1f"}', '{"id": 3}')
    file = sluice.config(topic, "    postgres: {table: t}", database)
    file.write_text(file.read_text() + f"http: {{listen: {pages.address}}}\n")
    process = sluice.start("run", "-c", file).wait_for("is stopped")
    found = eventually(lambda: (found := pages.samples()).get(
        ("sluice_rejected_records_total", ("postgres", "encode"))) and found, what="a rejected record")
    assert found["sluice_rejected_records_total", ("postgres", "encode")] == 1
    assert found["sluice_partition_state", ("postgres", "0", "stopped", topic.name)] == 1
    assert found["sluice_records_total", ("postgres",)] == 1
    # The lane runs and waits for nothing: other partitions would go on.
    assert pages.ready() == (200, "postgres: running, stopped partitions: 1\n")
    for path in ("/metrics", "/readyz"):
        assert "payload-8b1f" not in pages.get(path)[1]
    process.stop().expect(0)


def test_a_batch_that_was_fenced_is_counted(sluice, pages, make_topic, database):
    topic = make_topic(1)
    topic.send(*map(str, range(10)))
    process = start(sluice, pages, *sluice.flags(topic, database))
    eventually(lambda: pages.value("sluice_rows_total", "postgres") == 10, what="ten rows")
    database.execute("UPDATE sluice.offsets SET next_offset = 5")  # As another process would move it.
    topic.send("10")
    eventually(lambda: pages.value("sluice_rows_total", "postgres") == 16, what="all from 5 on is read again")
    found = pages.samples()
    assert found["sluice_fenced_batches_total", ("postgres",)] == 1
    # The record of the batch that was dropped is counted again.
    assert found["sluice_records_total", ("postgres",)] == found["sluice_rows_mapped_total", ("postgres",)] == 17
    process.stop().expect(0)


@contextmanager
def stopped(server):
    sandbox("stop", server)
    try:
        yield
    finally:
        sandbox("start", server)


@pytest.mark.faults
def test_not_ready_while_a_database_is_away(sluice, pages, topic, database, keyspace):
    topic.send("1")
    process = start(sluice, pages, *sluice.flags(topic, database, keyspace))
    eventually(lambda: pages.ready()[0] == 200, what="both lanes run")
    eventually(lambda: pages.value("sluice_rows_total", "postgres") == 1, what="a row")
    with stopped("postgres"):
        topic.send("2")  # An idle lane does not ask its database.
        status, body = eventually(lambda: (found := pages.ready())[0] == 503 and found, what="503")
        waiting, other = body.splitlines()
        assert waiting.startswith("postgres: running, waits: ") and other == "cassandra: running"
        assert "sluice@" not in body and "PGPASSWORD" not in body
        assert pages.get("/healthz")[0] == 200
        retries = eventually(lambda: sum(
            value for (name, labels), value in pages.samples().items()
            if name == "sluice_retries_total" and labels[1] == "postgres"), what="retries")
        assert retries >= 1
        assert pages.value("sluice_lane_up", "cassandra") == 1
    eventually(lambda: pages.ready() == (200, "postgres: running\ncassandra: running\n"), what="ready again")
    eventually(lambda: pages.value("sluice_rows_total", "postgres") == 2, what="the second row")
    process.stop().expect(0)


def test_a_lane_that_cannot_start_says_why(sluice, pages, topic, database, keyspace):
    flags = sluice.flags(topic, database, keyspace)
    flags[flags.index("--postgres") + 1] = sluice.addresses.postgres_url("no_such_database")
    process = start(sluice, pages, *flags)
    def look():
        status, body = pages.ready()
        assert status == 503
        return "cassandra: running\n" in body and re.search(r"^postgres: starting: .*no_such_database", body)
    eventually(look, what="one lane runs, and the other says why not")
    assert pages.value("sluice_retries_total", "3D", "postgres") >= 1
    assert pages.value("sluice_lane_phase", "postgres", "starting") == 1
    process.stop().expect(0)


def test_a_port_in_use_ends_the_start(sluice, topic, database):
    with closing(socket.create_server(("127.0.0.1", 0))) as owner:
        address = f"127.0.0.1:{owner.getsockname()[1]}"
        done = sluice.drain(topic, database, None, "--http", address).expect(3)
    done.line(f"can't listen on {address}: Address already in use", "another process has this port")
    assert not database.has("events"), "nothing was begun"


def test_two_runs_do_not_share_a_port(sluice, pages, topic, database):
    start(sluice, pages, *sluice.flags(topic, database))
    sluice.drain(topic, database, None, "--http", pages.address).expect(3).has("Address already in use")


def test_an_address_of_another_machine_ends_the_start(sluice, topic, database):
    sluice.drain(topic, database, None, "--http", "192.0.2.1:9464").expect(3).has(
        "can't listen on 192.0.2.1:9464: Cannot assign requested address")


def test_without_the_setting_no_port_is_opened(sluice, topic, database):
    process = sluice.start("run", *sluice.flags(topic, database)).wait_for("starts afresh")
    assert listens_on(process) == []
    process.stop().expect(0)


def test_only_what_is_written_is_bound(sluice, pages, topic, database):
    process = start(sluice, pages, *sluice.flags(topic, database))
    port = int(pages.address.split(":")[1])
    assert listens_on(process) == [f"0100007F:{port:04X}"]
    process.stop().expect(0)
    process = start(sluice, Pages(f"[::]:{port}"), *sluice.flags(topic, database))
    assert listens_on(process) == [f"{0:032X}:{port:04X}"]
    with pytest.raises(ConnectionRefusedError):
        pages.connect()


def test_only_get_is_answered(sluice, pages, topic, database):
    start(sluice, pages, *sluice.flags(topic, database))
    for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
        status, _, headers = pages.get("/metrics", method)
        assert (status, headers["Allow"]) == (405, "GET"), method
    assert pages.get("/")[0] == 404
    assert pages.get("/metrics?a=b")[0] == 200
    assert pages.get("/metrics", headers={"Connection": "keep-alive"})[2]["Connection"] == "close"
    assert pages.get("/metrics", headers={"Range": "bytes=0-1,0-1,0-1"})[0] == 400
    assert "Content-Encoding" not in pages.get("/metrics", headers={"Accept-Encoding": "gzip, br"})[2]


def test_clients_that_harm_are_dropped_and_hold_nobody_up(sluice, pages, topic, database):
    """Silent connections, endless headers, odd ranges: within seconds others are answered, and rows go on."""
    process = start(sluice, pages, *sluice.flags(topic, database))
    silent = [pages.connect() for _ in range(5)]
    topic.send(*map(str, range(1000)))
    eventually(lambda: database.has("events") and database.value("SELECT count(*) FROM events") == 1000,
               what="rows are written meanwhile")
    # Four at once have 5 s each, then it is the turn of the next.
    with closing(pages.connect()) as patient:
        patient.settimeout(30)
        patient.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        assert patient.recv(100).startswith(b"HTTP/1.1 200")
    for connection in silent:
        connection.close()

    def sent(data):
        with closing(pages.connect()) as connection:
            try:
                connection.sendall(data)
                return connection.recv(100)
            except (ConnectionResetError, BrokenPipeError):
                return b""
    assert not sent(b"GET /metrics HTTP/1.1\r\n" + b"X: " + b"a" * 20_000_000).startswith(b"HTTP/1.1 200")
    assert not sent(b"G" * 20_000_000).startswith(b"HTTP/1.1 200")
    assert not sent(b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 100_000 + b"\r\n").startswith(b"HTTP/1.1 200")
    for header in (b"bytes=" + b"0-0," * 1900 + b"0-0", b"bytes=99999999999999999999999-", b"b" * 7900):
        assert sent(b"GET /metrics HTTP/1.1\r\nRange: " + header + b"\r\n\r\n").startswith(b"HTTP/1.1 4")
    assert pages.get("/healthz")[0] == 200
    assert pages.value("process_resident_memory_bytes") < 300e6
    process.stop().expect(0)


def test_an_open_connection_does_not_hold_the_end_up(sluice, pages, topic, database):
    process = start(sluice, pages, *sluice.flags(topic, database))
    eventually(lambda: pages.ready()[0] == 200, what="the lane runs")
    with closing(pages.connect()):
        begun = time.monotonic()
        process.stop().expect(0)
        assert time.monotonic() - begun < 4


def test_a_dead_letter_counts_as_that_and_gives_no_row(sluice, pages, make_topic, database, keyspace):
    topic = make_topic(1)
    topic.send(*(value for n in range(100) for value in (str(n), "no JSON")))
    file = sluice.config(topic, "", database, keyspace, dead_letters=f"{{table: lost_{topic.name}}}",
                         http=f"{{listen: '{pages.address}'}}")
    sluice.start("run", "-c", file).wait_for("answers on http")

    def drained():
        found = pages.samples()
        return all(found.get(("sluice_dead_letters_total", (lane, "decode"))) == 100
                   for lane in ("postgres", "cassandra")) and found
    found = eventually(drained, what="all dead letters are counted")
    for lane in ("postgres", "cassandra"):
        assert found["sluice_records_total", (lane,)] == 200
        assert found["sluice_rows_mapped_total", (lane,)] == found["sluice_rows_total", (lane,)] == 100
