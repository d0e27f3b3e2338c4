#!/usr/bin/env bash
# Everything that has to hold before a change lands. Needs Go and nothing else;
# where there is git, a release is rehearsed.
# FUZZTIME is how long each fuzz target runs, 10s unless set.
set -euo pipefail
cd "$(dirname "$0")/.."

./scripts/lint.sh

echo "== rules of the repository"
# They look at files of other modules, which go test's cache doesn't watch.
go test -count=1 ./scripts/rules

echo "== rehearsal of a release"
if git rev-parse --git-dir >/dev/null 2>&1; then
	./scripts/rehearse.sh
else
	echo "no git repository, as in an archive of the tree: there is nothing to release"
fi

# Each target in a run of its own: go test fuzzes one at a time. Coverage differs
# from run to run, so making each find smaller would take all the time.
grep -rn --include='*_test.go' -oE '^func Fuzz[A-Za-z0-9_]+' . | sort |
	while IFS=: read -r file _ declaration; do
		target=${declaration#func }
		echo "== $target for ${FUZZTIME:=10s}"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 10x "$(dirname "$file")"
	done

echo "== soak"
./scripts/soak.sh -for 20s

echo "== tests"
# The allocation budgets hold without the race detector only.
go test -run '^TestAllocations' work
go test -race work
