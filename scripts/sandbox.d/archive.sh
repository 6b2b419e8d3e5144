# shellcheck shell=bash
# AppCDS archives: classes of Kafka and Cassandra, parsed and verified once; starts become two to three times quicker.
# One is made by a start and a clean stop of the real server in a scratch folder, on ports of its own. The JVM ignores
# an archive whose jars were touched, so the stamp names the lock, the folder and the Java that made it.

archive_file() { echo "$(jars_dir "$1").jsa"; }

archive_stamp() {
  "$JAVA" -version 2>&1
  jars_dir "$1"
  sha256sum <"$SANDBOX_SCRIPTS/$1.lock"
}

archive_is_current() {
  [[ -e $(archive_file "$1") && $(archive_stamp "$1") == "$(cat "$(jars_dir "$1").stamp" 2>/dev/null)" ]]
}

# archive_train NAME: NAME_train starts the server as NAME-training with the archive option and waits until it answers.
archive_train() {
  local name=$1 begun scratch
  archive_is_current "$name" && return 0
  begun=$(now_ms)
  say "$name: making the class archive (once after a fetch)"
  scratch=$SANDBOX_STATE/run/$name-training
  kill_server "$name-training" 2>/dev/null || true
  rm -rf "$scratch" "$(archive_file "$name")"
  mkdir -p "$scratch"
  "${name}_train" "$scratch" "$(archive_file "$name")" || return 1
  stop_server "$name-training"
  rm -rf "$scratch"
  if [[ ! -e $(archive_file "$name") ]]; then
    warn "$name: no archive was written (see $(log_file "$name-training")); starts will be slower."
    return 0
  fi
  archive_stamp "$name" >"$(jars_dir "$name").stamp"
  say "$name: class archive made in $(seconds_since "$begun") s"
}
