#!/usr/bin/env bash
# probe.sh kafka PORT [BROKERS], probe.sh cassandra PORT [ADDRESS]: succeeds when the server on 127.0.0.1:PORT answers its
# own protocol. Speaks just enough of it over bash's /dev/tcp, because a JVM or Python client would take longer than the
# server's start.
set -euo pipefail

read_hex() { head -c "$1" <&3 | od -An -v -tx1 | tr -d ' \n'; }

# Metadata v4 for no topics. The answer counts brokers that are registered and not fenced: one at least, or BROKERS.
# Bytes: size, api key 3, version 4, correlation 1, null client id, empty topic list, no auto-creation.
probe_kafka() {
  printf '\0\0\0\x0f\0\x03\0\x04\0\0\0\x01\xff\xff\0\0\0\0\0' >&3
  local answer
  answer=$(read_hex 16)
  # Size, correlation, throttle time, number of brokers.
  [[ ${answer:8:8} == 00000001 ]] && ((16#${answer:24:8} >= $1))
}

# STARTUP, which must be answered with AUTHENTICATE (03), then a login, which must be answered with AUTH_SUCCESS (10).
# The default superuser is created a moment after the port opens, so that only a login proves readiness.
probe_cassandra() {
  local header
  printf '\x04\0\0\0\x01\0\0\0\x16\0\x01\0\x0bCQL_VERSION\0\x053.0.0' >&3
  header=$(read_hex 9)
  # Where there are no logins: READY.
  [[ ${header:8:2} != 02 ]] || return 0
  [[ ${header:8:2} == 03 ]]
  read_hex $((16#${header:10:8})) >/dev/null
  printf '\x04\0\0\x01\x0f\0\0\0\x18\0\0\0\x14\0cassandra\0cassandra' >&3
  header=$(read_hex 9)
  [[ ${header:8:2} == 10 ]]
}

# Kafka Connect says over HTTP which connectors it has.
probe_connect() {
  local answer
  printf 'GET /connectors HTTP/1.0\r\n\r\n' >&3
  read -r answer <&3
  [[ $answer == *' 200 '* ]]
}

address=127.0.0.1
[[ $1 != cassandra ]] || address=${3:-$address}
exec 3<>"/dev/tcp/$address/$2"
"probe_$1" "${3:-1}"
