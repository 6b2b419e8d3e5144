"""What a person sees of a run, on a terminal and in a log."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from servers import eventually

UP_ONE_LINE_AND_CLEAR = b"\x1b[1A\x1b[J"


def read_until(terminal, pattern):
    seen = b""
    deadline = time.monotonic() + 40
    while not re.search(pattern, seen):
        more = select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]
        assert more and time.monotonic() < deadline, f"no {pattern!r} in {seen[-500:]!r}"
        seen += os.read(terminal, 4096)
    return seen


def test_a_terminal_has_one_line_a_lane_that_is_redrawn_in_place(sluice, topic, database):
    topic.send(*map(str, range(1000)))
    ours, theirs = pty.openpty()
    command = sluice.command(["run", *sluice.flags(topic, database)])
    with subprocess.Popen(command, env=sluice.environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = read_until(ours, rb"running .* 1,000 rows   lag 0")
        process.send_signal(signal.SIGTERM)
        seen += read_until(ours, b"1,000 rows from 1,000 records")
        assert process.wait(30) == 0
    os.close(ours)
    drawn = len(re.findall(rb"rows/s +[\d,]+ rows   lag", seen))
    assert drawn > 2
    # Each drawing takes the one before it away, and so does each line of the log.
    assert seen.count(UP_ONE_LINE_AND_CLEAR) >= drawn - 1
    assert seen.count(b"\x1b[2A") == 0


def test_lag_grows_while_a_table_waits(sluice, make_topic, database):
    """Of a partition that is not fetched the client learns no new end."""
    topic = make_topic(1)
    database.execute("CREATE TABLE t (id int) PARTITION BY RANGE (id)")
    file = sluice.config(topic, "    postgres: {table: t}", database)
    topic.send('{"id": 1}')
    ours, theirs = pty.openpty()
    with subprocess.Popen(sluice.command(["run", "-c", file]), env=sluice.environment, stdout=theirs,
                          stderr=theirs) as process:
        os.close(theirs)
        read_until(ours, rb"waiting .* lag 1 ")
        topic.send(*['{"id": 1}'] * 3000)
        read_until(ours, rb"waiting .* lag 3,001 ")
        database.execute("CREATE TABLE t0 PARTITION OF t DEFAULT")
        read_until(ours, rb"running .* 3,001 rows   lag 0")
        process.send_signal(signal.SIGTERM)
        read_until(ours, b"3,001 rows from 3,001 records")
        assert process.wait(30) == 0
    os.close(ours)


@pytest.mark.slow
def test_the_first_summary_of_a_log_counts_from_the_start(sluice, topic, database):
    topic.send(*map(str, range(1000)))
    process = sluice.start("run", *sluice.flags(topic, database))
    eventually(lambda: process.count(r"running .* 1,000 rows"), 20, "a summary line")
    rate = re.search(r"running +([\d,]+) rows/s", process.text())
    assert 90 <= int(rate[1].replace(",", "")) <= 110  # 1,000 rows in the first ten seconds.
    process.stop().expect(0)
