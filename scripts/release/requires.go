package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/module"
)

// raise makes every module require version of the repository's other modules.
// That is a step of a release, and what a change needs whose adapter uses
// something that it adds to core.
func raise(ctx context.Context, r *repository, version string, out io.Writer) error {
	tags, err := r.tags(ctx)
	if err != nil {
		return err
	}
	if err := checkVersion(version, tags["core"]); err != nil {
		return err
	}
	return r.setRequires(ctx, version, out)
}

// setRequires edits the go.mod files, and proves that the go command sees the
// version in each of them.
func (r *repository) setRequires(ctx context.Context, version string, out io.Writer) error {
	for _, m := range r.modules {
		for _, require := range r.requires(m) {
			if err := m.file.AddRequire(require.Path, version); err != nil {
				return err
			}
		}
		if err := r.write(m); err != nil {
			return err
		}
	}
	for _, m := range r.modules {
		proven, err := r.proveRequires(ctx, m, version)
		if err != nil {
			return fmt.Errorf("%s/go.mod: %w", m.folder, err)
		}
		if proven > 0 {
			fmt.Fprintf(out, "%s/go.mod: %d of our modules at %s\n", m.folder, proven, version)
		}
	}
	return nil
}

// write writes m's go.mod.
func (r *repository) write(m goModule) error {
	m.file.Cleanup()
	text, err := m.file.Format()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.root, m.folder, "go.mod"), text, 0o666)
}

// proveRequires returns how many of the repository's other modules m requires
// in the file as it is now. It is an error if any isn't required at version, or
// if an adapter requires none.
func (r *repository) proveRequires(ctx context.Context, m goModule, version string) (int, error) {
	text, err := execute(ctx, filepath.Join(r.root, m.folder), []string{"GOWORK=off"}, "go", "mod", "edit", "-json")
	if err != nil {
		return 0, err
	}
	var file struct{ Require []module.Version }
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		return 0, err
	}
	proven := 0
	for _, require := range file.Require {
		if _, ok := r.folderOf(require.Path); !ok {
			continue
		}
		if require.Version != version {
			return 0, fmt.Errorf("still requires %s", require)
		}
		proven++
	}
	if proven == 0 && m.adapter() {
		return 0, errors.New("requires none of our modules")
	}
	if want := len(r.requires(m)); proven != want {
		return 0, fmt.Errorf("requires %d of our modules, before it was %d", proven, want)
	}
	return proven, nil
}
