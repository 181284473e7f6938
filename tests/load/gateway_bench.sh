#!/usr/bin/env bash
# Starts a daemon on free ports and runs gateway_bench against it. usage: gateway_bench.sh [TASKS]
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/load/daemon.sh
source tests/load/daemon.sh
start_daemon bazel-bin/server/groved --workers=1
bazel-bin/tests/load/gateway_bench "$address" "${1:-100000}"
