# Sourced by the benchmarks of the whole daemon, with `work`, a folder of its own that is removed at
# the end, and what starts a daemon on free ports.
work=$(mktemp -d)
daemon=
cleanup() {
  [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

# start_daemon PROGRAM FLAG ...: returns once it is ready; `address` is control's.
start_daemon() {
  "$@" --http=127.0.0.1:0 --control=127.0.0.1:0 --admin=127.0.0.1:0 \
    --state_dir="$work/state" --run_dir="$work/run" 2>"$work/log" &
  daemon=$!
  for _ in $(seq "${start_tries:-100}"); do
    if ready 2>/dev/null; then break; fi
    sleep 0.1
  done
  address=$(sed -n 's/^grpc //p' "$work/run/control.addresses" 2>/dev/null || true)
  [ -n "$address" ] && return
  echo "$0: the daemon does not start: $(tail -n 1 "$work/log")" >&2
  exit 1
}

ready() {
  curl -sf -o /dev/null "http://$(sed -n 's/^admin //p' "$work/run/control.addresses")/readyz"
}
