"""The consumer group: its members' time limits, and its offsets."""

import pytest
from arena import LANES
from servers import sandbox


def test_16_both_databases_away_for_longer_than_a_poll_may_take(arena):
    """The lanes take no records, and stay members: the brokers must not think that they hang."""
    settings = {"properties": "{max.poll.interval.ms: 10000}"}
    with arena.run(16, "both frozen for longer than max.poll.interval", settings=settings) as run:
        process = run.start()
        with run.fault():
            for server in LANES:
                sandbox("freeze", server)
            try:
                run.load.more(15 * run.load.rate)
                for group in run.groups():
                    run.kafka.wait_for_members(group, [4], timeout=0)
            finally:
                for server in LANES:
                    sandbox("thaw", server)
        assert process.count("were lost to other members|_MAX_POLL_EXCEEDED") == 0, process.text()


@pytest.mark.parametrize("where", [pytest.param("the beginning", marks=pytest.mark.quick), "the end"])
def test_17_somebody_sets_the_groups_offsets(arena, where):
    """Neither lane takes that for its progress."""
    with arena.run(17, f"the group's offsets set to {where}") as run:
        process = run.start()
        with run.fault():
            process.stop().expect(0)
            run.load.more(run.load.rate)
            ends = run.kafka.ends(run.topic.name)
            for group in run.groups():
                run.kafka.wait_for_members(group, [])
                run.kafka.set_offsets(group, run.topic.name, dict.fromkeys(ends, 0) if where == "the beginning" else ends)
            run.start_one(process.instance)
