#!/usr/bin/env bash
# Rehearses a release of the tree as it is: publishes every module to a proxy of
# files in a temporary directory, without the replaces, and builds and runs a
# throw-away user of each adapter from there. An adapter that uses more of core
# than the version that its go.mod requires fails here. Needs Go and git, and
# leaves nothing behind. Arguments are the adapters to try: all without any.
set -euo pipefail
cd "$(dirname "$0")/.."
# Nobody's habits, and no stamp: git refuses a tree that is somebody else's.
export GOFLAGS=-buildvcs=false GOWORK=

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
GOWORK=off go build -C scripts/release -o "$tools/release" .
"$tools/release" rehearse "$@"
