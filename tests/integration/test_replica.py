"""The example: tables of one PostgreSQL in another one and in Cassandra, by Debezium, through kills."""

import os
import subprocess

import pytest
from program import binary
from servers import ROOT


@pytest.mark.slow
def test_both_copies_equal_the_source_though_sluice_is_killed():
    done = subprocess.run([ROOT / "examples/replica/run", "--seconds", "20", "--kills", "4"], timeout=400, capture_output=True, text=True,
                          env={**os.environ, "SLUICE_BINARY": str(binary().absolute())}, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nequal: " in done.stdout
