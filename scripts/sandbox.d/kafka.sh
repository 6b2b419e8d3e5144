# shellcheck shell=bash
# Kafka: one KRaft node, broker and controller in one process.

KAFKA_CLUSTER_ID=MkU3OEVBNTcwNTJENDM2Qk

# kafka_configure DIR PORT CONTROLLER_PORT REBALANCE_DELAY_MS: writes DIR/server.properties.
kafka_configure() {
  fill kafka.properties.in "DATA=$1/data" "PORT=$2" "CONTROLLER_PORT=$3" >"$1/server.properties"
  [[ $4 == default ]] || echo "group.initial.rebalance.delay.ms=$4" >>"$1/server.properties"
}

# Formatting is a JVM start of its own, so it is done once and the result copied.
kafka_format() {
  "$JAVA" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$(jars_dir kafka)/*" kafka.tools.StorageTool format \
    -t "$KAFKA_CLUSTER_ID" -c "$1/server.properties" >>"$(log_file kafka-training)" 2>&1
}

# kafka_spawn NAME DIR JVM_FLAG...
kafka_spawn() {
  local name=$1 dir=$2
  shift 2
  spawn "$name" "-Dsluice.sandbox=$dir" "$JAVA" "$@" "-Dsluice.sandbox=$dir" \
    "-Dlog4j2.configurationFile=$SANDBOX_SCRIPTS/log4j2.xml" \
    -cp "$(jars_dir kafka)/*" kafka.Kafka "$dir/server.properties"
}

kafka_train() {
  local dir=$1 port=$((KAFKA_PORT + TRAINING_PORT_SHIFT))
  kafka_configure "$dir" "$port" $((KAFKA_CONTROLLER_PORT + TRAINING_PORT_SHIFT)) default
  kafka_format "$dir" || {
    tail -n 25 "$(log_file kafka-training)" >&2
    return 1
  }
  rm -rf "$(jars_dir kafka).formatted"
  cp -r "$dir/data" "$(jars_dir kafka).formatted"
  kafka_spawn kafka-training "$dir" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "-XX:ArchiveClassesAtExit=$2"
  wait_ready kafka-training 90 kafka_answers "$port"
}

# kafka_start PROFILE REBALANCE_DELAY_MS
kafka_start() {
  local dir flags
  dir=$(data_dir kafka)
  mkdir -p "$dir"
  if [[ ! -e $dir/data/meta.properties ]]; then
    rm -rf "$dir/data"
    cp -r "$(jars_dir kafka).formatted" "$dir/data.new"
    mv "$dir/data.new" "$dir/data"
  fi
  kafka_configure "$dir" "$KAFKA_PORT" "$KAFKA_CONTROLLER_PORT" "$2"
  # Each network thread keeps a direct buffer as large as the largest request it has seen, unless it
  # is told not to; with 10 MB records the broker otherwise runs out of them and never recovers.
  flags=(-Xmx128m -XX:MaxDirectMemorySize=256m -Djdk.nio.maxCachedBufferSize=1048576 -XX:+UseSerialGC
    -XX:TieredStopAtLevel=1)
  [[ $1 == bench ]] && flags=(-Xms512m -Xmx512m -XX:+UseG1GC)
  kafka_spawn kafka "$dir" "${flags[@]}" "-XX:SharedArchiveFile=$(archive_file kafka)"
}

kafka_answers() { timeout 3 "$SANDBOX_SCRIPTS/probe.sh" kafka "${1:-$KAFKA_PORT}" 2>/dev/null; }
