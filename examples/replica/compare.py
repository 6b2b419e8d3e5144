"""Compares the source's rows with those of both copies, column by column; shares nothing with Sluice."""

import argparse
import base64
import json
import struct
import sys
import time
from datetime import timezone
from decimal import Decimal

import psycopg
from cassandra import InvalidRequest
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster

TABLES = ("customers", "orders", "documents", "stock", "readings", "places")
SPAN = "CASE WHEN span IS NOT NULL THEN ARRAY[extract(year FROM span) * 12 + extract(month FROM span), extract(day FROM span), " \
       "extract(epoch FROM span - date_trunc('day', span)) * 1000000] END AS span"


def same_instant(value):
    """The driver's times have no zone and are UTC."""
    return value.replace(tzinfo=timezone.utc) if value and value.tzinfo is None else value


def as_cassandra(column, value):
    """What the copy in Cassandra is to hold of the source's value."""
    if value is None:
        return None
    if column == "lines":
        return json.dumps(value, sort_keys=True)
    if column == "flags":
        return base64.b64encode(bytes([int(value, 2)]) if int(value, 2) else b"").decode()  # As Debezium sends them.
    if column == "share":
        return struct.unpack("f", struct.pack("f", value))[0]
    if column == "span":
        return tuple(int(part) for part in value)
    if column in ("created", "seen", "placed"):
        return same_instant(value)
    return value


def from_cassandra(column, value):
    if value is None:
        return None
    if column == "lines":
        return json.dumps(json.loads(value), sort_keys=True)
    if column == "span":
        return (value.months, value.days, value.nanoseconds // 1000)
    if column == "at":
        return value.time()
    if column == "day":
        return value.date()
    if column in ("created", "seen", "placed"):
        return same_instant(value)
    return value


def rows_of(connection, table, columns):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(SPAN if name == 'span' else name for name in columns)} FROM {table}")
        return cursor.fetchall()


def columns_of(connection, table):
    with connection.cursor() as cursor:
        cursor.execute("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
                       [table])
        return [name for (name,) in cursor.fetchall()]


def plain(value):
    """Of a numeric without a scale Debezium sends the number, without zeros at its end."""
    return value.normalize() if isinstance(value, Decimal) else value


def differences(table, wanted, found):
    """By the whole row: a row that differs is missing, and another one is too many."""
    wanted, found = ([tuple(plain(value) for value in row) for row in rows] for rows in (wanted, found))
    left = {repr(row) for row in wanted} - {repr(row) for row in found}
    right = {repr(row) for row in found} - {repr(row) for row in wanted}
    doubled = len(found) - len({repr(row) for row in found})
    return [f"{table} lacks {row[:300]}" for row in sorted(left)[:3]] + [f"{table} has {row[:300]}" for row in sorted(right)[:3]] + \
        ([f"{table} has {doubled} rows twice"] if doubled else [])


def copied_by_postgres(copy, table, columns, wanted):
    try:
        return [f"postgres: {each}" for each in differences(table, wanted, rows_of(copy, table, columns))]
    except psycopg.errors.UndefinedColumn as error:
        return [f"postgres: {table}: {error}"]


def copied_by_cassandra(session, table, columns, wanted):
    try:
        rows = list(session.execute(f"SELECT {', '.join(columns)} FROM replica.{table}"))
    except InvalidRequest as error:  # It has no such column.
        return [f"cassandra: {table}: {error}"]
    found = [tuple(from_cassandra(name, value) for name, value in zip(columns, row)) for row in rows]
    expected = [tuple(as_cassandra(name, value) for name, value in zip(columns, row)) for row in wanted]
    return [f"cassandra: {each}" for each in differences(table, expected, found)]


def compare(source, copy, session):
    problems, counts = [], {}
    for table in TABLES:
        columns = columns_of(source, table)
        wanted = rows_of(source, table, columns)
        counts[table] = len(wanted)
        problems += copied_by_postgres(copy, table, columns, wanted) + copied_by_cassandra(session, table, columns, wanted)
    return problems, counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--source", "--copy", "--cassandra"):
        parser.add_argument(name, required=True)
    parser.add_argument("--wait", type=float, default=60, help="seconds until both copies must be equal to the source")
    options = parser.parse_args()
    host, port = options.cassandra.rsplit(":", 1)
    cluster = Cluster([host], port=int(port), auth_provider=PlainTextAuthProvider("cassandra", "cassandra"))
    end = time.monotonic() + options.wait
    with psycopg.connect(options.source, autocommit=True) as source, psycopg.connect(options.copy, autocommit=True) as copy:
        session = cluster.connect()
        problems, counts = compare(source, copy, session)
        while problems and time.monotonic() < end:
            time.sleep(0.5)
            problems, counts = compare(source, copy, session)
    cluster.shutdown()
    for problem in problems:
        print(problem)
    print(f"{'DIFFERENT' if problems else 'equal'}: " + ", ".join(f"{count} {table}" for table, count in counts.items()))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
