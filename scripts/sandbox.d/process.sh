# shellcheck shell=bash
# Processes of the servers: start, find, signal, wait. A pid file has two lines: the pid, and a text that
# stands in that process's command line and in no other's, so that a reused pid is never signalled.

pid_file() { echo "$SANDBOX_STATE/run/$1.pid"; }

# spawn NAME MARKER COMMAND... starts a daemon with its output appended to the server's log.
spawn() {
  local name=$1 marker=$2 log
  shift 2
  log=$(log_file "$name")
  if [[ -e $log && $(stat -c %s "$log") -gt 67108864 ]]; then mv "$log" "$log.old"; fi
  printf '\n--- started by scripts/sandbox at %s\n' "$(date -Is)" >>"$log"
  # Descriptor 9 is the lock of scripts/sandbox: a daemon must not hold it.
  (
    cd "$SANDBOX_STATE/run" || exit
    exec setsid "$@" </dev/null >>"$log" 2>&1 9>&-
  ) &
  printf '%s\n%s\n' $! "$marker" >"$(pid_file "$name").new"
  mv "$(pid_file "$name").new" "$(pid_file "$name")"
}

# The letter of /proc/PID/stat (R, S, T, Z ...); nothing when there is no such process.
process_state() {
  local stat
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
  stat=${stat##*) }
  echo "${stat%% *}"
}

process_is_alive() { [[ $(process_state "$1") == [^ZX] ]]; }

# Prints the pid of a server that runs; fails when it does not.
server_pid() {
  local file pid marker command
  file=$(pid_file "$1")
  [[ -r $file ]] || return 1
  { read -r pid && read -r marker; } <"$file" || return 1
  process_is_alive "$pid" || return 1
  { command=$(tr '\0' ' ' <"/proc/$pid/cmdline"); } 2>/dev/null || return 1
  [[ $command == *"$marker "* ]] || return 1
  echo "$pid"
}

# The server's main process and, for PostgreSQL, its children (which have no children).
server_pids() {
  local pid
  pid=$(server_pid "$1") || return 0
  echo "$pid"
  cat "/proc/$pid/task/$pid/children" 2>/dev/null || true
}

is_frozen() {
  local pid
  pid=$(server_pid "$1") && [[ $(process_state "$pid") == T ]]
}

# The parent goes first, so that no child is born between the listing and the signal.
freeze_server() {
  local pid
  pid=$(server_pid "$1") || return 1
  kill -STOP "$pid"
  # shellcheck disable=SC2046
  kill -STOP $(server_pids "$1") 2>/dev/null || true
}

# Children go first: a thawed parent may reap or replace them at once.
thaw_server() {
  local pid
  pid=$(server_pid "$1") || return 1
  # shellcheck disable=SC2046
  kill -CONT $(cat "/proc/$pid/task/$pid/children" 2>/dev/null) "$pid" 2>/dev/null || true
}

# wait_gone DEADLINE_MS PID...
wait_gone() {
  local end=$(($(now_ms) + $1)) pid
  shift
  for pid in "$@"; do
    while process_is_alive "$pid"; do
      (($(now_ms) < end)) || return 1
      sleep 0.05
    done
  done
}

# SIGKILL of all processes of a server. They are stopped first, so that none is born unseen.
kill_server() {
  local pids
  freeze_server "$1" || return 1
  mapfile -t pids < <(server_pids "$1" | tr ' ' '\n' | grep .)
  kill -KILL "${pids[@]}" 2>/dev/null || true
  wait_gone 10000 "${pids[@]}" || fail "$1: processes ${pids[*]} survived SIGKILL for 10 s."
  rm -f "$(pid_file "$1")"
}

# A clean stop; after 30 s a SIGKILL, said aloud.
stop_server() {
  local pid signal=TERM pids
  pid=$(server_pid "$1") || return 0
  # For PostgreSQL SIGTERM would wait until every client leaves; SIGINT does not.
  [[ $1 == postgres* ]] && signal=INT
  mapfile -t pids < <(server_pids "$1" | tr ' ' '\n' | grep .)
  kill -"$signal" "$pid"
  thaw_server "$1" || true
  if ! wait_gone 30000 "${pids[@]}"; then
    warn "$1 did not stop within 30 s; killing it."
    kill_server "$1" || true
  fi
  rm -f "$(pid_file "$1")"
}

# Resident memory of a server in MiB.
server_rss_mb() {
  local pid kb sum=0
  for pid in $(server_pids "$1"); do
    kb=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$pid/status" 2>/dev/null || true)
    sum=$((sum + ${kb:-0}))
  done
  echo $((sum / 1024))
}

# wait_ready NAME DEADLINE_S COMMAND... repeats the command until it succeeds; shows the log when the
# process dies or the time is up.
wait_ready() {
  local name=$1 deadline_s=$2 pid end why
  shift 2
  pid=$(head -n 1 "$(pid_file "$name")")
  end=$(($(now_ms) + deadline_s * 1000))
  while ! "$@"; do
    why=
    process_is_alive "$pid" || why="ended while starting"
    (($(now_ms) < end)) || why="does not answer after $deadline_s s"
    if [[ $why ]]; then
      warn "$name $why; the end of $(log_file "$name"):"
      tail -n 25 "$(log_file "$name")" >&2
      return 1
    fi
    sleep 0.1
  done
}
