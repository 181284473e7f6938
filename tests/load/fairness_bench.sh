#!/usr/bin/env bash
# Starts a daemon of 20 slots on free ports and runs fairness_load against it.
# usage: fairness_bench.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/load/daemon.sh
source tests/load/daemon.sh
cat >"$work/groved.yaml" <<YAML
tasks: {running_max_per_worker: 20}
tenants:
  - {name: quiet}
  - {name: flood}
  - {name: twice, weight: 200}
YAML
start_daemon bazel-bin/server/groved --config="$work/groved.yaml" --workers=1
bazel-bin/tests/load/fairness_load "$address" "${1:-20}"
