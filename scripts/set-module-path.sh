#!/usr/bin/env bash
# Gives every module another path, for whoever publishes them elsewhere:
#
#	scripts/set-module-path.sh example.org/some/where
#
# makes core example.org/some/where/core, and so on: in the go.mod files, in
# imports, in documents and scripts. It commits nothing. Needs Go and git.
set -euo pipefail
cd "$(dirname "$0")/.."
# Nobody's habits, and no stamp: git refuses a tree that is somebody else's.
export GOFLAGS=-buildvcs=false GOWORK=

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
GOWORK=off go build -C scripts/release -o "$tools/release" .
"$tools/release" move "$@"
echo "it has to build, with its tests:"
go vet work
echo "it does"
