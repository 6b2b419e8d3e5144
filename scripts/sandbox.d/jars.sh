# shellcheck shell=bash
# Jars of Kafka and Cassandra: fetched with Maven, pruned to and verified against NAME.lock. A line of a lock file is
# the sha256 and the path in a Maven repository, which holds group, artifact, version and classifier.

jars_dir() { echo "$SANDBOX_STATE/jars/$1"; }

# "sha256  file" lines, sorted, as the lock demands.
jars_wanted() { awk '{ n = split($2, part, "/"); print $1 "  " part[n] }' "$SANDBOX_SCRIPTS/$1.lock" | LC_ALL=C sort; }

jars_present() {
  local dir=$1
  compgen -G "$dir/*" >/dev/null || return 0
  (cd "$dir" && sha256sum -- *) | LC_ALL=C sort
}

jars_match() { [[ $(jars_wanted "$1") == "$(jars_present "$(jars_dir "$1")")" ]]; }

# One <artifactItem> for a repository path: a/b/artifact/version/artifact-version[-classifier].jar
pom_item() {
  local path=$1 out=$2 file version artifact group classifier
  file=${path##*/} path=${path%/*}
  version=${path##*/} path=${path%/*}
  artifact=${path##*/} path=${path%/*}
  group=${path//\//.}
  classifier=${file#"$artifact-$version"}
  classifier=${classifier%.jar}
  printf '<artifactItem><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version>' \
    "$group" "$artifact" "$version"
  [[ $classifier ]] && printf '<classifier>%s</classifier>' "${classifier#-}"
  printf '<outputDirectory>%s</outputDirectory></artifactItem>\n' "$out"
}

pom_items() {
  local name path
  for name in "$@"; do
    while read -r _ path; do pom_item "$path" "\${out}/$name"; done <"$SANDBOX_SCRIPTS/$name.lock"
  done
}

# Names every jar that is missing, different or not in the lock.
jars_complain() {
  local name=$1 dir=$2
  warn "$name: fetched jars differ from scripts/sandbox.d/$name.lock ('<' is wanted, '>' was fetched):"
  diff <(jars_wanted "$name") <(jars_present "$dir") | grep '^[<>]' >&2 || true
}

# jars_fetch NAME... fetches the jars of the named servers whose folder does not match its lock.
jars_fetch() {
  local name todo=() tmp
  for name in "$@"; do jars_match "$name" || todo+=("$name"); done
  [[ ${#todo[@]} -gt 0 ]] || return 0
  command -v mvn >/dev/null || fail "Maven is missing. Run '$0 fetch', or install the package maven."
  tmp=$SANDBOX_STATE/jars/fetch.tmp
  rm -rf "$tmp"
  mkdir -p "$tmp"
  fill pom.xml.in "ITEMS=$(pom_items "${todo[@]}")" >"$tmp/pom.xml"
  say "fetching the jars of ${todo[*]} with Maven"
  # Even a quiet Maven writes escape codes, so its output is shown only when it failed.
  mvn -B -q -f "$tmp/pom.xml" "-Dout=$tmp" dependency:copy >"$tmp/maven.log" 2>&1 || {
    tail -n 25 "$tmp/maven.log" >&2
    fail "Maven could not fetch the jars; its message is above. Your Maven settings say where it looks."
  }
  for name in "${todo[@]}"; do
    if [[ $(jars_wanted "$name") != "$(jars_present "$tmp/$name")" ]]; then
      jars_complain "$name" "$tmp/$name"
      fail "$name: nothing was installed. Delete these jars from your local Maven repository and try again."
    fi
    rm -rf "$(jars_dir "$name")" "$(jars_dir "$name")".{jsa,stamp}
    mv "$tmp/$name" "$(jars_dir "$name")"
  done
  rm -rf "$tmp"
}
