#!/usr/bin/env bash
# Compares ways to put Access in front of an application, with wrk: requests a
# second, the 99th percentile, and the CPU time and memory of the processes in
# between. Needs Go, nginx and wrk, on Linux. oauth2-proxy is in the table if the Go
# module proxy has it.
#
#	scripts/throughput.sh [-for 5s] [-rounds 3]
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS="-buildvcs=false -trimpath" GOWORK=

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
go build -o "$tools/cfaccess" ./cmd/cfaccess
go test -c -o "$tools/throughput" ./scripts/throughput
GOWORK=off GOBIN=$tools go install github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.6 || true
cd scripts/throughput
"$tools/throughput" -test.run '^$' -test.bench . -test.benchtime 1x -tools "$tools" "$@"
