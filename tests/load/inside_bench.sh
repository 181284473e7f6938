#!/usr/bin/env bash
# How long a handler's spawn takes, from the call to its return: starts an application that measures
# it, and asks. Prints `grove METRIC VALUE` lines. usage: inside_bench.sh [SPAWNS]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
daemon=
cleanup() {
  [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
bazel-bin/tests/integration/spawning --workers=1 --http=127.0.0.1:0 --control=127.0.0.1:0 \
  --admin=127.0.0.1:0 --control_binary="$PWD/bazel-bin/server/grove-control" \
  --state_dir="$work/state" --run_dir="$work/run" 2>"$work/log" &
daemon=$!
http=
for _ in $(seq 100); do
  http=$(sed -n 's/.* "serving" http=\([^ ]*\) .*/\1/p' "$work/log")
  if [ -n "$http" ]; then break; fi
  sleep 0.1
done
[ -n "$http" ] || {
  echo "inside_bench: the application does not start: $(tail -n 1 "$work/log")" >&2
  exit 1
}
for how in volatile durable; do
  read -r p50 p99 < <(curl -sf "http://$http/bench/${1:-5000}/$how")
  echo "grove inside_spawn_${how}_p50_us $p50"
  echo "grove inside_spawn_${how}_p99_us $p99"
done
