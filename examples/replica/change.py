"""Changes the source's rows for a while: inserts, updates, deletes, changed keys, long values that updates leave out."""

import argparse
import json
import random
import time
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import psycopg

TEXTS = ["", "Ada", "ünïcødé 日本語 🐎", "it's \"quoted\" \\ \t\n", None]
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def moment(rng):
    return START + timedelta(milliseconds=rng.randrange(-10**12, 10**12))


def decimal(rng, digits, scale):
    return rng.choice([None, Decimal(rng.randrange(-10**digits, 10**digits)).scaleb(-scale)])


def customer(rng):
    return {"name": rng.choice(TEXTS) or "?", "balance": decimal(rng, 38, 10), "mood": rng.choice(["calm", "très content", None]),
            "active": rng.choice([True, False, None]), "created": moment(rng), "seen": moment(rng).replace(tzinfo=None),
            "note": rng.choice(TEXTS)}


def order(rng):
    lines = [{"product": f"p{rng.randrange(9)}", "price": rng.randrange(10**6) / 100, "gift": rng.choice([True, None])}
             for _ in range(rng.randrange(3))]
    return {"customer": rng.randrange(100), "total": decimal(rng, 20, rng.randrange(8)), "lines": rng.choice([json.dumps(lines), None]),
            "tags": rng.choice([None, [], ["a", "b,c", "日"]]), "placed": rng.choice([moment(rng), None])}


def document(rng):
    # Beyond 2 kB, and hard to compress, so that it is stored apart and an update of another column does not send it.
    body = "".join(rng.choices("abcdefghijklmnopqrstuvwxyzé", k=9000))
    return {"title": rng.choice(TEXTS), "body": body, "raw": rng.choice([None, rng.randbytes(8)]), "day": date(1970, 1, 1) +
            timedelta(days=rng.randrange(-50_000, 50_000)), "at": (START + timedelta(milliseconds=rng.randrange(86_400_000))).time()}


def reading(rng):
    # Whole seconds: Debezium takes fractions apart as floating-point numbers, and 3.486 becomes 3.485999999.
    span = timedelta(days=rng.randrange(400), seconds=rng.randrange(86_400))
    return {"small": rng.randrange(-32768, 32768), "ratio": rng.choice([rng.random() * 1e300, None, 0.1, -0.0]),
            "share": rng.choice([0.1, 1.5e-38, None]), "span": rng.choice([span, None]), "flags": format(rng.randrange(32), "05b"),
            "numbers": rng.choice([None, [], [1, -2, 2**31 - 1]])}


def place(rng):
    return {"city": rng.choice(["Rome", "Oslo", "Bonn", "Łódź"]), "name": rng.choice(TEXTS)}


def stock(rng):
    return {"amount": rng.randrange(1000)}


# Table: its key's columns with a choice of values, and what makes the others.
TABLES = {
    "customers": ({"id": range(200)}, customer),
    "orders": ({"id": [uuid.UUID(int=n) for n in range(500)]}, order),
    "documents": ({"id": range(50)}, document),
    "stock": ({"warehouse": ["north", "south", "ouest é"], "product": [f"p{n}" for n in range(60)]}, stock),
    "readings": ({"id": range(1000)}, reading),
    "places": ({"id": range(100)}, place),
}


class Changes:
    def __init__(self, connection, seed):
        self.cursor, self.rng = connection.cursor(), random.Random(seed)
        self.counts = dict.fromkeys(("inserted", "updated", "deleted", "moved"), 0)
        self.tables = dict(TABLES)

    def add_column(self):
        """From here on customers have a score."""
        self.cursor.execute("ALTER TABLE customers ADD COLUMN score int")
        self.cursor.connection.commit()
        self.tables["customers"] = (TABLES["customers"][0], lambda rng: {**customer(rng), "score": rng.choice([None, rng.randrange(100)])})

    def run(self, what, sql, values):
        self.cursor.execute(sql, values)
        self.counts[what] += self.cursor.rowcount

    def step(self):
        table = self.rng.choice(list(self.tables))
        keys, make = self.tables[table]
        key = {name: self.rng.choice(values) for name, values in keys.items()}
        where = " AND ".join(f"{name} = %({name})s" for name in key)
        row = make(self.rng)
        what = self.rng.random()
        if what < 0.45:
            columns = ", ".join([*key, *row])
            values = ", ".join(f"%({name})s" for name in [*key, *row])
            self.run("inserted", f"INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING", {**key, **row})
        elif what < 0.85:
            some = self.rng.sample(list(row), self.rng.randrange(1, len(row) + 1))
            if table == "documents" and len(some) < len(row):
                some = [name for name in some if name != "body"] or ["title"]
            sets = ", ".join(f"{name} = %({name})s" for name in some)
            self.run("updated", f"UPDATE {table} SET {sets} WHERE {where}", {**key, **row})
        elif what < 0.95 or table == "documents":
            self.run("deleted", f"DELETE FROM {table} WHERE {where}", key)
        else:
            other = {f"new_{name}": self.rng.choice(values) for name, values in keys.items()}
            sets = ", ".join(f"{name} = %(new_{name})s" for name in key)
            free = " AND ".join(f"{name} = %(new_{name})s" for name in key)
            self.run("moved", f"UPDATE {table} SET {sets} WHERE {where} AND NOT EXISTS (SELECT FROM {table} WHERE {free})",
                     {**key, **other})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=500, help="changed rows per second")
    parser.add_argument("--column-at", type=float, help="seconds after which a column is added")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with psycopg.connect(options.source) as connection:
        changes, began = Changes(connection, options.seed), time.monotonic()
        while (passed := time.monotonic() - began) < options.seconds:
            if options.column_at is not None and passed >= options.column_at:
                changes.add_column()
                options.column_at = None
            # Transactions of one to twenty changes, and some that are taken back.
            for _ in range(changes.rng.randrange(1, 21)):
                changes.step()
            if changes.rng.random() < 0.05:
                connection.rollback()
            else:
                connection.commit()
            time.sleep(max(0.0, sum(changes.counts.values()) / options.rate - passed))
    print(", ".join(f"{count} {name}" for name, count in changes.counts.items()) + f" in {options.seconds:.0f} s")


if __name__ == "__main__":
    main()
