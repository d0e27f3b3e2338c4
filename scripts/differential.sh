#!/usr/bin/env bash
# Verifies generated tokens with cfaccess, go-oidc and jwx, and compares the decisions
# with the rules that each token is known to break. Prints a table of the differences
# by class. Fails on a difference that no class names, with the smallest such token.
# -n is the number of tokens: 20000 take 15 seconds. -seed generates others, and the
# seed that a failure prints generates the failing token first.
set -euo pipefail
cd "$(dirname "$0")/.."
# Ignore the caller's settings.
export GOFLAGS="-buildvcs=false -trimpath" GOWORK=

count=20000 seed=1
while [ $# -gt 0 ]; do
	case "$1 ${2-}" in
	"-n "[1-9]*) count=$2 ;;
	"-seed "[1-9]*) seed=$2 ;;
	*)
		echo "usage: $0 [-n tokens] [-seed seed]" >&2
		exit 2
		;;
	esac
	shift 2
done

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
# Without the workspace, so that the versions are those of the module's go.mod.
GOWORK=off go test -C scripts -c -o "$tools/differential" ./differential
cd "$tools"
./differential -test.run '^TestDifferential$' -rapid.checks "$count" -rapid.seed "$seed"
