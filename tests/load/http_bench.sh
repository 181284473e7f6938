#!/usr/bin/env bash
# HTTP hello with keep-alive: Grove, the epoll floor and nginx in interleaved rounds, each server on CPU 0, wrk on CPU 1.
# Prints `NAME requests_per_cpu_second VALUE` (the server's own user + system time) and `NAME requests_per_s VALUE`, medians.
# env: ROUNDS=3 SECS=3 CONNS=64
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-3} secs=${SECS:-3} conns=${CONNS:-64}
work=$(mktemp -d)
pids=()
cleanup() {
  [ "${#pids[@]}" = 0 ] || kill "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
declare -A port pid
start() {
  local name=$1
  shift
  taskset -c 0 "$@" >"$work/$name.log" 2>&1 &
  pid[$name]=$!
  pids+=("$!")
}
await() {
  for _ in $(seq 100); do
    curl -s -o /dev/null "http://127.0.0.1:${port[$1]}/" && return
    sleep 0.1
  done
  echo "http_bench: $1 does not answer: $(tail -n 1 "$work/$1.log")" >&2
  exit 1
}
# User and system ticks of a process and of all below it.
ticks() {
  local tree=$1 next=$1 total=0 each
  while next=$(pgrep -P "${next// /,}" | tr '\n' ' ') && [ -n "$next" ]; do
    next=${next% }
    tree="$tree $next"
  done
  for each in $tree; do
    total=$((total + $(sed 's/.*) //' "/proc/$each/stat" | awk '{print $12 + $13}')))
  done
  echo "$total"
}

for name in grove floor nginx; do port[$name]=$(free_port); done
start grove bazel-bin/server/groved --workers=1 --http="127.0.0.1:${port[grove]}" --control=127.0.0.1:0 \
  --admin=127.0.0.1:0 --state_dir="$work/state" --run_dir="$work/run"
start floor bazel-bin/tests/load/http_floor "${port[floor]}"
cat >"$work/nginx.conf" <<CONF
daemon off; master_process off; worker_processes 1; pid $work/nginx.pid; error_log $work/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  server { listen 127.0.0.1:${port[nginx]} backlog=4096; default_type text/plain;
    location / { return 200 "Hello, World!\\n"; } }
}
CONF
start nginx nginx -p "$work" -c "$work/nginx.conf"
for name in grove floor nginx; do await "$name"; done

for _ in $(seq "$rounds"); do
  for name in grove floor nginx; do
    before=$(ticks "${pid[$name]}")
    taskset -c 1 wrk -t1 -c"$conns" -d"${secs}s" "http://127.0.0.1:${port[$name]}/" >"$work/wrk"
    after=$(ticks "${pid[$name]}")
    awk -v name="$name" -v cpu=$((after - before)) \
      '/requests in/ {all = $1} /Requests\/sec/ {rate = $2} END {print name, all / cpu * 100, rate}' "$work/wrk" >>"$work/rows"
  done
done
python3 - "$work/rows" <<'PY'
import statistics, sys
rows = {}
for line in open(sys.argv[1]):
    name, per_cpu, per_second = line.split()
    rows.setdefault(name, []).append((float(per_cpu), float(per_second)))
for name, values in rows.items():
    label = "http_floor" if name == "floor" else name
    print(f"{label} requests_per_cpu_second {statistics.median(v[0] for v in values):.0f}")
    print(f"{label} requests_per_s {statistics.median(v[1] for v in values):.0f}")
PY
