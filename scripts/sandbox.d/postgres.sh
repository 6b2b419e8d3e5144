# shellcheck shell=bash
# PostgreSQL from the distribution's package. Superuser postgres/postgres; role sluice/sluice owns database sluice.

# Debian keeps the server's programs out of PATH; the newest major version wins.
postgres_bin() {
  local initdb
  initdb=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1) || true
  [[ $initdb ]] || initdb=$(command -v initdb) ||
    fail "PostgreSQL is missing. Run '$0 fetch', or install the package postgresql."
  dirname "$(readlink -f "$initdb")"
}

# Fills POSTGRES_RUN with the prefix that runs a command as a user whom PostgreSQL accepts. HOME is set, because
# libpq fails on a home folder that it may not read.
postgres_prefix() {
  POSTGRES_RUN=(env "HOME=$1")
  [[ $EUID -ne 0 ]] || POSTGRES_RUN=(env "HOME=$1" setpriv --reuid=postgres --regid=postgres --init-groups)
}

# A certificate for sslmode tests: it is its own CA, so server.crt can serve as sslrootcert.
postgres_certificate() {
  "${POSTGRES_RUN[@]}" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -days 3650 -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
    -keyout "$1/server.key" -out "$1/server.crt" &&
    chmod 600 "$1/server.key"
}

# postgres_build BIN DIR: a cluster in DIR/cluster. Single-user mode creates the role, so that it is there from the
# first moment the port is open.
postgres_build() {
  local bin=$1 dir=$2
  cd /
  postgres_prefix "$dir"
  # A file: as root's child, initdb may not open a pipe of root's.
  echo postgres >"$dir/password" &&
    "${POSTGRES_RUN[@]}" "$bin/initdb" -D "$dir/cluster" -U postgres -A scram-sha-256 --pwfile="$dir/password" \
      -E UTF8 --no-locale -N -k &&
    rm "$dir/password" &&
    postgres_certificate "$dir/cluster" &&
    "${POSTGRES_RUN[@]}" "$bin/postgres" --single -D "$dir/cluster" postgres <<'SQL'
CREATE ROLE sluice LOGIN CREATEDB CREATEROLE PASSWORD 'sluice'
CREATE DATABASE sluice OWNER sluice
SQL
}

# postgres_init BIN DIR NAME. Builds aside and renames at the end, so that an interrupted first start leaves no half-made cluster.
postgres_init() {
  local bin=$1 dir=$2 name=$3 new=$2.new
  rm -rf "$new"
  mkdir -m 700 "$new"
  [[ $EUID -ne 0 ]] || chown postgres:postgres "$new"
  if ! (postgres_build "$bin" "$new") >>"$(log_file "$name")" 2>&1; then
    warn "$name: the cluster could not be made; the end of $(log_file "$name"):"
    tail -n 25 "$(log_file "$name")" >&2
    return 1
  fi
  mv "$new" "$dir"
}

# The client programs below read passwords from here, so that none stands in a command line.
postgres_passwords() {
  (
    umask 077
    printf '127.0.0.1:*:*:%s:%s\n' sluice sluice postgres postgres \
      >"$SANDBOX_STATE/run/pgpass"
  )
}

# After SIGKILL the lock file names a pid that may by now be any process, and PostgreSQL would then refuse to start.
postgres_drop_stale_lock() {
  local file=$1/postmaster.pid pid
  [[ -e $file ]] || return 0
  pid=$(head -n 1 "$file")
  if process_is_alive "$pid" && [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == *"-D $1 "* ]]; then
    fail "postgres runs as pid $pid, but not by way of the sandbox. Stop it with: kill -INT $pid"
  fi
  rm -f "$file"
}

# postgres_start PROFILE REBALANCE_DELAY_MS [NAME]; the delay is Kafka's alone.
postgres_start() {
  local name=${3:-postgres} bin dir cluster version sizes=(SHARED_BUFFERS=64MB MAX_WAL_SIZE=1GB)
  bin=$(postgres_bin)
  dir=$(data_dir "$name")
  cluster=$dir/cluster
  [[ -e $dir ]] || postgres_init "$bin" "$dir" "$name" || return 1
  version=$(<"$cluster/PG_VERSION")
  [[ $("$bin/postgres" --version) == *" $version."* ]] ||
    fail "the data in $dir is of PostgreSQL $version, but $bin is another version. Run '$0 reset' to begin anew."
  postgres_drop_stale_lock "$cluster"
  postgres_passwords
  [[ $1 == bench ]] && sizes=(SHARED_BUFFERS=2GB MAX_WAL_SIZE=8GB)
  fill postgresql.conf.in "PORT=$POSTGRES_PORT" "${sizes[@]}" >"$cluster/postgresql.conf"
  cp "$SANDBOX_SCRIPTS/pg_hba.conf" "$cluster/pg_hba.conf"
  chmod 644 "$cluster/postgresql.conf" "$cluster/pg_hba.conf"
  postgres_prefix "$dir"
  spawn "$name" "-D $cluster" "${POSTGRES_RUN[@]}" "$bin/postgres" -D "$cluster"
}

# The source of changes in the profile cdc.
postgres_source_start() {
  local POSTGRES_PORT=$POSTGRES_SOURCE_PORT
  postgres_start "$1" "$2" postgres-source
}

postgres_source_answers() {
  local POSTGRES_PORT=$POSTGRES_SOURCE_PORT
  postgres_answers
}

# postgres_client PROGRAM ARGUMENT... runs a client program, as role sluice unless told otherwise (-U postgres works
# too), free of the caller's PG* settings.
postgres_client() {
  local program=$1
  shift
  env -u PGPASSWORD -u PGSERVICE -u PGHOSTADDR -u PGSSLROOTCERT -u PGTARGETSESSIONATTRS \
    "PGPASSFILE=$SANDBOX_STATE/run/pgpass" PGHOST=127.0.0.1 "PGPORT=$POSTGRES_PORT" PGUSER=sluice \
    PGDATABASE=sluice PGSSLMODE=prefer PGCONNECT_TIMEOUT=5 PGAPPNAME=sandbox "$(postgres_bin)/$program" "$@"
}

postgres_answers() {
  postgres_client pg_isready -q -t 2 &&
    [[ $(PGOPTIONS='-c statement_timeout=2s' postgres_client psql -AXqt -c 'SELECT 1' 2>/dev/null) == 1 ]]
}
