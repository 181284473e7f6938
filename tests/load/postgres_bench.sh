#!/usr/bin/env bash
# Statements of many callers over a pool, for a CPU-second of the client's process: ours and libpq's
# own loops (postgres_bench), Go's pgx and Node's pg, in turns, against a PostgreSQL of its own.
# pgx: the package golang-github-jackc-pgx-v4-dev; pg: node-pg, or a folder in NODE_PATH. Whoever is
# not there is left out. usage: postgres_bench.sh [CONNECTIONS [CALLERS [SECONDS [ROUNDS]]]]
set -euo pipefail
cd "$(dirname "$0")/../.."
connections=${1:-16} callers=${2:-1000} seconds=${3:-2} rounds=${4:-3}
bin=$(echo /usr/lib/postgresql/*/bin)
work=$(mktemp -d)
user=$(id -un)
as=()
# PostgreSQL does not run as root.
[ "$user" != root ] || { user=postgres as=(setpriv --reuid=postgres --regid=postgres --clear-groups); }
chmod 711 "$work"
mkdir "$work/data"
chown "$user" "$work/data"
"${as[@]}" "$bin/initdb" -D "$work/data" -A trust -U "$user" >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$work/data" -w -l "$work/data/log" \
  -o "-k $work/data -c listen_addresses= -c max_connections=200" start >/dev/null
trap '"${as[@]}" "$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null; rm -rf "$work"' EXIT
address="host=$work/data user=$user dbname=postgres"

if [ -d /usr/share/gocode/src/github.com/jackc/pgx/v4 ] && command -v go >/dev/null; then
  GO111MODULE=off GOPATH=/usr/share/gocode go build -o "$work/pgx" tests/load/postgres_peers/pgx.go
fi
for _ in $(seq "$rounds"); do
  bazel-bin/database/postgres/postgres_bench "$address" "$connections" "$callers" "$seconds"
  if [ -x "$work/pgx" ]; then
    "$work/pgx" "$address" "$connections" "$connections" "$seconds"
    "$work/pgx" "$address" "$connections" "$callers" "$seconds" pipelined
  fi
  if node -e 'require("pg")' 2>/dev/null; then
    node tests/load/postgres_peers/pg.js "$work/data" 5432 "$user" postgres "$connections" \
      "$connections" "$seconds"
  fi
done
