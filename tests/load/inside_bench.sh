#!/usr/bin/env bash
# How long a handler's spawn takes, from the call to its return: starts an application that measures
# it, and asks. Prints `grove METRIC VALUE` lines. usage: inside_bench.sh [SPAWNS]
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/load/daemon.sh
source tests/load/daemon.sh
start_daemon bazel-bin/tests/integration/spawning --workers=1 \
  --control_binary="$PWD/bazel-bin/server/grove-control"
http=$(sed -n 's/.* "serving" http=\([^ ]*\) .*/\1/p' "$work/log")
for how in volatile durable; do
  read -r p50 p99 < <(curl -sf "http://$http/bench/${1:-5000}/$how")
  echo "grove inside_spawn_${how}_p50_us $p50"
  echo "grove inside_spawn_${how}_p99_us $p99"
done
