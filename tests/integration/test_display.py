"""What a person sees of a run, on a terminal and in a log."""

import os
import pty
import re
import signal
import subprocess

import pytest
from servers import eventually

UP_ONE_LINE_AND_CLEAR = b"\x1b[1A\x1b[J"


def test_a_terminal_has_one_line_a_lane_that_is_redrawn_in_place(sluice, topic, database):
    topic.send(*map(str, range(1000)))
    ours, theirs = pty.openpty()
    command = sluice.command(["run", *sluice.flags(topic, database)])
    with subprocess.Popen(command, env=sluice.environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        while not re.search(rb"running .* 1,000 rows   lag 0", seen):
            seen += os.read(ours, 4096)
        process.send_signal(signal.SIGTERM)
        while b"1,000 rows from 1,000 records" not in seen:
            seen += os.read(ours, 4096)
        assert process.wait(30) == 0
    os.close(ours)
    drawn = len(re.findall(rb"rows/s +[\d,]+ rows   lag", seen))
    assert drawn > 2
    # Each drawing takes the one before it away, and so does each line of the log.
    assert seen.count(UP_ONE_LINE_AND_CLEAR) >= drawn - 1
    assert seen.count(b"\x1b[2A") == 0


@pytest.mark.slow
def test_the_first_summary_of_a_log_counts_from_the_start(sluice, topic, database):
    topic.send(*map(str, range(1000)))
    process = sluice.start("run", *sluice.flags(topic, database))
    eventually(lambda: process.count(r"running .* 1,000 rows"), 20, "a summary line")
    rate = re.search(r"running +([\d,]+) rows/s", process.text())
    assert 90 <= int(rate[1].replace(",", "")) <= 110  # 1,000 rows in the first ten seconds.
    process.stop().expect(0)
