# shellcheck shell=bash
# `up --cluster`: three Kafka brokers, three Cassandra nodes, a PostgreSQL primary with a streaming standby. A node is a
# server named KIND-NUMBER with data and ports of its own; it runs beside the servers of a plain `up`.

CLUSTER=(kafka-1 kafka-2 kafka-3 cassandra-1 cassandra-2 cassandra-3 postgres-1 postgres-2)
CLUSTER_CASSANDRA_PORT=23042
CLUSTER_CASSANDRA_STORAGE_PORT=23000
# The Murmur3 ring in three parts.
CLUSTER_TOKENS=(-9223372036854775808 -3074457345618258603 3074457345618258602)

kind_of() { echo "${1%-[0-9]}"; }
number_of() { echo "${1##*-}"; }
is_node() { [[ $1 == *-[0-9] ]]; }

cluster_kafka_port() { echo "23${1}92"; }
cluster_kafka_controller_port() { echo "23${1}93"; }
cluster_postgres_port() { echo "2543$((2 + $1))"; }

# node_address NAME: Cassandra's nodes share their ports, and differ in the address.
node_address() {
  if [[ $(kind_of "$1") == cassandra ]]; then echo "127.0.0.$(number_of "$1")"; else echo 127.0.0.1; fi
}

node_ports() {
  local n
  n=$(number_of "$1")
  case $1 in
    kafka-*) echo "$(cluster_kafka_port "$n") $(cluster_kafka_controller_port "$n")" ;;
    cassandra-*) echo "$CLUSTER_CASSANDRA_PORT $CLUSTER_CASSANDRA_STORAGE_PORT" ;;
    postgres-*) cluster_postgres_port "$n" ;;
  esac
}

# cluster_list FUNCTION: FUNCTION of 1, 2 and 3, by commas.
cluster_list() { echo "$("$1" 1),$("$1" 2),$("$1" 3)"; }

cluster_kafka_voter() { echo "$1@127.0.0.1:$(cluster_kafka_controller_port "$1")"; }
cluster_kafka_broker() { echo "127.0.0.1:$(cluster_kafka_port "$1")"; }
cluster_cassandra_node() { echo "127.0.0.$1:$CLUSTER_CASSANDRA_PORT"; }
cluster_cassandra_seed() { echo "127.0.0.$1:$CLUSTER_CASSANDRA_STORAGE_PORT"; }

# cluster_kafka_start N REBALANCE_DELAY_MS
cluster_kafka_start() {
  local n=$1 dir id
  dir=$(data_dir "kafka-$n")
  if [[ ! -e $dir/data/meta.properties ]]; then
    rm -rf "$dir"
    mkdir -p "$dir"
    cp -r "$(jars_dir kafka).formatted" "$dir/data.new"
    # A copy is a disk of its own only with an id of its own.
    id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
    sed -i "s/^node.id=.*/node.id=$n/; s/^directory.id=.*/directory.id=$id/" "$dir/data.new/meta.properties"
    mv "$dir/data.new" "$dir/data"
  fi
  kafka_configure "$dir" "$(cluster_kafka_port "$n")" "$(cluster_kafka_controller_port "$n")" "$2"
  # What stands later in the file wins.
  fill kafka-cluster.properties.in "NODE=$n" "VOTERS=$(cluster_list cluster_kafka_voter)" >>"$dir/server.properties"
  kafka_spawn "kafka-$n" "$dir" -Xmx192m -XX:MaxDirectMemorySize=256m -Djdk.nio.maxCachedBufferSize=1048576 \
    -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "-XX:SharedArchiveFile=$(archive_file kafka)"
}

cluster_kafka_answers() { kafka_answers "$(cluster_kafka_port "$1")"; }

cluster_kafka_is_whole() { timeout 3 "$SANDBOX_SCRIPTS/probe.sh" kafka "$(cluster_kafka_port "$1")" 3 2>/dev/null; }

# cluster_cassandra_start N. No logins: superusers are read at QUORUM, so that nobody could log in while two of three
# nodes are down.
cluster_cassandra_start() {
  local n=$1 dir
  dir=$(data_dir "cassandra-$n")
  mkdir -p "$dir"
  cassandra_configure "$dir" "$CLUSTER_CASSANDRA_PORT" "$CLUSTER_CASSANDRA_STORAGE_PORT" cluster "127.0.0.$n" \
    "${CLUSTER_TOKENS[n - 1]}" "$(cluster_list cluster_cassandra_seed)"
  sed -i 's/PasswordAuthenticator/AllowAllAuthenticator/; s/CassandraAuthorizer/AllowAllAuthorizer/' \
    "$dir/cassandra.yaml"
  cassandra_credentials
  cassandra_spawn "cassandra-$n" "$dir" -Xms64m -Xmx320m -Xss256k -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    "-XX:SharedArchiveFile=$(archive_file cassandra)"
}

cluster_cassandra_answers() {
  timeout 3 "$SANDBOX_SCRIPTS/probe.sh" cassandra "$CLUSTER_CASSANDRA_PORT" "127.0.0.$1" 2>/dev/null
}

# cluster_postgres_start N REBALANCE_DELAY_MS: postgres-2 is made as the standby of postgres-1; afterwards each starts as what it is.
cluster_postgres_start() {
  local POSTGRES_PORT
  # shellcheck disable=SC2034  # What it calls reads it.
  POSTGRES_PORT=$(cluster_postgres_port "$1")
  [[ $1 == 1 || -e $(data_dir postgres-2) ]] || cluster_postgres_copy postgres-1 postgres-2 || return 1
  postgres_start cluster "$2" "postgres-$1"
}

cluster_postgres_answers() {
  local POSTGRES_PORT
  # shellcheck disable=SC2034  # What it calls reads it.
  POSTGRES_PORT=$(cluster_postgres_port "$1")
  postgres_answers
}

# cluster_postgres_copy PRIMARY STANDBY: the standby's folder anew, as a copy of the primary that follows it.
cluster_postgres_copy() {
  local from to dir
  from=$(cluster_postgres_port "$(number_of "$1")")
  to=$(data_dir "$2")
  dir=$to.new
  rm -rf "$dir" "$to"
  mkdir -m 700 "$dir"
  [[ $EUID -ne 0 ]] || chown postgres:postgres "$dir"
  postgres_prefix "$dir"
  (cd / && PGPASSWORD=postgres "${POSTGRES_RUN[@]}" "$(postgres_bin)/pg_basebackup" -D "$dir/cluster" -R -X stream \
    -c fast -d "host=127.0.0.1 port=$from user=postgres application_name=$2") >>"$(log_file "$2")" 2>&1 || {
    warn "$2 could not be copied from $1; the end of $(log_file "$2"):"
    tail -n 5 "$(log_file "$2")" >&2
    return 1
  }
  mv "$dir" "$to"
}

# cluster_promote NODE: a standby becomes a primary. The old one is left as it is: kill it first, or there are two.
cluster_promote() {
  local dir
  dir=$(data_dir "$1")
  postgres_prefix "$dir"
  (cd / && "${POSTGRES_RUN[@]}" "$(postgres_bin)/pg_ctl" -D "$dir/cluster" -w -t 60 promote) >>"$(log_file "$1")" 2>&1 ||
    fail "$1 could not be promoted; see $(log_file "$1")."
}

# cluster_follow NODE: it is made again, as a standby of the other one.
cluster_follow() {
  local primary=postgres-1
  [[ $1 != postgres-1 ]] || primary=postgres-2
  kill_server "$1" 2>/dev/null || true
  cluster_postgres_copy "$primary" "$1" || exit 1
  launch "$1" cluster default
}

# cluster_up REBALANCE_DELAY_MS
cluster_up() {
  local delay=$1 n first=("${CLUSTER[@]/postgres-2/}")
  # shellcheck disable=SC2317  # in_parallel calls it.
  # shellcheck disable=SC2046
  up_node() { bring_up "$1" $(settings_for "$1" cluster "$delay"); }
  for n in kafka cassandra; do archive_train "$n" || return 1; done
  # shellcheck disable=SC2068  # The empty element goes.
  in_parallel up_node ${first[@]} || return 1
  up_node postgres-2 || return 1
  for n in 1 2 3; do wait_ready "kafka-$n" 60 cluster_kafka_is_whole "$n" || return 1; done
}
