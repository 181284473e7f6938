#!/usr/bin/env bash
# Starts a daemon with two tenants and runs overload_load against it.
# usage: overload_bench.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/load/daemon.sh
source tests/load/daemon.sh
umask 077
for who in flood quiet operators; do
  openssl rand -hex 32 >"$work/$who.token"
done
# The queue of the one that floods is as deep as it fills in the time.
cat >"$work/groved.yaml" <<YAML
tenants:
  - {name: quiet}
  - {name: flood, queues: [{name: default, depth_max: 10000000}]}
control:
  tokens:
    - {name: flood, tenant: flood, role: writer, secret_file: $work/flood.token}
    - {name: quiet, tenant: quiet, role: writer, secret_file: $work/quiet.token}
    - {name: operators, role: viewer, secret_file: $work/operators.token}
YAML
start_daemon bazel-bin/server/groved --config="$work/groved.yaml" --workers=1
bazel-bin/tests/load/overload_load "$address" "$(cat "$work/flood.token")" \
  "$(cat "$work/quiet.token")" "$(cat "$work/operators.token")" "${1:-10}"
