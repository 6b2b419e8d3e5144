# shellcheck shell=bash
# Cassandra: one node with password logins; superuser cassandra/cassandra.

# cassandra_configure DIR PORT STORAGE_PORT PROFILE [ADDRESS TOKEN SEEDS]: writes DIR/cassandra.yaml.
cassandra_configure() {
  local sizes=(MEMTABLE=64MiB COMMITLOG_SEGMENT=8MiB COMMITLOG_TOTAL=128MiB READS=8 WRITES=16)
  # An acknowledged row survives a kill -9 only if the log was synced before the answer; Cassandra's
  # default, periodic, is for speed, and so for the bench.
  local sync='commitlog_sync: batch'
  # Three nodes on one disk: each sync is shared by as many writes as there are threads.
  [[ $4 == cluster ]] && sizes[4]=WRITES=64
  [[ $4 == bench ]] && sync=$'commitlog_sync: periodic\ncommitlog_sync_period: 10000ms'
  [[ $4 == bench ]] && sizes=(MEMTABLE=512MiB COMMITLOG_SEGMENT=32MiB COMMITLOG_TOTAL=2048MiB READS=32 WRITES=64)
  fill cassandra.yaml.in "PORT=$2" "STORAGE_PORT=$3" "SYNC=$sync" "ADDRESS=${5:-127.0.0.1}" "TOKEN=${6:-0}" \
    "SEEDS=${7:-127.0.0.1:$3}" "${sizes[@]}" >"$1/cassandra.yaml"
}

# cassandra_spawn NAME DIR JVM_FLAG...
cassandra_spawn() {
  local name=$1 dir=$2
  shift 2
  spawn "$name" "-Dsluice.sandbox=$dir" "$JAVA" "$@" "@$SANDBOX_SCRIPTS/cassandra.jvm" "-Dsluice.sandbox=$dir" \
    "-Dcassandra.config=file://$dir/cassandra.yaml" "-Dcassandra.storagedir=$dir/data" "-Dcassandra.logdir=$dir/logs" \
    "-Dlogback.configurationFile=file://$SANDBOX_SCRIPTS/logback.xml" \
    -cp "$(jars_dir cassandra)/*" org.apache.cassandra.service.CassandraDaemon
}

cassandra_train() {
  local dir=$1 port=$((CASSANDRA_PORT + TRAINING_PORT_SHIFT))
  cassandra_configure "$dir" "$port" $((CASSANDRA_STORAGE_PORT + TRAINING_PORT_SHIFT)) default
  cassandra_spawn cassandra-training "$dir" -Xms64m -Xmx256m -Xss256k -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    "-XX:ArchiveClassesAtExit=$2"
  wait_ready cassandra-training 120 cassandra_answers "$port"
}

# cqlsh reads the login from here, so that it does not warn of a password in the command line.
cassandra_credentials() {
  (
    umask 077
    printf '[PlainTextAuthProvider]\nusername = cassandra\npassword = cassandra\n' \
      >"$SANDBOX_STATE/run/cqlsh-credentials"
  )
}

# cassandra_start PROFILE
cassandra_start() {
  local dir flags
  dir=$(data_dir cassandra)
  mkdir -p "$dir"
  cassandra_configure "$dir" "$CASSANDRA_PORT" "$CASSANDRA_STORAGE_PORT" "$1"
  cassandra_credentials
  flags=(-Xms64m -Xmx256m -Xss256k -XX:+UseSerialGC -XX:TieredStopAtLevel=1)
  [[ $1 == bench ]] && flags=(-Xms1g -Xmx2g -Xss256k -XX:+UseG1GC)
  cassandra_spawn cassandra "$dir" "${flags[@]}" "-XX:SharedArchiveFile=$(archive_file cassandra)"
}

cassandra_answers() { timeout 3 "$SANDBOX_SCRIPTS/probe.sh" cassandra "${1:-$CASSANDRA_PORT}" 2>/dev/null; }
