#!/usr/bin/env bash
# Starts a daemon of 20 slots on free ports and runs fairness_load against it.
# usage: fairness_bench.sh [SECONDS]
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
cat >"$work/groved.yaml" <<YAML
tasks: {running_max_per_worker: 20}
tenants:
  - {name: quiet}
  - {name: flood}
  - {name: twice, weight: 200}
YAML
bazel-bin/server/groved --config="$work/groved.yaml" --workers=1 --http=127.0.0.1:0 \
  --control=127.0.0.1:0 --admin=127.0.0.1:0 \
  --state_dir="$work/state" --run_dir="$work/run" 2>"$work/log" &
daemon=$!
ready() { curl -sf -o /dev/null "http://$(sed -n 's/^admin //p' "$work/run/control.addresses" 2>/dev/null)/readyz"; }
for _ in $(seq 100); do
  if ready 2>/dev/null; then break; fi
  sleep 0.1
done
address=$(sed -n 's/^grpc //p' "$work/run/control.addresses" 2>/dev/null || true)
[ -n "$address" ] || {
  echo "fairness_bench: groved does not start: $(tail -n 1 "$work/log")" >&2
  exit 1
}
bazel-bin/tests/load/fairness_load "$address" "${1:-20}"
