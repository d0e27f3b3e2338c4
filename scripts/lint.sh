#!/usr/bin/env bash
# Checks everything that can be checked without running it: formatting, vet,
# staticcheck, and that each module stands on its own.
set -euo pipefail
cd "$(dirname "$0")/.."
# Nobody's habits, and no stamp: git refuses a tree that is somebody else's.
export GOFLAGS=-buildvcs=false GOWORK=

staticcheck_version=v0.8.2

modules=$(find . -name go.mod -not -path '*/testdata/*' -exec dirname {} \; | sort)

echo "== gofmt"
unformatted=$(find . -name '*.go' -exec gofmt -l {} +)
if [ -n "$unformatted" ]; then
	echo "not formatted:" >&2
	echo "$unformatted" >&2
	exit 1
fi

echo "== go vet"
go vet work

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
# It needs a newer Go than we do, and gets it.
GOTOOLCHAIN=auto GOBIN=$tools GOWORK=off go install "honnef.co/go/tools/cmd/staticcheck@$staticcheck_version"

for module in $modules; do
	echo "== $module: tidy, builds on its own, staticcheck"
	(
		cd "$module"
		export GOWORK=off
		go mod tidy -diff
		go build -o /dev/null ./... # or a module of one command leaves it in the tree
		go vet ./...
		"$tools/staticcheck" ./...
	)
done
