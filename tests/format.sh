#!/usr/bin/env bash
# Checks that clang-format 14 would change nothing in src and the C++ of tests, naming each place that it would. Where
# ShellCheck is installed, the scripts are checked too.
#   tests/format.sh         the checks
#   tests/format.sh --fix   rewrites the C++ files
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

# Other versions wrap lines in other places.
tool=$(command -v clang-format-14) || {
  echo 'format: clang-format-14 is missing; install the package clang-format-14' >&2
  exit 1
}
mapfile -d '' files < <(find src tests/unit tests/failpoints tests/simulator \( -name '*.cpp' -o -name '*.hpp' \) -print0 | sort -z)
[[ ${#files[@]} -gt 0 ]] || { echo 'format: no sources' >&2 && exit 1; }
mapfile -t scripts < <(grep -lE '^#!/usr/bin/env bash|^# shellcheck shell=bash' -r scripts tests/*.sh .ci)

check() {
  local rc=0
  "$tool" --dry-run -Werror "${files[@]}" || rc=1
  if command -v shellcheck >/dev/null; then
    shellcheck -x "${scripts[@]}" || rc=1
  else
    echo 'format: shellcheck is not installed, so the scripts were not checked'
  fi
  return "$rc"
}

case ${1:-} in
  '') check ;;
  --fix) exec "$tool" -i "${files[@]}" ;;
  *) echo 'usage: tests/format.sh [--fix]' >&2 && exit 2 ;;
esac
