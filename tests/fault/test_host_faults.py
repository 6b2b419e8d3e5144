"""What a process needs of its host and does not get."""

import resource

import pytest


def test_44_few_descriptors_from_the_start(arena, tmp_path):
    """64 are enough for both lanes, also where their sessions end."""
    with arena.run(44, "ulimit -n 64") as run:
        wrapper = tmp_path / "limited"
        wrapper.write_text(f'#!/bin/bash\nulimit -n 64 && exec {run.sluice.command([])[0]} "$@"\n')
        wrapper.chmod(0o755)
        process = run.start_one("p0", program=wrapper)
        with run.fault():
            assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (64, 64)
            assert run.end_sessions() > 0
            run.load.more(2 * run.load.rate)
        run.expect_retries("postgres", "57", "connection")


@pytest.mark.quick
def test_44_no_more_descriptors(arena):
    """A lane that has lost its sessions can't open new ones, waits, and goes on when it may."""
    with arena.run(44, "no descriptor is left") as run:
        process = run.start()
        with run.fault():
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, hard))
            assert run.end_sessions() > 0
            process.wait_for("postgres: waits: ", 60)
            run.load.more(5 * run.load.rate)
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (1024, hard))
        run.expect_retries("postgres", "connection")
