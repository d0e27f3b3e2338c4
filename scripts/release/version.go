package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// checkVersion returns an error if no release can be called version. Tagged are
// core's versions, the oldest first.
func checkVersion(version string, tagged []string) error {
	switch {
	case semver.IsValid("v" + version):
		return fmt.Errorf("%q has no v in front: v%[1]s", version)
	case !semver.IsValid(version) || semver.Canonical(version) != version: // v1.2, v1.2.3+build
		return fmt.Errorf("%q is not a version of the form v1.2.3 or v1.2.3-rc.1", version)
	case module.IsPseudoVersion(version):
		return fmt.Errorf("%s is a pseudo-version, which is not for tags", version)
	case semver.Compare(semver.Major(version), "v2") >= 0:
		return fmt.Errorf("%s: from v2 on a module's path has to end in /%s, which is more than a release: it changes every import", version, semver.Major(version))
	}
	if len(tagged) == 0 {
		return nil
	}
	if last := tagged[len(tagged)-1]; semver.Compare(version, last) <= 0 {
		return fmt.Errorf("%s is not newer than %s, the last tag of core; a tag is never moved", version, last)
	}
	return nil
}

// versionOfTree returns the version under which a rehearsal publishes the tree:
// the one that the go.mod files ask for and that has no tag yet, otherwise one
// just above the last.
func versionOfTree(r *repository, tags map[string][]string) (string, error) {
	next := ""
	for _, m := range r.released() {
		for _, require := range r.requires(m) {
			folder, _ := r.folderOf(require.Path)
			tagged := tags[folder]
			if slices.Contains(tagged, require.Version) {
				continue
			}
			if err := checkVersion(require.Version, tagged); err != nil {
				return "", fmt.Errorf("%s requires %s %s, which has no tag and can't get one: %w", m.folder, folder, require.Version, err)
			}
			if next != "" && next != require.Version {
				return "", fmt.Errorf("%s requires %s %s, another module %s: all modules get one version, and neither has a tag", m.folder, folder, require.Version, next)
			}
			next = require.Version
		}
	}
	if next != "" {
		return next, nil
	}
	tagged := tags["core"]
	if len(tagged) == 0 {
		return "", errors.New("no module requires core")
	}
	last := strings.TrimSuffix(tagged[len(tagged)-1], semver.Prerelease(tagged[len(tagged)-1]))
	var major, minor, patch int
	if _, err := fmt.Sscanf(last, "v%d.%d.%d", &major, &minor, &patch); err != nil {
		return "", fmt.Errorf("the tag core/%s: %w", last, err)
	}
	return fmt.Sprintf("v%d.%d.%d-rehearsal", major, minor, patch+1), nil
}
