#!/usr/bin/env bash
# Runs the benchmarks of scripts/bench and prints benchstat's tables: cfaccess
# beside other libraries, and each framework with and without its adapter. Then
# it prints the targets. Takes about a minute; -quick runs everything
# for a few seconds, and its figures mean nothing. Needs Go and awk.
set -euo pipefail
cd "$(dirname "$0")"
# GOWORK=off takes the versions from scripts/go.mod. The stamp would need a
# repository that belongs to the user.
export GOFLAGS=-buildvcs=false GOWORK=off

rounds=6 # the least that benchstat needs for a confidence interval
time=100ms
if [ "${1-}" = -quick ]; then
	rounds=1
	time=1ms
fi

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
go test -c -o "$tools/bench" ./bench
go build -o "$tools/benchstat" golang.org/x/perf/cmd/benchstat

# Whole rounds and not -test.count, so that the libraries interleave: where the
# machine is slow for some seconds, it is slow for all of them.
for _ in $(seq "$rounds"); do
	"$tools/bench" -test.run '^$' -test.bench . -test.benchtime "$time" >>"$tools/results" || {
		cat "$tools/results" >&2
		exit 1
	}
done

"$tools/benchstat" -filter .name:Verify -row /case -col /lib "$tools/results"
echo
"$tools/benchstat" -filter .name:HTTP -row /framework -col /mw "$tools/results"
echo
"$tools/benchstat" -format csv "$tools/results" 2>/dev/null | awk -f bench/targets.awk
