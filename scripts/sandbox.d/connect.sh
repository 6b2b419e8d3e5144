# shellcheck shell=bash
# Kafka Connect, one worker, with Debezium's PostgreSQL source; connectors are made over its REST interface.

# connect_start PROFILE REBALANCE_DELAY_MS
connect_start() {
  local dir
  dir=$(data_dir connect)
  mkdir -p "$dir"
  fill connect.properties.in "KAFKA=127.0.0.1:$KAFKA_PORT" "PORT=$CONNECT_PORT" "DATA=$dir" >"$dir/worker.properties"
  spawn connect "-Dsluice.sandbox=$dir" "$JAVA" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "-Dsluice.sandbox=$dir" \
    "-Dlog4j2.configurationFile=$SANDBOX_SCRIPTS/log4j2.xml" \
    -cp "$(jars_dir connect)/*" org.apache.kafka.connect.cli.ConnectStandalone "$dir/worker.properties"
}

connect_answers() { timeout 3 "$SANDBOX_SCRIPTS/probe.sh" connect "$CONNECT_PORT" 2>/dev/null; }
