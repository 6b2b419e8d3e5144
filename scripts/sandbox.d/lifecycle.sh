# shellcheck shell=bash
# Bringing servers up and down. What a server was started with stands in run/NAME.settings
# ("PROFILE REBALANCE_DELAY_MS"), so that `up` sees whether it must be restarted and `start` can start it as it was.

settings_file() { echo "$SANDBOX_STATE/run/$1.settings"; }

settings_of() { cat "$(settings_file "$1")" 2>/dev/null || echo 'default default'; }

# The delay concerns Kafka alone: another value must not restart the others.
settings_for() {
  if [[ $1 == kafka* ]]; then echo "$2 $3"; else echo "$2 default"; fi
}

ready_deadline_s() {
  if [[ $1 == cassandra* ]]; then echo 120; else echo 60; fi
}

server_answers() {
  if is_node "$1"; then "cluster_$(kind_of "$1")_answers" "$(number_of "$1")"; else "${1//-/_}_answers"; fi
}

# server_start NAME PROFILE REBALANCE_DELAY_MS
server_start() {
  if is_node "$1"; then "cluster_$(kind_of "$1")_start" "$(number_of "$1")" "$3"; else "${1//-/_}_start" "$2" "$3"; fi
}

await_server() { wait_ready "$1" "$(ready_deadline_s "$1")" server_answers "$1"; }

# need_jars NAME...: fetches what is missing for the named servers that are not running.
need_jars() {
  local name todo=()
  for name in "$@"; do
    [[ $name == postgres* ]] || server_pid "$name" >/dev/null || todo+=("$(kind_of "$name")")
  done
  mapfile -t todo < <(printf '%s\n' "${todo[@]}" | grep . | sort -u)
  jars_fetch "${todo[@]}"
}

refuse_taken_ports() {
  local port
  for port in $(ports_of "$1"); do
    if port_is_taken "$(node_address "$1")" "$port"; then
      warn "$1: port $port is taken by a process that is not of this sandbox ($SANDBOX_STATE)."
      return 1
    fi
  done
}

# launch NAME PROFILE REBALANCE_DELAY_MS: starts a server that is down and waits until it answers.
launch() {
  local begun
  refuse_taken_ports "$1" || return 1
  if [[ $1 == kafka* || $1 == cassandra* ]]; then archive_train "$(kind_of "$1")" || return 1; fi
  begun=$(now_ms)
  echo "$2 $3" >"$(settings_file "$1")"
  server_start "$1" "$2" "$3" || return 1
  await_server "$1" || return 1
  say "$1 up in $(seconds_since "$begun") s: port $(port_of "$1"), pid $(server_pid "$1")"
}

# bring_up NAME PROFILE REBALANCE_DELAY_MS, whatever state the server is in.
bring_up() {
  local name=$1 want="$2 $3"
  if server_pid "$name" >/dev/null; then
    if [[ $(settings_of "$name") == "$want" ]]; then
      if is_frozen "$name"; then thaw_server "$name"; fi
      await_server "$name" || return 1
      say "$name already up: port $(port_of "$name"), pid $(server_pid "$name")"
      return 0
    fi
    say "$name runs with settings '$(settings_of "$name")'; restarting it with '$want'"
    stop_server "$name"
  fi
  launch "$name" "$2" "$3"
}

# in_parallel FUNCTION NAME... runs one function a server at once; fails when any failed.
in_parallel() {
  local function=$1 name pids=() pid rc=0
  shift
  for name in "$@"; do
    "$function" "$name" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || rc=1; done
  return "$rc"
}

# The other Cassandra nodes would refuse one at an old one's address that has a new identity.
wipe_server() {
  local dir
  dir=$(data_dir "$1")
  if [[ $1 != cassandra* ]]; then
    rm -rf "$dir"
    return
  fi
  find "$dir/data" -mindepth 1 -maxdepth 1 ! -name data -exec rm -rf {} +
  find "$dir/data/data" -mindepth 1 -maxdepth 1 ! -name system ! -name system_schema -exec rm -rf {} +
}

status_line() {
  local name=$1 pid state=down
  if ! pid=$(server_pid "$name"); then
    printf '%-11s down    pid=-      port=%-5s rss=-      log=%s\n' "$name" "$(port_of "$name")" "$(log_file "$name")"
    return 1
  fi
  state=up
  if is_frozen "$name"; then state=frozen; elif ! server_answers "$name"; then state=silent; fi
  printf '%-11s %-7s pid=%-6s port=%-5s rss=%-6s log=%s\n' "$name" "$state" "$pid" "$(port_of "$name")" \
    "$(server_rss_mb "$name")M" "$(log_file "$name")"
  [[ $state == up ]]
}
