# shellcheck shell=bash
# Steps for people: one line each, with its time; what a step prints goes to a log and is shown only if it failed.
# Source this file, set STEPS_LOG to a folder, then:
#   step NAME COMMAND...        a quick command; its output is shown only where it failed
#   step_build NAME COMMAND...  the same for a build: shows how far ninja is
#   step_open NAME COMMAND...   a command whose output is for the reader
# Each returns the command's own result.

STEP_NUMBER=0

steps_seconds() {
  local ms=$(($(date +%s%3N) - $1))
  if [[ $ms -lt 60000 ]]; then
    printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
  else
    printf '%d min %d s' $((ms / 60000)) $((ms % 60000 / 1000))
  fi
}

steps_log() { echo "$STEPS_LOG/$STEP_NUMBER.log"; }

steps_begin() {
  mkdir -p "$STEPS_LOG"
  STEP_NUMBER=$((STEP_NUMBER + 1))
  STEP_BEGUN=$(date +%s%3N)
  printf '%2d  %-58s' "$STEP_NUMBER" "$1"
}

# steps_end RESULT
steps_end() {
  if [[ $1 -eq 0 ]]; then
    printf ' %s\n' "$(steps_seconds "$STEP_BEGUN")"
    return 0
  fi
  printf ' failed after %s\n' "$(steps_seconds "$STEP_BEGUN")"
  if [[ -s $(steps_log) ]]; then
    printf 'The end of %s:\n' "$(steps_log)" >&2
    tail -n 40 "$(steps_log)" | sed 's/^/    /' >&2
  fi
  return "$1"
}

step() {
  local rc=0
  steps_begin "$1"
  "${@:2}" >"$(steps_log)" 2>&1 || rc=$?
  steps_end "$rc"
}

step_open() {
  local rc=0
  steps_begin "$1"
  echo
  rm -f "$(steps_log)"
  "${@:2}" || rc=$?
  printf '    %-58s' ''
  steps_end "$rc"
}

# Copies its input to the step's log and shows ninja's "[34/96]": in place on a terminal, elsewhere a line every 30 s.
steps_progress() {
  local line part='' last=$SECONDS done_of='' told=
  while true; do
    if IFS= read -r -t 5 line; then
      printf '%s\n' "$part$line"
      if [[ $part$line =~ ^\[([0-9]+)/([0-9]+)\]\ (.*) ]]; then
        done_of="${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
        [[ ${BASH_REMATCH[3]} != *cargo* ]] || done_of+=', librdkafka and the Cassandra driver'
      fi
      part=
    elif [[ $? -gt 128 ]]; then
      part+=$line
    else
      printf '%s' "$part$line"
      break
    fi >>"$(steps_log)"
    if [[ -t 1 ]]; then
      printf '\r    %-64s\r' "${done_of:-prepares}, $(steps_seconds "$STEP_BEGUN")"
    elif ((SECONDS - last >= 30)); then
      last=$SECONDS told=yes
      printf '\n    %s, %s' "${done_of:-prepares}" "$(steps_seconds "$STEP_BEGUN")"
    fi
  done
  if [[ -t 1 ]]; then
    printf '\r%68s\r%2d  %-58s' '' "$STEP_NUMBER" "$1"
  elif [[ $told ]]; then
    printf '\n    %-58s' ''
  fi
}

step_build() {
  local rc=0
  steps_begin "$1"
  : >"$(steps_log)"
  "${@:2}" 2>&1 | steps_progress "$1" || rc=$?
  steps_end "$rc"
}

# steps_cmake PRESET TARGET: both of Sluice's build commands in one, for step_build.
steps_cmake() {
  cmake --preset "$1" && cmake --build --preset "$1" --target "$2" -j "$(nproc)"
}

# rustup puts cargo here; a shell that was open before does not have it in PATH yet.
steps_find_rust() {
  if [[ -x ${CARGO_HOME:-$HOME/.cargo}/bin/cargo ]]; then PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH; fi
}
