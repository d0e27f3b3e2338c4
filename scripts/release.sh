#!/usr/bin/env bash
# Makes the tree ready to be released, and prints what is left to do by hand: it
# never commits, tags or pushes. All modules are released together.
#
#	scripts/release.sh v0.2.0
#	scripts/release.sh -requires v0.2.0
#
# The second only makes our modules require that version of each other: for a
# change that adds something to core and uses it in an adapter. Needs Go and git.
set -euo pipefail
cd "$(dirname "$0")/.."
# Nobody's habits, and no stamp: git refuses a tree that is somebody else's.
export GOFLAGS=-buildvcs=false GOWORK=

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
GOWORK=off go build -C scripts/release -o "$tools/release" .

if [ "${1-}" = -requires ]; then
	shift
	"$tools/release" requires "$@"
	exit
fi
"$tools/release" prepare "$@"
./scripts/test.sh # the rehearsal too
"$tools/release" commands "$@"
