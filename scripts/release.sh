#!/usr/bin/env bash
# Prepares a release of all modules, tests it, and prints what is left to do by
# hand. It never commits, tags or pushes.
#
#	scripts/release.sh v0.2.0
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
	echo "release.sh: $1" >&2
	exit 1
}

version=${1-}
[[ $version =~ ^v[01]\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "which version? as in: scripts/release.sh v0.2.0"
[ -z "$(git status --porcelain)" ] || fail "there are uncommitted changes: commit or stash them"
[ -z "$(git tag --list "*/$version")" ] || fail "$version has tags, and a tag is never moved"
! grep -q "^## $version " CHANGELOG.md || fail "CHANGELOG.md has a section for $version"
awk '/^## / { unreleased = $0 == "## Unreleased" } unreleased && /^[^#]/ { found = 1 } END { exit !found }' CHANGELOG.md ||
	fail 'CHANGELOG.md has nothing under "## Unreleased"'

echo "Changing files. To undo: git restore ."
./scripts/require.sh "$version"
changelog=$(awk -v heading="## $version - $(date -u +%F)" '{ print } $0 == "## Unreleased" { print "\n" heading }' CHANGELOG.md)
echo "$changelog" >CHANGELOG.md

released=$(git ls-files '*/go.mod' | xargs -n1 dirname | grep -vxE 'examples|scripts')
last=$(git -c versionsort.suffix=- tag --sort=version:refname --list 'core/v*' | tail -n 1)
if [ -n "$last" ]; then
	echo "== changes of the API"
	# In the rehearsal the modules find each other's new version. A module's own must
	# not be there yet.
	last=${last#core/} ./scripts/rehearse.sh "$version" bash -euc '
		for module in $0; do
			git rev-parse --quiet --verify "refs/tags/$module/$last" >/dev/null || continue
			echo "$module since $last"
			git tag --delete "$module/$1" >/dev/null
			go -C "$module" mod tidy # adds the sums of the other modules
			git commit --quiet --all --allow-empty --message sums
			(cd "$module" && go run golang.org/x/exp/cmd/gorelease@v0.0.0-20261113113407-e3970619a1a4 -base="$last" -version="$1")
			git tag "$module/$1"
		done' "$released" "$version"
fi

./scripts/test.sh
./scripts/check.sh

tags=$(sed "s|\$|/$version|" <<<"$released")
path=github.com/cfaccess/cfaccess
cat <<END

$version is ready. What is left to do, in this order:

git commit --all --message 'repository: release $version'
$(grep -v ^cmd/ <<<"$tags" | sed 's/^/git tag /')
# go install refuses a module with replace directives: the command's tag is on a commit without them
go mod edit $(sed "s|^|-dropreplace=$path/|" <<<"$released" | xargs) cmd/cfaccess/go.mod
git commit --all --message 'cmd/cfaccess: release $version'
git tag cmd/cfaccess/$version
git revert --no-edit HEAD
git push --atomic origin HEAD $(xargs <<<"$tags")
END
