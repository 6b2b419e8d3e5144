"""A lane that must spare its database: `rows_per_s_max`."""

import json
import time

import pytest
from pages import Pages, free_address
from servers import eventually

RATE = 2000
SECONDS = 6


@pytest.mark.parametrize("lane", ["postgres", "cassandra"])
def test_a_lane_writes_as_many_rows_a_second_as_it_may(sluice, make_topic, database, keyspace, lane):
    """Over a span of seconds within a tenth, and evenly: no second of it has much more. The other lane does not wait."""
    topic = make_topic(4)
    count = RATE * (SECONDS + 10)
    topic.send_records((f"k{i}", json.dumps({"i": i})) for i in range(count))
    pages = Pages(free_address())
    file = sluice.config(topic, "", database, keyspace, http=f"{{listen: '{pages.address}'}}", **{f"{lane}_rate": RATE})
    sluice.start("run", "-c", file).wait_for("answers on http")
    rows = lambda: pages.value("sluice_rows_total", lane)  # noqa: E731
    eventually(lambda: rows() > 0, what="the first rows")
    seen = [(time.monotonic(), rows())]
    while seen[-1][0] < seen[0][0] + SECONDS:
        now = rows()
        if now > seen[-1][1]:
            seen.append((time.monotonic(), now))
    took, written = (seen[-1][i] - seen[0][i] for i in (0, 1))
    print(f"{lane}: {written / took:.0f} rows/s over {took:.1f} s")
    assert abs(written / took / RATE - 1) < 0.1
    for at, before in seen:
        second = [count for then, count in seen if at <= then <= at + 1]
        assert second[-1] - before < RATE * 1.5, "a burst"
    other = "cassandra" if lane == "postgres" else "postgres"
    eventually(lambda: pages.value("sluice_rows_total", other) == count, what="the other lane is done")
    assert rows() < count
