#!/usr/bin/env bash
# Puts cfaccess and its peers through what goes wrong at Access's edge, and
# prints what each did as a Markdown table. Needs Go and nothing else. Takes
# about half a minute. With "-out scripts/bench" it writes situations.md there.
set -euo pipefail
cd "$(dirname "$0")/.."
# Nobody's habits, and no stamp: git refuses a tree that is somebody else's.
export GOFLAGS=-buildvcs=false GOWORK=

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
# Without the workspace, so that the versions are those of the bench's go.mod.
GOWORK=off go build -C scripts/bench -o "$tools/situations" ./situations
"$tools/situations" "$@"
