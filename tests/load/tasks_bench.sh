#!/usr/bin/env bash
# Starts a daemon on free ports and runs tasks_bench against it. usage: tasks_bench.sh [TASKS]
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/load/daemon.sh
source tests/load/daemon.sh
start_daemon bazel-bin/server/groved --workers=1
bazel-bin/tests/load/tasks_bench "$address" "${1:-100000}"
