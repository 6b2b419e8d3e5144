#!/usr/bin/env bash
# Checks that clang-format 14 would change nothing in src, tests/unit and bench; names each place that it would.
#   tests/format.sh         the check
#   tests/format.sh --fix   rewrites the files
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

# Other versions wrap lines in other places.
tool=$(command -v clang-format-14) || {
  echo 'format: clang-format-14 is missing; install the package clang-format-14' >&2
  exit 1
}
folders=()
for folder in src tests/unit bench; do [[ ! -d $folder ]] || folders+=("$folder"); done
mapfile -d '' files < <(find "${folders[@]}" \( -name '*.cpp' -o -name '*.hpp' \) -print0 | sort -z)
[[ ${#files[@]} -gt 0 ]] || { echo 'format: no sources' >&2 && exit 1; }

case ${1:-} in
  '') exec "$tool" --dry-run -Werror "${files[@]}" ;;
  --fix) exec "$tool" -i "${files[@]}" ;;
  *) echo 'usage: tests/format.sh [--fix]' >&2 && exit 2 ;;
esac
