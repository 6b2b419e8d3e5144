# shellcheck shell=bash
# Where the sandbox keeps its files. Sets SANDBOX_ROOT (the checkout), SANDBOX_SCRIPTS (this folder)
# and SANDBOX_STATE. Sourced by scripts/sandbox and scripts/lib/deps.sh; creates nothing.

SANDBOX_SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
SANDBOX_ROOT=$(cd "$SANDBOX_SCRIPTS/../.." && pwd -P)

# PostgreSQL refuses to run as root. Root's sandbox runs it as another user, who must be able to enter
# the folder; uid 65534 stands for that user, who may not exist before the package is installed.
state_enterable_by_others() {
  setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$1" 2>/dev/null
}

state_choose() {
  if [[ $EUID -ne 0 ]] || state_enterable_by_others "$SANDBOX_ROOT"; then
    echo "$SANDBOX_ROOT/.sandbox"
  else
    echo "/var/tmp/sluice-sandbox-$(printf %s "$SANDBOX_ROOT" | sha256sum | cut -c1-12)"
  fi
}

SANDBOX_STATE=$(state_choose)

# Creates the state folder. A folder of someone else is refused: in /var/tmp its name can be guessed.
state_create() {
  mkdir -p "$SANDBOX_STATE"
  if [[ ! -O $SANDBOX_STATE ]]; then
    echo "sandbox: $SANDBOX_STATE belongs to $(stat -c %U "$SANDBOX_STATE"), not to $(id -un)." \
      "Run as that user, or use a checkout of your own." >&2
    return 1
  fi
  chmod 755 "$SANDBOX_STATE"
  # Whatever the caller's umask is: root's PostgreSQL runs as another user.
  (umask 022 && mkdir -p "$SANDBOX_STATE"/{data,jars,logs,run})
  [[ -e $SANDBOX_STATE/.gitignore ]] || echo '*' >"$SANDBOX_STATE/.gitignore"
}
