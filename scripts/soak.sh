#!/usr/bin/env bash
# Puts the example servers through a storm of good and forged tokens and of
# faults of the certs endpoint, and judges every answer. Takes -for, ten minutes
# unless given, -seed, -race and -out. A run of a minute or more writes
# scripts/soak/results.md and results.svg. Needs Go and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
# Nobody's habits, and no stamp: git refuses a tree that is somebody else's.
export GOFLAGS=-buildvcs=false GOWORK=

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
go build -C scripts/soak -o "$tools/soak" .
"$tools/soak" "$@"
