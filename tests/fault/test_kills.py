"""Processes that die, freeze and end."""

import statistics
import time

import pytest
from servers import eventually


@pytest.mark.quick
def test_01_kill_9_at_random_times(arena, request):
    kills = request.config.getoption("--kills")
    took = []
    with arena.run(1, f"kill -9, {kills} times") as run:
        process = run.start()
        run.wait_for_commits()
        for _ in range(kills):
            run.load.more(arena.rng.randrange(1, 2 * run.load.rate))
            process.kill()
            began = time.monotonic()
            process = run.start_one(process.instance)
            run.healed()
            took.append(time.monotonic() - began)
        took.sort()
        print(f"from start to the first commit of both lanes, {kills} kills: median {statistics.median(took):.2f} s, "
              f"90 % {took[int(0.9 * (kills - 1))]:.2f} s, longest {took[-1]:.2f} s")


def test_01_one_of_three_killed_every_5_s(arena):
    """And one frozen past its session and thawed, meanwhile."""
    kills, frozen_at, thawed_at = 36, 6, 10
    with arena.run(1, f"one of three killed every 5 s, {kills} times", load={"rate": min(arena.rate, 2000)}) as run:
        run.start(3)
        run.wait_for_commits()
        frozen, *others = run.living()
        others = [process.instance for process in others]
        for number in range(kills):
            due = time.monotonic() + 5
            if number == frozen_at:
                frozen.freeze()
            if number == thawed_at:
                frozen.thaw()
            victim = arena.rng.choice([process for process in run.living() if process.instance in others])
            victim.kill()
            run.start_one(victim.instance)
            time.sleep(max(0.0, due - time.monotonic()))  # Not to wait for something: the kills' pace.
        run.healed()


PLACES = ("postgres.before_begin", "postgres.advanced", "postgres.in_copy", "postgres.before_commit", "postgres.committed",
          "cassandra.before_write", "cassandra.acknowledged", "kafka.before_commit", "kafka.committed", "lane.assigned",
          "dead_letter.before_write")


@pytest.mark.quick
def test_02_a_crash_at_each_named_place(arena):
    with arena.run(2, f"abort at {len(PLACES)} places", dead_letters="lost", load={"bad": 0.01}) as run:
        process = run.start()
        for place in PLACES:
            with run.fault():
                process.kill()
                run.start_failing(process.instance, place, "abort", 1 if place == "lane.assigned" else arena.rng.randrange(1, 8))
                process = run.start_one(process.instance)


@pytest.mark.quick
def test_03_sigterm_under_load(arena):
    """Nothing is left to be done twice: what the group's commits name is all that Cassandra has."""
    with arena.run(3, "SIGTERM, 5 times") as run:
        process = run.start()
        for _ in range(5):
            with run.fault():
                began = time.monotonic()
                process.stop().expect(0)
                assert time.monotonic() - began < 25 + 4
                committed = run.kafka.committed(f"{run.topic.name}.cassandra", run.topic.name)
                for partition, newest in run.newest_in_cassandra().items():
                    assert newest < committed[partition], (partition, newest, committed)
                process = run.start_one(process.instance)


def zombie(run, place, nth, seen=None):
    """Of two processes one freezes there, and thaws when the other has all partitions, writes, and has said so."""
    other = run.start()
    with run.fault():
        frozen = run.start_failing("zombie", place, "freeze", nth)
        for group in run.groups():
            run.kafka.wait_for_members(group, [4], timeout=40)
        run.healed()
        if seen:
            other.wait_for(seen, 40)
        frozen.thaw()


@pytest.mark.parametrize("place", ["postgres.before_begin", "cassandra.before_write"])
def test_04_a_process_frozen_past_its_session(arena, place):
    with arena.run(4, f"frozen at {place}") as run:
        zombie(run, place, arena.rng.randrange(5, 20))
        if place.startswith("postgres"):
            eventually(lambda: run.sample("sluice_fenced_batches_total", "postgres") > 0, what="its batch is fenced")


@pytest.mark.parametrize("place", ["postgres.advanced", "postgres.in_copy", "postgres.before_commit"])
def test_05_a_process_frozen_in_its_transaction(arena, place):
    """The next owner ends the session that holds the progress, 10 s after it has asked first."""
    with arena.run(5, f"frozen at {place}") as run:
        zombie(run, place, arena.rng.randrange(5, 20), "ended session .* which held its progress for too long")
