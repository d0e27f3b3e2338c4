#!/usr/bin/env bash
# Measures cfaccess beside its peers, prints the tables, and writes
# scripts/bench/results.md and results.svg. Needs Go and nothing else. Takes
# about four minutes; with -quick it is a smoke run of seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
# Nobody's habits, and no stamp: git refuses a tree that is somebody else's.
export GOFLAGS=-buildvcs=false GOWORK=

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
# Without the workspace, so that the versions are those of the bench's go.mod.
GOWORK=off go build -C scripts/bench -o "$tools/bench" .
"$tools/bench" "$@"
