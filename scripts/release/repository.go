package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// A repository is this one, or a copy of it.
type repository struct {
	root    string
	prefix  string // what all module paths begin with: core is prefix + "/core"
	modules []goModule
}

// A goModule is a go.mod of the repository, as it was when the repository was
// opened.
type goModule struct {
	folder string // from the root, with slashes: "scripts/bench"
	file   *modfile.File
}

// open reads every go.mod of the repository at root that git knows of.
func open(ctx context.Context, root string) (*repository, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	r := &repository{root: root}
	names, err := r.git(ctx, "ls-files", "-z", "--", "go.mod", "*/go.mod")
	if err != nil {
		return nil, err
	}
	for name := range strings.FieldsFuncSeq(names, func(c rune) bool { return c == 0 }) {
		if strings.Contains(name, "testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		file, err := modfile.Parse(name, text, nil)
		if err != nil {
			return nil, err
		}
		m := goModule{path.Dir(name), file}
		if m.folder == "core" {
			r.prefix = strings.TrimSuffix(m.path(), "/core")
		}
		r.modules = append(r.modules, m)
	}
	if r.prefix == "" {
		return nil, fmt.Errorf("%s has no core/go.mod that git knows of", root)
	}
	for _, m := range r.modules {
		if want := r.prefix + "/" + m.folder; m.path() != want {
			return nil, fmt.Errorf("%s/go.mod says module %s, want %s", m.folder, m.path(), want)
		}
	}
	return r, nil
}

func (m goModule) path() string { return m.file.Module.Mod.Path }

// released says whether users get the module: not the examples and the scripts.
func (m goModule) released() bool { return !strings.Contains(m.folder, "/") && m.folder != "examples" }

// adapter says whether the module is core in a framework's dress.
func (m goModule) adapter() bool { return m.released() && m.folder != "core" }

// released returns the modules that users get, core first.
func (r *repository) released() []goModule {
	released := slices.DeleteFunc(slices.Clone(r.modules), func(m goModule) bool { return !m.released() })
	slices.SortStableFunc(released, func(a, b goModule) int {
		switch {
		case a.folder == b.folder:
			return 0
		case a.folder == "core":
			return -1
		case b.folder == "core":
			return 1
		}
		return strings.Compare(a.folder, b.folder)
	})
	return released
}

// folderOf returns the folder of a module path of ours, false for anybody else's.
func (r *repository) folderOf(path string) (string, bool) {
	return strings.CutPrefix(path, r.prefix+"/")
}

// requires returns what m requires of the repository's other modules.
func (r *repository) requires(m goModule) []module.Version {
	var ours []module.Version
	for _, require := range m.file.Require {
		if _, ok := r.folderOf(require.Mod.Path); ok {
			ours = append(ours, require.Mod)
		}
	}
	return ours
}

// tags returns the versions that are tagged, by folder, the oldest first.
func (r *repository) tags(ctx context.Context) (map[string][]string, error) {
	list, err := r.git(ctx, "tag", "--list")
	if err != nil {
		return nil, err
	}
	tags := make(map[string][]string)
	for tag := range strings.FieldsSeq(list) {
		if folder, version := path.Split(tag); semver.IsValid(version) {
			folder = strings.TrimSuffix(folder, "/")
			tags[folder] = append(tags[folder], version)
		}
	}
	for _, versions := range tags {
		semver.Sort(versions)
	}
	return tags, nil
}

// clean returns an error if the tree has anything that isn't committed.
func (r *repository) clean(ctx context.Context) error {
	changes, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changes == "" {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(changes, "\n"), "\n")
	if more := len(lines) - 5; more > 0 {
		lines = append(lines[:5], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("there are uncommitted changes, commit or stash them first:\n%s", strings.Join(lines, "\n"))
}

// git runs git in the repository.
func (r *repository) git(ctx context.Context, args ...string) (string, error) {
	return execute(ctx, r.root, nil, "git", args...)
}

// progress is what go says when nothing is wrong.
var progress = regexp.MustCompile(`(?m)^go: (downloading|finding) .*\n`)

// execute returns what a command prints; an error has what else it said. What
// is in env replaces this process's variables.
func execute(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	command.Env = append(os.Environ(), env...)
	// Not killed: go removes its temporary files then, as this program does.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		said := strings.TrimSpace(progress.ReplaceAllString(stderr.String(), "") + stdout.String())
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), errors.Join(context.Cause(ctx), err), said)
	}
	return stdout.String(), nil
}
