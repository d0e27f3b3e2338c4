package rules

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// released are the modules that users download. The others are this
// repository's own.
var released = []string{"core", "echoaccess", "fiberaccess", "ginaccess", "stdaccess"}

// A module that go.work doesn't name is skipped by "go test work" in silence.
func TestWorkspaceNamesEveryModule(t *testing.T) {
	work, err := modfile.ParseWork("go.work", read(t, "go.work"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, use := range work.Use {
		named = append(named, strings.TrimPrefix(use.Path, "./"))
	}
	slices.Sort(named)
	if want := slices.Sorted(maps.Keys(modules(t))); !slices.Equal(named, want) {
		t.Errorf("go.work names %q, the repository has %q", named, want)
	}
}

// An adapter that these lists don't know is held to no rule.
func TestEveryAdapterIsKnown(t *testing.T) {
	for folder := range modules(t) {
		_, hasRow := mayImport[folder]
		if strings.HasSuffix(folder, "access") && (!hasRow || !slices.Contains(released, folder)) {
			t.Errorf("%s is missing from released, or from mayImport", folder)
		}
	}
}

// A module's path is its folder below core's parent, or go get finds nothing.
func TestModulePathsAreFolders(t *testing.T) {
	all := modules(t)
	base := strings.TrimSuffix(all["core"].Module.Mod.Path, "core")
	for folder, module := range all {
		if got, want := module.Module.Mod.Path, base+folder; got != want {
			t.Errorf("%s/go.mod: module %s, want %s", folder, got, want)
		}
	}
}

// Modules are released together. Between releases each is built with the others
// as they are here: for that, each require of one has its replace.
func TestModulesRequireEachOtherAlike(t *testing.T) {
	all := modules(t)
	base := strings.TrimSuffix(all["core"].Module.Mod.Path, "core")
	versions := map[string]bool{}
	for folder, module := range all {
		replaced := map[string]string{}
		for _, replace := range module.Replace {
			replaced[replace.Old.Path] = replace.New.Path
		}
		for _, require := range module.Require {
			other, ours := strings.CutPrefix(require.Mod.Path, base)
			if !ours {
				continue
			}
			versions[require.Mod.Version] = true
			want, err := filepath.Rel(folder, other)
			if err != nil {
				t.Fatal(err)
			}
			if want = filepath.ToSlash(want); replaced[require.Mod.Path] != want {
				t.Errorf("%s/go.mod replaces %s with %q, want %q", folder, require.Mod.Path, replaced[require.Mod.Path], want)
			}
			if slices.Contains(released, folder) && !slices.Contains(released, other) {
				t.Errorf("%s/go.mod requires %s, which isn't released", folder, other)
			}
		}
	}
	if len(versions) != 1 {
		t.Errorf("modules require different versions of each other: %q", slices.Sorted(maps.Keys(versions)))
	}
}

// The oldest Go that is supported decides who can use a module.
func TestModulesNeedNoNewerGo(t *testing.T) {
	for folder, module := range modules(t) {
		if slices.Contains(released, folder) && module.Go.Version != "1.25.0" {
			t.Errorf("%s/go.mod: go %s, want 1.25.0", folder, module.Go.Version)
		}
		if module.Toolchain != nil {
			t.Errorf("%s/go.mod names a toolchain", folder)
		}
	}
}

// A module that dependabot doesn't know keeps its holes.
func TestDependabotKnowsEveryModule(t *testing.T) {
	config := string(read(t, ".github/dependabot.yml"))
	for folder := range modules(t) {
		if !strings.Contains(config, "\n      - /"+folder+"\n") {
			t.Errorf(".github/dependabot.yml doesn't name /%s", folder)
		}
	}
}
