"""Every column type with its edges, compared exactly; the same events in both databases."""

import json
import uuid
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

UTC = timezone.utc
DIGITS_40 = "12345678901234567890.12345678901234567890"
TEXTS = ["", "a", "ünïcødé 日本語 🐎", "tab\tnew\nline \\ \" ' \\N \u0001", "x" * 100_000, " padded "]
ID = "6f1c2f04-5b9d-4c3f-8a3e-1b2c3d4e5f60"


def integers(bits):
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return [(str(low), low), (str(high), high), ("0", 0), ("-0", 0), ("1.0", 1), ("1e2", 100)]


def same(values):
    return [(json.dumps(value), value) for value in values]


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


INSTANTS = [('"2024-02-29T23:59:59.999Z"', at(2024, 2, 29, 23, 59, 59, 999000)),
            ('"2024-01-01T00:00:00+05:30"', at(2023, 12, 31, 18, 30)),
            ('"2024-01-01 00:00:00-0800"', at(2024, 1, 1, 8)),
            ('"1969-12-31T23:59:59.001z"', at(1969, 12, 31, 23, 59, 59, 1000)),
            ('"1970-01-01t00:00:00Z"', at(1970, 1, 1)),
            ('"9999-12-31T23:59:59Z"', at(9999, 12, 31, 23, 59, 59)),
            ('"0001-01-01T00:00:00Z"', at(1, 1, 1))]
DATES = [('"2024-02-29"', date(2024, 2, 29)), ('"0001-01-01"', date(1, 1, 1)),
         ('"9999-12-31"', date(9999, 12, 31)), ('"1970-01-01"', date(1970, 1, 1))]
DECIMALS = [(DIGITS_40, Decimal(DIGITS_40)), ("-0.001", Decimal("-0.001")),
            ("-" + DIGITS_40, Decimal("-" + DIGITS_40)), ("1e3", Decimal(1000)),
            ("9007199254740993", Decimal(9007199254740993)), ("0", Decimal(0)),
            ('"3.14"', Decimal("3.14")), ("-128", Decimal(-128)), ("1.50", Decimal("1.50")),
            ("0.1e-20", Decimal("1e-21")), ("255", Decimal(255))]
DOUBLES = [("0.1", 0.1), ("-1.5e300", -1.5e300), ("5e-324", 5e-324), ("1e-400", 0.0),
           ("1.7976931348623157e308", 1.7976931348623157e308), ("9007199254740992", 2.0 ** 53)]
FLOATS = [("1.5", 1.5), ("-16777216", -16777216.0), ("0.25", 0.25)]
ESCAPED = [('"\\ud83d\\ude00\\u00e9"', "😀é")]
UUIDS = [(f'"{ID}"', uuid.UUID(ID)), (f'"{ID.upper()}"', uuid.UUID(ID)),
         ('"00000000-0000-0000-0000-000000000000"', uuid.UUID(int=0))]
BOOLEANS = [("true", True), ("false", False)]
BYTES = {"hex": [('"00fF10"', b"\0\xff\x10"), ('""', b"")],
         "base64": [('"AP8="', b"\0\xff"), ('"-_8"', b"\xfb\xff")], "utf8": [('"é"', "é".encode())]}

POSTGRES = {
    "bool": BOOLEANS, "int2": integers(16), "int4": integers(32),
    "int8": integers(64) + [("9007199254740993", 9007199254740993)],
    "float4": FLOATS, "float8": DOUBLES, "numeric": DECIMALS,
    "numeric(38,10)": [("1234567890123456789012345678.0123456789",
                        Decimal("1234567890123456789012345678.0123456789")),
                       ("-1.50", Decimal("-1.5")), ("1.10000000000000", Decimal("1.1"))],
    "numeric(5,-2)": [("1234500", Decimal(1234500))],
    "text": same(TEXTS) + ESCAPED, "varchar": same(TEXTS), "varchar(5)": same(["é日本🐎x", ""]),
    "char(4)": [('"ab"', "ab  "), ('"日本"', "日本  ")],
    "date": DATES, "uuid": UUIDS,
    "timestamptz": INSTANTS + [('"2024-01-01T00:00:00.123456Z"', at(2024, 1, 1, 0, 0, 0, 123456))],
    "timestamp": [('"2024-01-01T00:00:00"', datetime(2024, 1, 1)),
                  ('"2024-01-01T00:00:00.000001+01:00"', datetime(2023, 12, 31, 23, 0, 0, 1)),
                  ('"2024-01-01T12:00:00Z"', datetime(2024, 1, 1, 12))],
}

CASSANDRA = {
    "boolean": BOOLEANS, "tinyint": integers(8), "smallint": integers(16), "int": integers(32),
    "bigint": integers(64) + [("9007199254740993", 9007199254740993)],
    "float": FLOATS, "double": DOUBLES, "decimal": DECIMALS, "text": same(TEXTS) + ESCAPED,
    "varchar": same(["é"]), "ascii": same(["", "a\u0001~"]), "date": DATES, "uuid": UUIDS,
    "timestamp": INSTANTS,
}


def cases_of(types):
    """(column, type, JSON, expected), a column for each case."""
    numbered = ((type_, case) for type_, cases in types.items() for case in cases)
    return [(f"c{i}", type_, *case) for i, (type_, case) in enumerate(numbered)]


def event_of(cases):
    return "{" + ", ".join(f'"{column}": {text}' for column, _, text, _ in cases) + "}"


def differences(cases, row):
    """bool is no int here, 1.50 is not 1.5, and -0.0 is not 0.0."""
    return [(type_, text[:60], repr(found)[:80]) for (_, type_, text, expected), found in zip(cases, row)
            if found != expected or type(found) is not type(expected)]


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_postgres_types_hold_exactly_what_was_sent(sluice, make_topic, database, mode):
    topic, cases = make_topic(1), cases_of(POSTGRES)
    columns = ", ".join(f"{column} {type_}" for column, type_, _, _ in cases)
    database.execute(f"CREATE TABLE t ({columns}, id int PRIMARY KEY DEFAULT 1)")
    topic.send(event_of(cases).replace("{", '{"id": 1, ', 1))
    key = ", key: id" if mode == "upsert" else ""
    file = sluice.config(topic, f"    postgres: {{table: t, mode: {mode}{key}}}", database)
    sluice.drain_file(file).expect(0)
    names = ", ".join(column for column, _, _, _ in cases)
    assert differences(cases, database.rows(f"SELECT {names} FROM t")[0]) == []


def cql_value(value):
    """As the driver gives it: dates of its own kind, and times without a zone."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return value


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_cassandra_types_hold_exactly_what_was_sent(sluice, make_topic, keyspace, table, mode):
    topic, cases = make_topic(1), cases_of(CASSANDRA)
    columns = ", ".join(f"{column} {type_}" for column, type_, _, _ in cases)
    keyspace.create(f"CREATE TABLE {{ks}}.{table} ({columns}, id int PRIMARY KEY)")
    topic.send(event_of(cases).replace("{", '{"id": 1, ', 1))
    key = ", key: id" if mode == "upsert" else ""
    file = sluice.config(topic, f"    cassandra: {{table: {table}, mode: {mode}{key}}}", None, keyspace)
    sluice.drain_file(file).expect(0)
    names = ", ".join(column for column, _, _, _ in cases)
    row = [value.date() if type(value).__name__ == "Date" else value
           for value in keyspace.rows(f"SELECT {names} FROM {{ks}}.{table}")[0]]
    wanted = [(column, type_, text, cql_value(expected)) for column, type_, text, expected in cases]
    assert differences(wanted, row) == []


# By what PostgreSQL prints of them.
STRUCTURED = {
    "time": [('"03:04:05.678901"', "03:04:05.678901"), ('"24:00:00"', "24:00:00"), ('"23:59"', "23:59:00")],
    "timetz": [('"03:04:05+02:00"', "03:04:05+02"), ('"03:04:05.5Z"', "03:04:05.5+00"), ('"00:00:00-05:30"', "00:00:00-05:30")],
    "interval": [('"P1Y2M3DT4H5M6.789S"', "1 year 2 mons 3 days 04:05:06.789"), ('"P0Y0M-3DT-1H-30M-0.5S"', "-3 days -01:30:00.5"),
                 ('"P2W"', "14 days"), ('"PT0S"', "00:00:00"), ('"P-1Y2MT0.000001S"', "-10 mons +00:00:00.000001")],
    "bit(5)": [('"10110"', "10110"), ('"00001"', "00001")], "bit(12)": [('"101010101011"', "101010101011")],
    "bit": [("true", "1"), ('"0"', "0")], "varbit": [('"101"', "101"), ('""', "")],
    "point": [('{"x": 1.5, "y": -2, "srid": null}', "(1.5,-2)")], "xml": [('"<a>é</a>"', "<a>é</a>")],
    "mood": [('"happy"', "happy"), ('"très sad"', "très sad")],
    "text[]": [('["a", null, "x,y\\"z", ""]', '{a,NULL,"x,y\\"z",""}'), ("[]", "{}"), ('[["a"], ["b"]]', "{{a},{b}}")],
    "int[]": [("[[1, 2], [3, 4]]", "{{1,2},{3,4}}"), ("[[[1]], [[2]]]", "{{{1}},{{2}}}"), ("[[], []]", "{}")],
    "numeric(6,2)[]": [("[1.5, -0.01]", "{1.50,-0.01}")], "varchar(2)[]": [('["é日"]', "{é日}")],
    "mood[]": [('["happy"]', "{happy}")], "jsonb[]": [('[[1], {"a": 2}, null]', '{[1],"{\\"a\\": 2}",NULL}')],
    "timestamptz[]": [('["2024-01-01T00:00:00Z"]', '{"2024-01-01 00:00:00+00"}')], "boolean[]": [("[true, null]", "{t,NULL}")],
    "float8": [('"NaN"', "NaN"), ('"-Infinity"', "-Infinity")], "uuid[]": [(f'["{ID}"]', "{" + ID + "}")],
}


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_postgres_structured_types(sluice, make_topic, database, mode):
    topic, cases = make_topic(1), cases_of(STRUCTURED)
    database.execute("CREATE TYPE mood AS ENUM ('happy', 'très sad')")
    database.execute(f"CREATE TABLE t ({', '.join(f'{name} {type_}' for name, type_, _, _ in cases)}, id int PRIMARY KEY)")
    topic.send(event_of(cases).replace("{", '{"id": 1, ', 1))
    key = ", key: id" if mode == "upsert" else ""
    sluice.drain_file(sluice.config(topic, f"    postgres: {{table: t, mode: {mode}{key}}}", database)).expect(0)
    names = ", ".join(f"{name}::text" for name, _, _, _ in cases)
    assert differences(cases, database.rows(f"SELECT {names} FROM t")[0]) == []


MISFITS = [("time", '"25:00:00"', "is not a time of day"), ("time", '"03:04:05Z"', "with an offset from UTC"),
           ("timetz", '"03:04:05"', "without an offset"), ("time", "5", "unknown unit"), ("interval", '"3 days"', "not a span"),
           ("interval", '"PT3.485999999S"', "digits below a microsecond"),
           ("interval", "86400000000", "unknown unit"), ("bit(5)", '"101"', "3 bits do not fit bit(5)"),
           ("bit(5)", '"10102"', "no row of bits"), ("point", '{"x": 1}', "has no `x` or no `y`"), ("point", '"(1,2)"', "not read as a point"),
           ("int[]", "[[1], [2, 3]]", "not of one size"), ("int[]", "[1, [2]]", "not of one depth"), ("int[]", '["1"]', "an element: a JSON string"),
           ("int[]", "7", "not read as an array"), ("mood", '"angry"', "22P02"), ("xml", '"<a>"', "2200N")]


def test_postgres_structured_types_refuse_what_does_not_fit(sluice, make_topic, database):
    topic = make_topic(len(MISFITS))
    database.execute("CREATE TYPE mood AS ENUM ('happy')")
    columns = [f"c{i} {type_}" for i, (type_, _, _) in enumerate(MISFITS)]
    database.execute(f"CREATE TABLE t ({', '.join(columns)})")
    for i, (_, text, _) in enumerate(MISFITS):
        topic.send(f'{{"c{i}": {text}}}', partition=i)
    done = sluice.drain_file(sluice.config(topic, "    postgres: {table: t}", database)).expect(1)
    for i, (_, _, why) in enumerate(MISFITS):
        done.line("did not reach its end", f"[{i}]@0", f"t.c{i}", why)
    assert database.value("SELECT count(*) FROM t") == 0


CASSANDRA_STRUCTURED = {
    "time": [('"03:04:05.678901"', "03:04:05.678901000"), ('"00:00"', "00:00:00.000000000")],
    "duration": [('"P1Y2M3DT4H5M6.789S"', "14mo3d14706789000000ns"), ('"P0Y0M-3DT-1H"', "-3d-3600000000000ns"), ('"PT0S"', ""),
                 ('"P20000Y"', "240000mo")],
    "varint": [("12345678901234567890123456789", "12345678901234567890123456789"), ("-129", "-129"), ("1.50e2", "150"), ("0", "0")],
    "timeuuid": [('"8ac3f6a2-5f3b-11ee-8c99-0242ac120002"', "8ac3f6a2-5f3b-11ee-8c99-0242ac120002")],
    "set<text>": [('["b", "a", "b"]', "['a', 'b']"), ("[]", "None")], "frozen<set<int>>": [("[3, -1]", "[-1, 3]")],
    "frozen<list<decimal>>": [("[1.50, -2]", "[Decimal('1.50'), Decimal('-2')]")], "frozen<list<text>>": [('["b", "a", "b"]', "['b', 'a', 'b']")],
}


def shown(value):
    if type(value).__name__ == "Duration":
        parts = ((value.months, "mo"), (value.days, "d"), (value.nanoseconds, "ns"))
        return "".join(f"{count}{unit}" for count, unit in parts if count)
    if type(value).__name__ == "SortedSet":
        return str(list(value))
    return str(value)


def test_cassandra_structured_types(sluice, make_topic, keyspace, table):
    topic, cases = make_topic(1), cases_of(CASSANDRA_STRUCTURED)
    columns = ", ".join(f"{column} {type_}" for column, type_, _, _ in cases)
    keyspace.create(f"CREATE TABLE {{ks}}.{table} ({columns}, id int PRIMARY KEY)")
    topic.send(event_of(cases).replace("{", '{"id": 1, ', 1))
    file = sluice.config(topic, f"    cassandra: {{table: {table}}}", None, keyspace)
    sluice.drain_file(file).expect(0)
    names = ", ".join(column for column, _, _, _ in cases)
    assert differences(cases, [shown(value) for value in keyspace.rows(f"SELECT {names} FROM {{ks}}.{table}")[0]]) == []


def test_a_list_of_cassandra_that_is_not_frozen_is_refused(sluice, make_topic, keyspace, table):
    """Its elements get ids from the server: a replay would double them."""
    topic = make_topic(1)
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY, tags list<text>)")
    topic.send('{"id": 1, "tags": ["a"]}')
    file = sluice.config(topic, f"    cassandra: {{table: {table}}}", None, keyspace)
    sluice.drain_file(file).expect(3).has("'tags'", "list<text>", "not supported", "frozen<list<")


UNITS = [("s", "1700000000", at(2023, 11, 14, 22, 13, 20)),
         ("s", "1700000000.125", at(2023, 11, 14, 22, 13, 20, 125000)),
         ("ms", "1700000000123", at(2023, 11, 14, 22, 13, 20, 123000)),
         ("ms", "-1", at(1969, 12, 31, 23, 59, 59, 999000)),
         ("us", "1700000000123000", at(2023, 11, 14, 22, 13, 20, 123000)),
         ("ns", "1700000000123000000", at(2023, 11, 14, 22, 13, 20, 123000)),
         ("days", "19675", at(2023, 11, 14))]


def test_numbers_are_times_in_the_declared_unit(sluice, make_topic, database, keyspace, table):
    topic = make_topic(1)
    names = [f"c{i}" for i in range(len(UNITS))]
    columns = ", ".join(f"{name} timestamptz" for name in names)
    database.execute(f"CREATE TABLE {table} (id int, day date, {columns})")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY, day date, "
                    f"{columns.replace('timestamptz', 'timestamp')})")
    topic.send('{"id": 1, "day": 19675, ' +
               ", ".join(f'"{name}": {number}' for name, (_, number, _) in zip(names, UNITS)) + "}")
    paths = ", ".join(f"{name}: {{from: value.{name}, unit: {unit}}}"
                      for name, (unit, _, _) in zip(names, UNITS))
    target = f"{{table: {table}, columns: {{id: value.id, day: {{from: value.day, unit: days}}, {paths}}}}}"
    route = f"    postgres: {target}\n    cassandra: {target}\n"
    sluice.drain_file(sluice.config(topic, route, database, keyspace)).expect(0)
    expected = [moment for _, _, moment in UNITS]
    assert list(database.rows(f"SELECT {', '.join(names)} FROM {table}")[0]) == expected
    assert database.value(f"SELECT day FROM {table}") == date(2023, 11, 14)
    found = keyspace.rows(f"SELECT {', '.join(names)} FROM {{ks}}.{table}")[0]
    assert list(found) == [cql_value(moment) for moment in expected]
    assert keyspace.value(f"SELECT day FROM {{ks}}.{table}").date() == date(2023, 11, 14)


def test_text_as_bytes_in_the_declared_encoding(sluice, make_topic, database, keyspace, table):
    topic = make_topic(1)
    cases = [(f"c{i}", encoding, *case) for i, (encoding, case) in enumerate(
        (encoding, case) for encoding, found in BYTES.items() for case in found)]
    database.execute(f"CREATE TABLE {table} ({', '.join(c[0] + ' bytea' for c in cases)})")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (id int PRIMARY KEY, "
                    f"{', '.join(c[0] + ' blob' for c in cases)})")
    paths = ", ".join(f"{c[0]}: {{from: value.{c[0]}, encoding: {c[1]}}}" for c in cases)
    route = (f"    postgres: {{table: {table}, columns: {{{paths}}}}}\n"
             f"    cassandra: {{table: {table}, columns: {{id: value.id, {paths}}}}}\n")
    topic.send(event_of(cases).replace("{", '{"id": 1, ', 1))
    sluice.drain_file(sluice.config(topic, route, database, keyspace)).expect(0)
    names = ", ".join(c[0] for c in cases)
    assert differences(cases, database.rows(f"SELECT {names} FROM {table}")[0]) == []
    assert differences(cases, keyspace.rows(f"SELECT {names} FROM {{ks}}.{table}")[0]) == []


def test_json_and_jsonb_hold_any_part_of_an_event(sluice, make_topic, database):
    topic = make_topic(1)
    parts = ['{"b": [1, null, {"c": "é"}],  "a": 1.50}', "[]", '"text"', "12345678901234567890.5",
             "true", '{"a": 1, "a": 2}', '"\\u00e9 \\"q\\""']
    database.execute("CREATE TABLE t (n int, b jsonb, j json)")
    topic.send(*(f'{{"n": {n}, "p": {part}}}' for n, part in enumerate(parts)))
    route = ("    duplicate_names: last\n"
             "    postgres: {table: t, columns: {n: value.n, b: value.p, j: value.p}}")
    sluice.drain_file(sluice.config(topic, route, database)).expect(0)
    rows = database.rows("SELECT b = j::jsonb, j::text FROM t ORDER BY n")
    assert rows == [(True, part) for part in parts]


def test_numbers_keep_all_digits_in_text_and_jsonb(sluice, make_topic, database, keyspace, table):
    topic = make_topic(1)
    numbers = ["9007199254740993", DIGITS_40, "-1.10", "1E+2", "-0"]
    database.execute(f"CREATE TABLE {table} (n int, t text, b jsonb)")
    keyspace.create(f"CREATE TABLE {{ks}}.{table} (n int PRIMARY KEY, t text)")
    topic.send(*(f'{{"n": {i}, "t": {number}, "b": {number}}}' for i, number in enumerate(numbers)))
    route = f"    postgres: {{table: {table}}}\n    cassandra: {{table: {table}}}\n"
    sluice.drain_file(sluice.config(topic, route, database, keyspace)).expect(0)
    assert [row[0] for row in database.rows(f"SELECT t FROM {table} ORDER BY n")] == numbers
    assert dict(keyspace.rows(f"SELECT n, t FROM {{ks}}.{table}")) == dict(enumerate(numbers))
    assert database.value(f"SELECT bool_and(b::text::numeric = t::numeric) FROM {table}")


def test_jsonb_takes_every_number_that_postgres_does(sluice, make_topic, database):
    topic = make_topic(4)
    database.execute("CREATE TABLE t (b jsonb)")
    for partition, number in enumerate(("1e131071", "1e-16383", "1e131072", "1E-16384")):
        topic.send(f"[{number}]", partition=partition)
    file = sluice.config(topic, "    postgres: {table: t, columns: {b: value}}", database)
    done = sluice.drain_file(file).expect(1)
    for partition in (2, 3):
        done.line("did not reach its end", f"[{partition}]@0, column t.b", "22003", "make it json")
    assert database.rows("SELECT length(b::text) FROM t ORDER BY 1") == [(16387,), (131074,)]
