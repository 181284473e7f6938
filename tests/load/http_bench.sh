#!/usr/bin/env bash
# Grove beside the epoll floor and nginx in interleaved rounds, each server on CPU 0, the client on CPU 1.
# Prints `NAME METRIC VALUE`, medians over the rounds; CPU seconds are the server's own user + system time:
#   requests_per_cpu_second, requests_per_s   hello with keep-alive, by wrk
#   pipelined_per_cpu_second                  the same, 16 requests in flight on each connection
#   file_mebibytes_per_cpu_second             a file of 1 MiB
#   tls_requests_per_cpu_second               hello with keep-alive over TLS 1.3, by wrk
#   p50_at_70_us, p99_at_70_us                hello at 70 % of nginx's requests_per_s, from the moment each was due
#   idle_bytes, idle_ticks                    each of IDLE connections that wait for their second request; CPU ticks
#                                             (10 ms) that all of them cost in 5 seconds
# env: ROUNDS=3 SECS=3 CONNS=64 IDLE=9900 (ulimit -n of both sides bounds it)
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${ROUNDS:-3} secs=${SECS:-3} conns=${CONNS:-64} idle=${IDLE:-9900}
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
    # One that has ended meanwhile counts nothing.
    total=$((total + $( (sed 's/.*) //' "/proc/$each/stat" 2>/dev/null || true) | awk '{print $12 + $13} END {if (NR == 0) print 0}')))
  done
  echo "$total"
}

for name in grove floor nginx grove_tls nginx_tls; do port[$name]=$(free_port); done
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -keyout "$work/key.pem" -out "$work/chain.pem" 2>/dev/null
mkdir "$work/files"
head -c 1048576 /dev/urandom >"$work/files/1m.bin"
cat >"$work/groved.yaml" <<CONF
http:
  listeners:
    - address: 127.0.0.1:${port[grove_tls]}
      tls: {certificates: [{certificate_file: $work/chain.pem, key_file: $work/key.pem}]}
  routes:
    - path: /
      function: hello
    - path: /files/{path...}
      function: file
      folder: $work/files
CONF
start grove "${GROVED:-bazel-bin/server/groved}" --workers=1 --config="$work/groved.yaml" --http="127.0.0.1:${port[grove]}" --control=127.0.0.1:0 \
  --admin=127.0.0.1:0 --state_dir="$work/state" --run_dir="$work/run"
start floor bazel-bin/tests/load/http_floor "${port[floor]}"
cat >"$work/nginx.conf" <<CONF
daemon off; master_process off; worker_processes 1; pid $work/nginx.pid; error_log $work/error.log;
events { worker_connections 4096; }
http {
  access_log off; sendfile on; keepalive_requests 100000000; keepalive_timeout 600s;
  server { listen 127.0.0.1:${port[nginx]} backlog=4096; default_type text/plain;
    location / { return 200 "Hello, World!\\n"; }
    location /files/ { alias $work/files/; } }
  server { listen 127.0.0.1:${port[nginx_tls]} ssl backlog=4096; default_type text/plain;
    ssl_certificate $work/chain.pem; ssl_certificate_key $work/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
    location / { return 200 "Hello, World!\n"; } }
}
CONF
start nginx nginx -p "$work" -c "$work/nginx.conf"
for name in grove floor nginx; do await "$name"; done

# NAME URL: a row of the requests per CPU second and per second of the server NAME.
hello() {
  local before after
  before=$(ticks "${pid[$1]}")
  taskset -c 1 wrk -t1 -c"$conns" -d"${secs}s" "$2" >"$work/wrk"
  after=$(ticks "${pid[$1]}")
  awk -v name="$1" -v cpu=$((after - before)) \
    '/requests in/ {all = $1} /Requests\/sec/ {rate = $2} END {print name, all / cpu * 100, rate}' "$work/wrk"
}
for _ in $(seq "$rounds"); do
  for name in grove floor nginx; do
    hello "$name" "http://127.0.0.1:${port[$name]}/" >>"$work/rows"
  done
  for name in grove nginx; do
    hello "$name" "https://127.0.0.1:${port[${name}_tls]}/" | awk '{print $2}' >>"$work/tls.$name"
  done
done

load() {
  taskset -c 1 bazel-bin/tests/load/http_load "${port[$1]}" "seconds=$secs" "connections=$conns" "${@:2}"
}
# Answers per CPU second of a server under http_load with the other arguments.
answers_per_cpu_second() {
  local before after
  before=$(ticks "${pid[$1]}")
  load "$@" >"$work/load"
  after=$(ticks "${pid[$1]}")
  awk -v cpu=$((after - before)) '$1 == "answers" {print $2 / (cpu + 0.001) * 100}' "$work/load"
}
median() { python3 -c 'import statistics, sys; print(round(statistics.median(map(float, sys.stdin))))' <"$1"; }
rate=$(($(awk '$1 == "nginx" {print $3}' "$work/rows" | sort -n | sed -n "$(((rounds + 1) / 2))p" | cut -d. -f1) * 7 / 10))
for _ in $(seq "$rounds"); do
  for name in grove nginx; do
    answers_per_cpu_second "$name" depth=16 >>"$work/pipelined.$name"
    answers_per_cpu_second "$name" path=/files/1m.bin connections=8 >>"$work/file.$name"
    load "$name" rate="$rate" >"$work/load"
    awk '$1 == "p50_us" {print $2}' "$work/load" >>"$work/p50.$name"
    awk '$1 == "p99_us" {print $2}' "$work/load" >>"$work/p99.$name"
  done
done

# Resident kilobytes of the process that accepts.
worker_of() { pgrep -P "$1" -x grove-w0 || echo "$1"; }
resident() { awk '$1 == "VmRSS:" {print $2}' "/proc/$1/status"; }
measure_idle() {
  local worker before after ticks_before ticks_after holder
  worker=$(worker_of "${pid[$1]}")
  before=$(resident "$worker")
  mkfifo "$work/held.$1"
  taskset -c 1 bazel-bin/tests/load/http_load "${port[$1]}" "connections=$idle" hold=8 >"$work/held.$1" &
  holder=$!
  read -r _ <"$work/held.$1" || return 0 # it has said why
  sleep 1
  after=$(resident "$worker")
  ticks_before=$(ticks "${pid[$1]}")
  sleep 5
  ticks_after=$(ticks "${pid[$1]}")
  echo "$1 idle_bytes $(((after - before) * 1024 / idle))"
  echo "$1 idle_ticks $((ticks_after - ticks_before))"
  wait "$holder" || true
}
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
for name in grove nginx; do
  echo "$name tls_requests_per_cpu_second $(median "$work/tls.$name")"
  echo "$name pipelined_per_cpu_second $(median "$work/pipelined.$name")"
  echo "$name file_mebibytes_per_cpu_second $(median "$work/file.$name")"
  echo "$name p50_at_70_us $(median "$work/p50.$name")"
  echo "$name p99_at_70_us $(median "$work/p99.$name")"
done
measure_idle grove
