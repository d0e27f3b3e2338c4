#!/usr/bin/env bash
# Rehearses a release of the tree as it is, uncommitted changes included. It tags
# every module in a temporary clone, without the replace directives, and builds
# against these tags what a user builds: each module, a server with each adapter,
# the command, and the programs of the documentation.
#
#	scripts/rehearse.sh                     the version is v0.0.0-rehearsal
#	scripts/rehearse.sh v0.2.0              the version is v0.2.0
#	scripts/rehearse.sh v0.2.0 command ...  runs a command that finds v0.2.0, and nothing else
#
# A version that is tagged already counts as published: a module that uses more of
# core than the version that its go.mod requires fails here. The network is used
# for other people's modules only.
set -euo pipefail
cd "$(dirname "$0")/.."
path=github.com/cfaccess/cfaccess
version=${1:-v0.0.0-rehearsal}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
clone=$work/clone

fail() {
	echo "rehearse.sh: $1" >&2
	exit 1
}

# quietly prints what a command says only if it fails.
quietly() {
	"$@" >"$work/log" 2>&1 || { cat "$work/log" >&2 && return 1; }
}

# Git with no settings but these. A hook's variables would point it at the wrong
# repository, and it refuses a tree that another user owns.
unset "${!GIT_@}"
export GIT_CONFIG_GLOBAL=$work/gitconfig GIT_CONFIG_NOSYSTEM=1
git config --global user.name rehearsal
git config --global user.email rehearsal@localhost
git config --global safe.directory '*'
git config --global "url.$clone.insteadOf" "https://$path"

git clone --quiet --no-checkout . "$clone"
git --git-dir="$clone/.git" --work-tree=. add --all
cd "$clone"
git commit --quiet --allow-empty --message 'the tree as it is'
git reset --quiet --hard

# The toolchain is the one that go.work asks for. The module cache is temporary, and
# the ordinary one is its first proxy. With -trimpath the build cache knows a package
# wherever its module cache is.
PATH=$(go env GOROOT)/bin:$PATH
GOPROXY=file://$(go env GOMODCACHE)/cache/download,$(go env GOPROXY)
GONOSUMDB=$path,$(go env GONOSUMDB)
export PATH GOPROXY GONOSUMDB GONOPROXY=$path GOMODCACHE=$work/modules GOTOOLCHAIN=local GOWORK=off
export GOFLAGS='-modcacherw -trimpath -buildvcs=false'

modules=$(git ls-files '*go.mod' | xargs -n1 dirname)
released=$(grep -vxE 'examples|scripts' <<<"$modules")
required=$(git ls-files '*go.mod' | xargs grep -ohE "$path/core v\S+" | sort -u | cut -d' ' -f2)
[[ $required != *$'\n'* ]] || fail "the modules require different versions of core: $required"
if [ $# -gt 0 ] || ! git rev-parse --quiet --verify "refs/tags/core/$required" >/dev/null; then
	scripts/require.sh "$version"
	required=$version
fi
for module in $modules; do
	go mod edit $(sed "s|^|-dropreplace=$path/|" <<<"$modules") "$module/go.mod"
done
git commit --quiet --all --message "release $version"
for module in $released; do
	git tag "$module/$version"
done
if [ $# -gt 1 ]; then
	"${@:2}"
	exit
fi

frameworks='github.com/(gin-gonic/gin|labstack/echo|gofiber/fiber|caddyserver/caddy)(/v[0-9]+)?'
tests=$clone/scripts/testdata/user
for module in $released; do
	echo "== $module"
	cd "$clone/$module"
	quietly go vet -mod=mod ./... ||
		fail "$module fails with core $required, which its go.mod requires; if it needs a newer one: scripts/require.sh <next version>"

	user=$work/users/$module
	mkdir -p "$user"
	cp go.sum "$user"
	cd "$user"
	quietly go mod init user.example
	quietly go get "$path/$module@$version"
	if [ -e "$tests/${module}_test.go" ]; then
		cp "$tests/user_test.go" "$tests/${module}_test.go" .
		quietly go mod tidy
		go test -count=1 .
	elif [[ $module == cmd/* ]]; then
		GOBIN=$work/bin quietly go install "$path/$module@$version"
	else
		quietly go build "$path/$module/..."
	fi
	diff <(grep -v '// indirect' "$clone/$module/go.mod" | grep -oE "$frameworks" | sort) <(go list -m -f '{{.Path}}' all | grep -xE "$frameworks" | sort) ||
		fail "a user of $module has another framework than the one that its go.mod requires"
done

echo "== programs of the documentation"
cd "$clone"
git ls-files -z '*.md' | xargs -0 awk -v dir=examples/documented '
	/^```/ { file = "" }
	before == "```go" && $0 == "package main" { folder = dir "/program" ++n; system("mkdir -p " folder); file = folder "/main.go"; print "//line " FILENAME ":" FNR > file }
	file { print > file }
	{ before = $0 }'
cd examples
quietly go vet -mod=mod ./documented/...
