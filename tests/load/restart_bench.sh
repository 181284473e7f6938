#!/usr/bin/env bash
# How soon a daemon is ready again that was killed with many durable tasks waiting, and what control
# holds of them. usage: restart_bench.sh [TASKS]
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/load/daemon.sh
source tests/load/daemon.sh
tasks=${1:-1000000}
start_tries=600
groved=${GROVED:-bazel-bin/server/groved}
grovectl=${GROVECTL:-bazel-bin/client/grovectl}

control_pid() {
  pgrep -P "$daemon" -f grove-control | head -n 1
}

control_kb() {
  awk '/^VmRSS/ { print $2 }' "/proc/$(control_pid)/status"
}

# Its CPU time: others may share the machine.
control_cpu_ms() {
  awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/$(control_pid)/stat"
}

# With all that is below the supervisor, at once.
kill_daemon() {
  local children
  mapfile -t children < <(pgrep -P "$daemon")
  kill -9 "$daemon" "${children[@]}"
  wait "$daemon" 2>/dev/null || true
}

cat >"$work/groved.yaml" <<CONFIG
tasks: {memory_max_bytes: 4294967296}
tenants: [{name: default, queues: [{name: default, depth_max: $((2 * tasks)), paused: true}]}]
CONFIG
start_daemon "$groved" --config="$work/groved.yaml" --workers=1
empty_kb=$(control_kb)
"$grovectl" --address="$address" bench --count="$tasks" --stream --batch=1000 >"$work/bench"
full_kb=$(control_kb)
echo "grove queued_rss_bytes_per_task $(((full_kb - empty_kb) * 1024 / tasks))"
kill_daemon
rm -f "$work/run/control.addresses"
begin=$(date +%s%N)
start_daemon "$groved" --config="$work/groved.yaml" --workers=1
echo "grove restart_with_queued_ms $((($(date +%s%N) - begin) / 1000000))"
echo "grove restart_control_cpu_ms $(control_cpu_ms)"
full_kb=$(control_kb)
echo "grove restarted_rss_bytes_per_task $(((full_kb - empty_kb) * 1024 / tasks))"
"$grovectl" --address="$address" queues default >"$work/queue"
queued=$(grep -Eo "\b$tasks\b" "$work/queue" | head -n 1)
[ "$queued" = "$tasks" ] || { echo "$0: the tasks are not all there" >&2; cat "$work/queue" >&2; exit 1; }
grep -o 'restored.*' "$work/log" | tail -n 1 >&2 || true
