#!/usr/bin/env bash
# Checks what scripts/test.sh leaves out. Both must pass before a change lands.
# Needs Go, git, and a C compiler for the race detector. On two cores it takes ten
# minutes. Arguments are the steps to take: all of them, in the order of this file,
# unless given.
#
#	scripts/check.sh
#	scripts/check.sh static rules
#	FUZZTIME=5m scripts/check.sh fuzz
set -euo pipefail
cd "$(dirname "$0")/.."
# Ignore the caller's settings. Without -buildvcs=false the go command asks git
# about the tree, and git refuses one that another user owns.
export GOFLAGS="-buildvcs=false -trimpath" GOWORK=

steps=(static alone rules rehearsal fuzz soak differential programs other_go race)

# static looks for mistakes without running anything.
static() {
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 work
}

# alone builds each module as its users do, without the workspace.
alone() {
	local file
	for file in */go.mod */*/go.mod; do
		[ -e "$file" ] || continue
		echo "$(dirname "$file")"
		GOWORK=off go -C "$(dirname "$file")" mod tidy -diff
		GOWORK=off go -C "$(dirname "$file")" build -o /dev/null ./...
		GOWORK=off go -C "$(dirname "$file")" vet ./...
	done
}

# rules runs the tests of files in other modules, which go test's cache doesn't watch.
rules() {
	go test -count=1 ./scripts/rules
}

rehearsal() {
	if [ -e .git ]; then
		./scripts/rehearse.sh
	else
		echo "skipped: this is an archive and not a git repository"
	fi
}

# fuzz runs each target on its own, since go test fuzzes one at a time. FUZZTIME is
# a count unless set: before Go 1.27 a run that ends by the clock can fail by it
# (golang/go#75804). Minimizing inputs that only add coverage would take most of the time.
fuzz() {
	local file target
	grep -roE --include='*_test.go' '^func Fuzz\w+' . | sort | while IFS=: read -r file target; do
		target=${target#func }
		echo "$target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10000x}" -fuzzminimizetime 10x "$(dirname "$file")"
	done
}

soak() {
	./scripts/soak.sh -for 20s
}

differential() {
	./scripts/differential.sh -n 20000
}

# programs installs a browser, proxies and the like where it can.
programs() {
	./scripts/programs.sh
}

# other_go tests core with the other Go release that is supported.
other_go() {
	local release=go1.27.0
	if [[ $(go env GOVERSION) != go1.26* ]]; then
		release=go1.26.0
	fi
	if GOTOOLCHAIN=$release go version; then
		GOTOOLCHAIN=$release go test ./core/...
	else
		echo "skipped: $release can't be downloaded"
	fi
}

# race runs all tests again. The allocation budgets don't hold under the race
# detector: test.sh tests them.
race() {
	go test -race work
}

for step in "${@:-${steps[@]}}"; do
	echo "== $step (after $SECONDS s)"
	"$step"
done
