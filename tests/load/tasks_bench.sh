#!/usr/bin/env bash
# Starts a daemon on free ports and runs tasks_bench against it. usage: tasks_bench.sh [TASKS]
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
bazel-bin/server/groved --workers=1 --http=127.0.0.1:0 --control=127.0.0.1:0 --admin=127.0.0.1:0 \
  --state_dir="$work/state" --run_dir="$work/run" 2>"$work/log" &
daemon=$!
ready() { curl -sf -o /dev/null "http://$(sed -n 's/^admin //p' "$work/run/control.addresses" 2>/dev/null)/readyz"; }
for _ in $(seq 100); do
  if ready 2>/dev/null; then break; fi
  sleep 0.1
done
address=$(sed -n 's/^grpc //p' "$work/run/control.addresses" 2>/dev/null || true)
[ -n "$address" ] || {
  echo "tasks_bench: groved does not start: $(tail -n 1 "$work/log")" >&2
  exit 1
}
bazel-bin/tests/load/tasks_bench "$address" "${1:-100000}"
