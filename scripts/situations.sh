#!/usr/bin/env bash
# Runs cfaccess and other libraries through what goes wrong at Access and at
# clients, and prints what each did as a Markdown table. Takes about half a
# minute. Needs Go.
set -euo pipefail
cd "$(dirname "$0")"
# GOWORK=off takes the versions from scripts/go.mod. The stamp would need a
# repository that belongs to the user.
export GOFLAGS=-buildvcs=false GOWORK=off

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
go build -o "$tools/situations" ./situations # go run prints no versions
"$tools/situations"
