#!/usr/bin/env python3
"""Prints the files over 400 lines and the functions over 60 under src/ and tests/: a hint that two ideas share one place.
Informational: always succeeds. C++ functions are found by the layout that tests/format.sh holds, not by a parser.

    tests/sizes.py [FILE_LINES [FUNCTION_LINES]]
"""
import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A block that a line opens is closed by a } at the indentation of its head.
OPENS = re.compile(r"^( *)(?![ #/}])(.*)\{$")
# What opens a block and is no function.
NOT_FUNCTION = re.compile(r"^(namespace|class|struct|enum|union|extern|if|else|for|while|do|switch|case|try|catch|default)\b")
# The head of a function may stand on lines before: its last one has the closing parenthesis.
FUNCTION = re.compile(r"\)( (const|noexcept|override|final))*( ->.*)?( : .*)? $|\)( (const|noexcept|override|final))* $")


def functions(lines):
    """(first line, lines, head) of each function that is not inside another one."""
    end = -1
    for at, line in enumerate(lines):
        match = OPENS.match(line)
        if at <= end or not match or NOT_FUNCTION.match(match[2]) or not FUNCTION.search(match[2]):
            continue
        head = at
        while head > 0 and lines[head - 1].strip() and not re.search(r"[;{}]$|\w:$|^\s*//", lines[head - 1]):
            head -= 1
        closing = re.match(" *", lines[head])[0] + "}"
        end = next((i for i in range(at + 1, len(lines)) if lines[i].startswith(closing)), at)
        yield head + 1, end - head + 1, lines[head].strip()


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.lineno, node.end_lineno - node.lineno + 1, f"def {node.name}"


def sources():
    for folder, patterns in (("src", ("*.hpp", "*.cpp")), ("tests", ("*.hpp", "*.cpp", "*.py"))):
        yield from (path for pattern in patterns for path in (ROOT / folder).rglob(pattern))


def main():
    file_max = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    function_max = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    files, long_functions, total = [], [], 0
    for path in sorted(sources()):
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        total += len(lines)
        files.append((len(lines), name))
        long_functions += [(size, f"{name}:{first}  {head}") for first, size, head in
                           (python_functions(text) if path.suffix == ".py" else functions(lines))]
    print(f"{len(files)} files, {total} lines; the median file has {sorted(files)[len(files) // 2][0]}")
    for title, limit, found in (("files", file_max, files), ("functions", function_max, long_functions)):
        over = sorted((entry for entry in found if entry[0] > limit), reverse=True)
        print(f"{title} over {limit} lines: {len(over)}; the longest has {max(found)[0]}")
        for size, name in over:
            print(f"  {size:4}  {name}")


if __name__ == "__main__":
    main()
