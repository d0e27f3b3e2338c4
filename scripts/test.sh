#!/usr/bin/env bash
# Everything that has to hold before a change lands. Needs Go and, for the race
# detector, a C compiler; in a git repository a release is rehearsed.
# FUZZTIME is how long each fuzz target runs: 10000x, so many inputs, unless set.
set -euo pipefail
cd "$(dirname "$0")/.."
# Nobody's habits, and no stamp: git refuses a tree that is somebody else's.
export GOFLAGS=-buildvcs=false GOWORK=

./scripts/lint.sh

echo "== rules of the repository"
# They look at files of other modules, which go test's cache doesn't watch.
go test -count=1 ./scripts/rules

echo "== rehearsal of a release"
if [ ! -e .git ]; then
	echo "this is no git repository, but an archive of one: there is nothing to release"
elif ! git rev-parse --git-dir >/dev/null; then
	echo "git doesn't read this repository: a release can't be made of it, nor rehearsed"
else
	./scripts/rehearse.sh
fi

# Each target in a run of its own: go test fuzzes one at a time. Coverage differs
# from run to run, so making each find smaller would take all the time. A count,
# since a run that ends by the clock can fail by it (golang/go#75804).
grep -rn --include='*_test.go' -oE '^func Fuzz[A-Za-z0-9_]+' . | sort |
	while IFS=: read -r file _ declaration; do
		target=${declaration#func }
		echo "== $target for ${FUZZTIME:=10000x}"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 10x "$(dirname "$file")"
	done

echo "== soak"
./scripts/soak.sh -for 20s

echo "== differential test"
./scripts/differential.sh -n 20000

echo "== tests"
# The allocation budgets hold without the race detector only.
go test -run '^TestAllocations' work
go test -race work
