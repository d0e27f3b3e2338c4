#!/usr/bin/env bash
# Has a million tokens judged by cfaccess, two of its peers and the rules written
# down a second time, and fails if they differ for a reason that nobody has named.
# Needs Go and nothing else. Takes some minutes; -n 20000 takes seconds. With -out scripts/soak/differential it writes results.md there.
set -euo pipefail
cd "$(dirname "$0")/.."
# Nobody's habits, and no stamp: git refuses a tree that is somebody else's.
export GOFLAGS=-buildvcs=false GOWORK=

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
# Without the workspace, so that the versions are those of the module's go.mod.
GOWORK=off go build -C scripts/soak -o "$tools/differential" ./differential
"$tools/differential" "$@"
