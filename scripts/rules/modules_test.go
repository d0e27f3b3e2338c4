package rules

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// prefix is what the paths of all modules begin with; the folder follows.
const prefix = "github.com/cfaccess/cfaccess/"

// released reports whether users download the module in that folder. The others
// are this repository's own.
func released(folder string) bool { return folder != "examples" && folder != "scripts" }

// "go test work" skips a module that go.work doesn't name, without a message.
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

// Otherwise "go get" doesn't find the module.
func TestModulePathsAreFolders(t *testing.T) {
	for folder, module := range modules(t) {
		if got, want := module.Module.Mod.Path, prefix+folder; got != want {
			t.Errorf("%s/go.mod: module %s, want %s", folder, got, want)
		}
	}
}

// Modules are released together, so they require the same version of each other.
// Each require has a replace: between releases every module is built with the
// others as they are here.
func TestModulesRequireEachOtherAlike(t *testing.T) {
	versions := map[string]bool{}
	for folder, module := range modules(t) {
		replaced := map[string]string{}
		for _, replace := range module.Replace {
			replaced[replace.Old.Path] = replace.New.Path
		}
		for _, require := range module.Require {
			other, ours := strings.CutPrefix(require.Mod.Path, prefix)
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
			if released(folder) && !released(other) {
				t.Errorf("%s/go.mod requires %s, which isn't released", folder, other)
			}
		}
	}
	if len(versions) != 1 {
		t.Errorf("modules require different versions of each other: %q", slices.Sorted(maps.Keys(versions)))
	}
}

// The go directive decides who can use a module. "go mod tidy" may raise it.
func TestGoDirective(t *testing.T) {
	for folder, module := range modules(t) {
		if module.Go.Version != "1.26.0" {
			t.Errorf("%s/go.mod: go %s, want 1.26.0", folder, module.Go.Version)
		}
		if module.Toolchain != nil {
			t.Errorf("%s/go.mod names a toolchain", folder)
		}
	}
}

// Dependabot doesn't update a module that its configuration doesn't name.
func TestDependabotKnowsEveryModule(t *testing.T) {
	config := string(read(t, ".github/dependabot.yml"))
	var named []string
	for line := range strings.Lines(config) {
		if folder, ok := strings.CutPrefix(strings.TrimSpace(line), "- /"); ok {
			named = append(named, folder)
		}
	}
	slices.Sort(named)
	if want := slices.Sorted(maps.Keys(modules(t))); !slices.Equal(named, want) {
		t.Errorf(".github/dependabot.yml names %q, the repository has %q", named, want)
	}
}
