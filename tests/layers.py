#!/usr/bin/env python3
"""Holds the includes under src/ to the architecture (docs/ARCHITECTURE.md). Names file:line for each that breaks it.

    tests/layers.py [SRC]     the check
    tests/layers.py --prove   one example of each violation, each of which must be found
"""
import re
import sys
import tempfile
from pathlib import Path

# What a folder may include besides itself. `sinks` are the files that all sinks share.
STAGES = ("kafka", "decode", "map", "commit", "sinks")
ALLOWED = {"base": set(), "model": {"base"}, "http": {"base"}, **{stage: {"base", "model"} for stage in STAGES}}
SINK = {"base", "model", "sinks"}
APP = {"base", "model", "http", *STAGES}

# One sink may use another stage, by these headers alone.
EXCEPTIONS = {"sinks/deadletter": {"kafka/producer.hpp", "kafka/client.hpp", "kafka/reader.hpp", "kafka/admin.hpp"}}

# Foreign interfaces: who may include them.
C_HEADERS = {
    re.compile(r"(librdkafka/)?rdkafka\w*\.h"): "kafka",
    re.compile(r"(postgresql/)?(libpq-fe|libpq-events|postgres_ext|pg_config)\.h"): "sinks/postgres",
    re.compile(r"(sluice/)?cassandra_bridge\.h"): "sinks/cassandra",
    re.compile(r"httplib\.h"): "http",
}

# Headers that show a C interface, for their own folder only. Every other header must not show one, not even by way
# of what it includes.
PRIVATE = {
    "kafka/handles.hpp", "kafka/connection.hpp", "kafka/admin_impl.hpp", "kafka/assignment.hpp", "kafka/commits.hpp",
    "kafka/consumer_conf.hpp", "kafka/poll.hpp", "sinks/cassandra/bridge.hpp", "sinks/cassandra/chunk.hpp", "sinks/cassandra/flow.hpp",
    "sinks/cassandra/database.hpp", "sinks/cassandra/mailbox.hpp",
    "sinks/postgres/libpq.hpp",
}

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def folder_of(name):
    """base, kafka, sinks (its shared files), sinks/postgres ..."""
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] == "sinks" and len(parts) > 2 else parts[0]


def may_include(folder, name):
    other = folder_of(name)
    if other == folder or name in EXCEPTIONS.get(folder, ()):
        return True
    if folder == "app":
        return other in APP or other.startswith("sinks/")
    if folder.startswith("sinks/"):
        return other in SINK
    return other in ALLOWED.get(folder, ())


def c_owner(name):
    return next((owner for pattern, owner in C_HEADERS.items() if pattern.fullmatch(name)), None)


class Tree:
    def __init__(self, src):
        self.files = {}  # name -> [(line, quoted, included)]
        self.first_code = {}  # name -> the first line that is code
        for path in sorted([*src.rglob("*.hpp"), *src.rglob("*.cpp"), *src.rglob("*.h")]):
            name = path.relative_to(src).as_posix()
            lines = path.read_text(encoding="utf-8").splitlines()
            self.files[name] = [(number, match[1] == '"', match[2]) for number, line in enumerate(lines, 1)
                                if (match := INCLUDE.match(line))]
            self.first_code[name] = next(((number, line) for number, line in enumerate(lines, 1)
                                          if line.strip() and not line.startswith("//")), (1, ""))

    def shown_c(self, name, seen=None):
        """The C header that `name` shows, by way of its own includes, or None."""
        seen = seen if seen is not None else set()
        if name in seen:
            return None
        seen.add(name)
        for _, quoted, included in self.files.get(name, []):
            if c_owner(included):
                return included
            if quoted and (found := self.shown_c(included, seen)):
                return found
        return None

    def problems(self):
        for name, includes in self.files.items():
            yield from self.include_problems(name, includes)
            yield from self.shape_problems(name, includes)

    def include_problems(self, name, includes):
        folder = folder_of(name)
        for line, quoted, included in includes:
            at = f"{name}:{line}"
            if owner := c_owner(included):
                if folder != owner:
                    yield f"{at}: {included} belongs to {owner} alone"
            elif not quoted:
                continue
            elif included not in self.files:
                yield f"{at}: there is no src/{included}; write the whole path, and <> for what is not ours"
            elif not may_include(folder, included):
                yield f"{at}: {folder} must not include {folder_of(included)} ({included})"
            elif included in PRIVATE and folder_of(included) != folder:
                yield f"{at}: {included} is private to {folder_of(included)}"

    def shape_problems(self, name, includes):
        line, text = self.first_code[name]
        if name.endswith(".hpp"):
            if text.strip() != "#pragma once":
                yield f"{name}:{line}: the first line of code must be #pragma once"
            shown = self.shown_c(name)
            if shown and name not in PRIVATE:
                yield f"{name}:1: shows {shown}; hide it in the .cpp, or list the header as PRIVATE in tests/layers.py"
            if not shown and name in PRIVATE:
                yield f"{name}:1: shows no C header; take it off PRIVATE in tests/layers.py"
        own = name[:-4] + ".hpp"
        if name.endswith(".cpp") and own in self.files and (not includes or includes[0][2] != own):
            yield f"{name}:{includes[0][0] if includes else 1}: its own header {own} must come first"


EXAMPLES = {
    "model/a.hpp": ('#pragma once\n#include "kafka/x.hpp"\n', "model must not include kafka"),
    "decode/a.hpp": ('#pragma once\n#include "map/x.hpp"\n', "decode must not include map"),
    "kafka/a.hpp": ('#pragma once\n#include "app/x.hpp"\n', "kafka must not include app"),
    "sinks/postgres/a.hpp": ('#pragma once\n#include "sinks/cassandra/x.hpp"\n',
                             "sinks/postgres must not include sinks/cassandra"),
    "sinks/cassandra/a.hpp": ('#pragma once\n#include "kafka/producer.hpp"\n', "sinks/cassandra must not include kafka"),
    "sinks/deadletter/a.cpp": ('#include "kafka/x.hpp"\n', "sinks/deadletter must not include kafka"),
    "app/a.cpp": ("#include <librdkafka/rdkafka.h>\n", "belongs to kafka alone"),
    "sinks/b.cpp": ("#include <libpq-fe.h>\n", "belongs to sinks/postgres alone"),
    "app/b.cpp": ("#include <sluice/cassandra_bridge.h>\n", "belongs to sinks/cassandra alone"),
    "app/e.cpp": ("#include <httplib.h>\n", "belongs to http alone"),
    "http/a.cpp": ('#include "model/x.hpp"\n', "http must not include model"),
    "app/c.cpp": ('#include "kafka/handles.hpp"\n', "is private to kafka"),
    "app/d.cpp": ('#include "x.hpp"\n', "there is no src/x.hpp"),
    "kafka/b.hpp": ('#pragma once\n#include "kafka/handles.hpp"\n', "shows librdkafka/rdkafka.h"),
    "kafka/poll.hpp": ("#pragma once\n", "shows no C header; take it off PRIVATE"),
    "base/a.hpp": ("#include <string>\n", "must be #pragma once"),
    "map/b.cpp": ('#include <string>\n#include "map/b.hpp"\n', "its own header map/b.hpp must come first"),
}
SOUND = {
    "kafka/x.hpp": "#pragma once\n", "kafka/producer.hpp": "#pragma once\n", "map/x.hpp": "#pragma once\n",
    "model/x.hpp": "#pragma once\n", "http/x.hpp": "#pragma once\n",
    "app/x.hpp": "// What it is for.\n#pragma once\n", "sinks/cassandra/x.hpp": "#pragma once\n",
    "map/b.hpp": "#pragma once\n", "kafka/handles.hpp": "#pragma once\n#include <librdkafka/rdkafka.h>\n",
    "sinks/deadletter/ok.cpp": '#include "kafka/producer.hpp"\n',
    "app/ok.cpp": '#include "kafka/x.hpp"\n#include "sinks/cassandra/x.hpp"\n#include "http/x.hpp"\n',
}


def prove():
    with tempfile.TemporaryDirectory() as folder:
        src = Path(folder)
        for name, text in {**SOUND, **{name: text for name, (text, _) in EXAMPLES.items()}}.items():
            (src / name).parent.mkdir(parents=True, exist_ok=True)
            (src / name).write_text(text)
        found = list(Tree(src).problems())
    missed = [f"{name}: not found: {text}" for name, (_, text) in EXAMPLES.items()
              if not any(problem.startswith(name) and text in problem for problem in found)]
    invented = [problem for problem in found if problem.split(":")[0] not in EXAMPLES]
    return missed + invented


def main():
    if sys.argv[1:] == ["--prove"]:
        problems = prove()
    else:
        src = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "src"
        tree = Tree(src)
        problems = [f"src/{problem}" for problem in tree.problems()]
        if not tree.files:
            problems = [f"{src}: no sources"]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
