# shellcheck shell=bash
# Names, ports, passwords and messages shared by the parts of scripts/sandbox.
# shellcheck disable=SC2034  # The variables are used by the files that source this one.

SERVERS=(kafka cassandra postgres)
# `up cdc`: beside them a second PostgreSQL, whose changes Kafka Connect brings into Kafka.
CDC=(postgres-source connect)
KAFKA_PORT=21092
KAFKA_CONTROLLER_PORT=21093
CASSANDRA_PORT=22042
CASSANDRA_STORAGE_PORT=22000
POSTGRES_PORT=25432
POSTGRES_SOURCE_PORT=25440
CONNECT_PORT=28083

# Archives are trained on ports of their own, so that `fetch` works beside running servers.
TRAINING_PORT_SHIFT=50

say() { printf 'sandbox: %s\n' "$*"; }
warn() { printf 'sandbox: %s\n' "$*" >&2; }
fail() {
  warn "$*"
  exit 1
}

is_server() {
  local name
  for name in "${SERVERS[@]}" "${CDC[@]}" "${CLUSTER[@]}"; do [[ $name == "$1" ]] && return 0; done
  return 1
}

port_of() {
  case $1 in
    kafka) echo "$KAFKA_PORT" ;;
    cassandra) echo "$CASSANDRA_PORT" ;;
    postgres) echo "$POSTGRES_PORT" ;;
    postgres-source) echo "$POSTGRES_SOURCE_PORT" ;;
    connect) echo "$CONNECT_PORT" ;;
    *) node_ports "$1" | cut -d' ' -f1 ;;
  esac
}

# Every port that a server opens.
ports_of() {
  case $1 in
    kafka) echo "$KAFKA_PORT $KAFKA_CONTROLLER_PORT" ;;
    cassandra) echo "$CASSANDRA_PORT $CASSANDRA_STORAGE_PORT" ;;
    postgres | postgres-source | connect) port_of "$1" ;;
    *) node_ports "$1" ;;
  esac
}

# port_is_taken ADDRESS PORT
port_is_taken() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

data_dir() { echo "$SANDBOX_STATE/data/$1"; }
log_file() { echo "$SANDBOX_STATE/logs/$1.log"; }

# fill TEMPLATE NAME=VALUE... prints the template with each @NAME@ replaced.
fill() {
  local template=$1 text pair
  shift
  text=$(<"$SANDBOX_SCRIPTS/$template")
  for pair in "$@"; do text=${text//"@${pair%%=*}@"/"${pair#*=}"}; done
  printf '%s\n' "$text"
}

now_ms() { date +%s%3N; }

# "1.3" for a start of 1300 ms ago.
seconds_since() {
  local ms=$(($(now_ms) - $1))
  printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# Cassandra 5.0 is made for Java 11 and 17, Kafka 4.1 needs 17 at least: 17 it is.
find_java() {
  local java
  for java in /usr/lib/jvm/java-17-openjdk-*/bin/java "${JAVA_HOME:-/nonexistent}/bin/java" "$(command -v java)"; do
    [[ -x $java ]] || continue
    [[ $("$java" -version 2>&1) == *'version "17.'* ]] || continue
    echo "$java"
    return 0
  done
  return 1
}

need_java() {
  JAVA=$(find_java) || fail "Java 17 is missing. Run '$0 fetch', or install openjdk-17-jre-headless."
}
