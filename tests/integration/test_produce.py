"""`sluice produce`: one event a line, keys placed as Java does, and a count that the brokers acknowledged."""

import os
import pty
import re
import signal
import subprocess
import time

import pytest
import verify
from servers import Topic, eventually

# Java's Utils.murmur2, in its own tests (UtilsTest.testMurmur2).
MURMUR2 = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536,
           b"a-little-bit-longer-string": -1486304829,
           b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, b"abc": 479470107}


def murmur2(data):
    """org.apache.kafka.common.utils.Utils.murmur2"""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    for at in range(0, len(data) & ~3, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[len(data) & ~3:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


@pytest.fixture
def target(kafka, names, cleaner):
    """A topic that `produce` makes."""
    topic = Topic(kafka, names.new())
    yield topic
    cleaner.submit(kafka.drop, topic.name)


def produce(sluice, topic, text, *more, timeout=60):
    data = text if isinstance(text, bytes) else text.encode()
    return sluice.run("produce", "--brokers", sluice.addresses.kafka, "--topic", topic.name, *more,
                      stdin=data, timeout=timeout)


def on_a_terminal(sluice, *arguments):
    """The exit code, and all that the terminal got."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(sluice.command(arguments), env=sluice.environment, stdin=subprocess.DEVNULL, stdout=theirs,
                          stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 4096):
                seen += piece
        except OSError:
            pass  # Linux says so when the last one at the other side is gone.
        code = process.wait(30)
    os.close(ours)
    return code, seen


def values(topic):
    return sorted(record.value for record in verify.read_topic(topic.kafka.brokers, topic.name).values())


def test_the_reference_of_this_test_is_javas():
    assert {key: (murmur2(key) ^ 1 << 31) - (1 << 31) for key in MURMUR2} == MURMUR2


def test_keys_are_placed_as_java_places_them(sluice, target):
    keys = [key.decode() for key in MURMUR2] + ["", "ž", *(f"key-{n}" for n in range(200))]
    lines = "".join(f'{{"id": "{key}"}}\n' for key in keys)
    produce(sluice, target, lines, "--key", "id", "--partitions", "7").expect(0)
    found = verify.read_topic(target.kafka.brokers, target.name)
    assert sorted(record.key.decode() for record in found.values()) == sorted(keys)
    for (partition, _), record in found.items():
        assert partition == (murmur2(record.key) & 0x7FFFFFFF) % 7, record.key


def test_lines_arrive_unchanged_and_in_order(sluice, target):
    lines = [f'  {{"n": {n}, "text": "ü"}} ' for n in range(2000)]
    done = produce(sluice, target, "\n".join(lines), "--partitions", "1").expect(0)
    found = verify.read_topic(target.kafka.brokers, target.name)
    assert [found[0, n].value.decode() for n in range(2000)] == lines
    done.has("2,000 events acknowledged", target.name).has("created topic", "1 partitions")


def test_an_existing_topic_is_taken_as_it_is(sluice, make_topic):
    topic = make_topic(2)
    done = produce(sluice, topic, "a\nb\n", "--partitions", "9").expect(0)
    assert "created" not in done.err
    assert values(topic) == [b"a", b"b"]


def test_crlf_empty_lines_and_a_missing_last_newline(sluice, target):
    done = produce(sluice, target, b"one\r\n\r\n\ntwo\nthree").expect(0)
    assert values(target) == [b"one", b"three", b"two"]
    done.has("3 events acknowledged", "2 empty lines")


def test_keys_from_nested_fields_and_numbers(sluice, target):
    lines = '{"a": {"b": [1, "x"]}}\n{"a": {"b": [1, 25]}}\n{"a": {"b": [1, {"c": 1}]}}\n'
    produce(sluice, target, lines, "--key", "a.b[1]").expect(0)
    keys = sorted(record.key for record in verify.read_topic(target.kafka.brokers, target.name).values())
    assert keys == [b"25", b"x", b'{"c": 1}']


def test_lines_without_the_key_fail_by_number_and_the_rest_is_sent(sluice, target):
    lines = '{"id": 1}\n{"no": 2}\n\n{"id": null}\n{broken\n{"id": 6}\n'
    done = produce(sluice, target, lines, "--key", "id").expect(1)
    for number in (2, 4, 5):
        done.line(f"line {number}:")
    done.has("2 events acknowledged", "3 failed").lacks("broken")
    assert values(target) == [b'{"id": 1}', b'{"id": 6}']


def test_value_json_checks_each_line(sluice, target):
    done = produce(sluice, target, "{}\nplain\n", "--value", "json").expect(1)
    done.line("line 2:")
    assert values(target) == [b"{}"]


def test_a_line_above_the_brokers_limit_fails_and_each_failed_line_is_named(sluice, make_topic):
    """The broker refuses whole batches, so neighbours may fail with it; each line is either there or named."""
    topic = make_topic(1, max_message_bytes=1000)
    lines = ["a", os.urandom(2000).hex(), "b", "c"]
    done = produce(sluice, topic, "\n".join(lines)).expect(1)
    done.line("line 2:")
    failed = {number for number in range(1, 5) if done.lines(f"line {number}:")}
    there = {lines.index(value.decode()) + 1 for value in values(topic)}
    assert failed | there == {1, 2, 3, 4} and not failed & there
    done.has(f"{len(there)} events acknowledged", f"{len(failed)} failed")


def test_rate_is_kept(sluice, target):
    began = time.monotonic()
    produce(sluice, target, "x\n" * 100, "--rate", "50").expect(0)
    assert 1.9 < time.monotonic() - began < 8


def test_a_topic_that_can_not_be_is_a_mistake_of_the_command(sluice):
    done = sluice.run("produce", "--brokers", "127.0.0.1:1", "--topic", "a/b").expect(2)
    done.has("--topic: 'a/b' is no topic's name", "letters, digits")


def test_a_file_is_read(sluice, target):
    file = sluice.write_file("a\nb\n", "events.ndjson")
    produce(sluice, target, "", "--file", file).expect(0)
    assert values(target) == [b"a", b"b"]


def test_a_terminal_has_a_progress_bar_that_is_redrawn_in_place(sluice, target):
    pad = "x" * 300  # Several of the pieces (1 MiB) in which a file is read.
    file = sluice.write_file("".join(f'{{"n": {n}, "pad": "{pad}"}}\n' for n in range(20_000)), "events.ndjson")
    code, seen = on_a_terminal(sluice, "produce", "--brokers", sluice.addresses.kafka, "--topic", target.name,
                               "--file", file, "--rate", "20000")
    assert code == 0
    drawn = re.findall(rb"\r\x1b\[K([\d,]+) events +[\d,]+/s +\[(#*)(\.*)\] (\d+) %", seen)
    shares = [int(share) for *_, share in drawn]
    assert len(drawn) >= 3 and shares == sorted(shares) and shares[0] < shares[-1] <= 100
    assert {len(full + empty) for _, full, empty, _ in drawn} == {30}
    # The last drawing is taken away before the count.
    assert re.search(rb"%\r\x1b\[K[^\r]*20,000 events acknowledged", seen.replace(b"\r\n", b"\n"))


def test_a_missing_file_is_named_and_nothing_is_created(sluice, target, kafka):
    done = produce(sluice, target, "", "--file", "/nowhere/x").expect(2)
    done.has("error", "/nowhere/x: No such file or directory")
    assert target.name not in kafka.admin.list_topics(timeout=10).topics


def test_records_are_lz4_with_all_acks_from_an_idempotent_producer(sluice, target):
    """Seen in the log file of the broker: codec 3 is lz4, and an idempotent batch has a producer id."""
    produce(sluice, target, "x" * 500 + "\n" + "y" * 500 + "\n", "--partitions", "1").expect(0)
    folder = sluice.addresses.postgres_log.parents[1] / "data/kafka"
    log = next(folder.glob(f"**/{target.name}-0/00000000000000000000.log")).read_bytes()
    attributes, producer_id = int.from_bytes(log[21:23], "big"), int.from_bytes(log[43:51], "big", signed=True)
    assert attributes & 7 == 3 and producer_id >= 0


@pytest.mark.slow
def test_no_broker_ends_with_3_after_its_deadline(sluice):
    done = sluice.run("produce", "--brokers", "127.0.0.1:1", "--topic", "t", stdin=b"a\n", timeout=60)
    done.expect(3).has("127.0.0.1:1", "check the brokers' addresses")


def test_a_signal_sends_no_half_line_and_sees_the_rest_through(sluice, target, kafka):
    """The writer of a pipe may be in the middle of a line."""
    command = sluice.command(["produce", "--brokers", sluice.addresses.kafka, "--topic", target.name,
                              "--value", "string"])
    with subprocess.Popen(command, env=sluice.environment, stdin=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        process.stdin.write(b"one\ntwo\nthr")
        process.stdin.flush()
        # Both are sent while the pipe is still open.
        eventually(lambda: target.name in kafka.admin.list_topics(timeout=10).topics
                   and len(values(target)) == 2, what="two events")
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read().decode()
        assert process.wait(30) == 0, said
    assert "2 events acknowledged" in said
    assert values(target) == [b"one", b"two"]


@pytest.mark.slow
def test_many_events_are_all_acknowledged_and_there(sluice, target):
    produce(sluice, target, "".join(f'{{"n": {n}}}\n' for n in range(300_000))).expect(0).has(
        "300,000 events acknowledged")
    assert len(verify.read_topic(target.kafka.brokers, target.name)) == 300_000
