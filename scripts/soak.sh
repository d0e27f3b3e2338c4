#!/usr/bin/env bash
# Soak test: a server of each adapter under good and bad tokens, while the certs
# endpoint fails in every way. Exits with 1 if an answer or a fetch is wrong. It
# plays the last fault to its end, which can take ten seconds more than -for. With a
# minute or more it soaks cfaccess gate too, and nginx in front of it if installed.
#
#   ./scripts/soak.sh [-for 20s] [-seed N] [-race]
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS="-buildvcs=false -trimpath" GOWORK=

build=() run=()
for argument in "$@"; do
	case $argument in
	-race | --race) build+=(-race) ;;
	*) run+=("$argument") ;;
	esac
done
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
go build "${build[@]}" -o "$directory/soak" ./scripts/soak
go build -o "$directory/cfaccess" ./cmd/cfaccess
"$directory/soak" -gate "$directory/cfaccess" "${run[@]}"
