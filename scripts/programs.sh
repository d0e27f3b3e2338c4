#!/usr/bin/env bash
# Tests what needs programs beyond Go: the command with a browser, proxies, and
# applications in other languages, and the example with Prometheus. First it
# installs the programs, where apt-get and npm can do that without a password. It
# names those that are still missing, and their tests are skipped. If none is
# missing, or CFACCESS_TOOLS=required is set, a test that is skipped for one fails.
# Takes about a minute without the installation. Other arguments are go test's.
#
#	scripts/programs.sh
#	scripts/programs.sh -v -run Dev
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS="-buildvcs=false -trimpath" GOWORK=
export PATH=$PATH:/usr/sbin # nginx on Debian
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cfaccess-tests
export NODE_PATH=$cache/node_modules

# has reports whether what a package brings is there.
has() {
	case $1 in
	chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
	nginx-light) command -v nginx ;;
	nodejs) command -v node ;;
	npm) command -v npm || has jose ;; # only jose needs it
	jose) [ -e "$NODE_PATH/jose/package.json" ] ;;
	python3-*) /usr/bin/python3 -c "import ${1#python3-}" ;;
	*) command -v "$1" ;;
	esac >/dev/null 2>&1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# install installs Debian packages, one by one, since not every release has them
# all. RUNLEVEL and the last lines see to it that no server is left running.
install() {
	local package
	as_root apt-get update
	for package; do
		[ "$package" != jose ] || continue
		as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install --yes --no-install-recommends "$package" || continue
		case ${package%-light} in
		nginx | caddy | prometheus)
			if [ -d /run/systemd/system ]; then
				as_root systemctl disable --now "${package%-light}"
			fi
			;;
		esac
	done
}

# missing prints which packages are missing, on one line.
missing() {
	local package
	for package in chromium nginx-light caddy prometheus python3-jwt python3-cryptography nodejs npm jose; do
		has "$package" || printf '%s ' "$package"
	done
}

read -ra wanted <<<"$(missing)"
if [ ${#wanted[@]} != 0 ]; then
	log=$(mktemp)
	echo "installing: ${wanted[*]}"
	if command -v apt-get >/dev/null; then
		install "${wanted[@]}" >"$log" 2>&1 </dev/null || true
	fi
	if ! has jose && has npm; then
		npm install --prefix "$cache" --ignore-scripts --no-audit --no-fund jose@6 >>"$log" 2>&1 || true
	fi
	still=$(missing)
	if [ -n "$still" ]; then
		tail -n 20 "$log"
		echo "MISSING, so tests are skipped: $still"
	fi
	rm "$log"
fi
if [ -z "$(missing)" ]; then
	export CFACCESS_TOOLS=required
fi
go test -count=1 "$@" ./cmd/cfaccess/... ./examples/std
