#!/usr/bin/env bash
# Makes every module require a version of the others, in their go.mod files:
#
#	scripts/require.sh v0.2.0
#
# It is a step of a release. A change that uses a new name of core elsewhere needs
# it too: the other module then requires the next version of core.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?which version? as in: scripts/require.sh v0.2.0}

git ls-files '*go.mod' | xargs grep -oE 'github\.com/cfaccess/cfaccess/\S+ v\S+' /dev/null |
	while IFS=': ' read -r file sibling _; do
		go mod edit -require="$sibling@$version" "$file"
	done
