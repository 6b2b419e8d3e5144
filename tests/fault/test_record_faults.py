"""Odd times, many changes of one key, and the place of the dead letters gone."""

import pytest
from arena import LANES
from servers import eventually

YEAR_MS = 365 * 86_400_000
NOW_MS = 1_790_000_000_000
ODD_TIMES = (0, 1, NOW_MS - YEAR_MS, NOW_MS, NOW_MS + YEAR_MS, 7_258_118_400_001, 9_000_000_000_000_000)


@pytest.mark.quick
@pytest.mark.parametrize("row, what, load, keys", [
    (38, "clocks a year off, and none", lambda rng: rng.choice(ODD_TIMES), 2000),
    (39, "all within one millisecond, over few keys", lambda rng: NOW_MS, 50)])
def test_38_and_39_times_tell_nothing(arena, row, what, load, keys):
    """And the process is killed meanwhile: its clocks must go on where they were."""
    with arena.run(row, what, load={"timestamp": load, "keys": keys}, topic={"message_timestamp_after_max_ms": 2**63 - 1}) as run:
        process = run.start()
        for _ in range(3):
            with run.fault():
                process.kill()
                process = run.start_one(process.instance)


def test_43_the_topic_of_the_dead_letters_takes_nothing(arena):
    """Back-pressure: no progress passes a dead letter that nobody has acknowledged."""
    letters = arena.make_topic(2)
    with arena.run(43, "the dead letters' topic takes nothing", load={"bad": 0.001}, letter_topic=letters.name) as run:
        process = run.start()
        with run.fault():
            run.kafka.configure(letters.name, max_message_bytes=1)
            for lane in LANES:
                process.wait_for(f"{lane}: .*dead letters wait for their topic.*MSG_SIZE_TOO_LARGE", 60)
                eventually(lambda of=lane: run.lag(process, of) > 2 * run.load.rate, 60, f"{lane} waits")
            run.kafka.configure(letters.name, max_message_bytes=1_000_000)
