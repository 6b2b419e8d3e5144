"""Processes that die, freeze and end."""

import statistics
import time


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
