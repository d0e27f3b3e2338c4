package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
)

// programs is the folder of the throw-away user: user.go for all adapters, and
// a file for each with what differs.
const programs = "scripts/release/testdata"

// patience is how long the user may take for two requests.
const patience = 30 * time.Second

// use makes a program with the adapter, outside the repository, and runs it. It
// returns how many modules that program has.
func (s *rehearsal) use(ctx context.Context, m goModule) (graph int, err error) {
	dir := filepath.Join(s.dir, "user-of-"+m.folder)
	if err := s.writeUser(dir, m); err != nil {
		return 0, err
	}
	if _, err := execute(ctx, dir, s.goEnv, s.goTool, "mod", "tidy"); err != nil {
		return 0, err
	}
	list, err := execute(ctx, dir, s.goEnv, s.goTool, "list", "-m", "-f", "{{.Path}}", "all")
	if err != nil {
		return 0, err
	}
	modules := strings.Fields(list)
	if err := s.checkStrangers(m, modules); err != nil {
		return 0, err
	}
	binary := filepath.Join(dir, "user")
	if _, err := execute(ctx, dir, s.goEnv, s.goTool, "build", "-o", binary, "."); err != nil {
		return 0, err
	}
	if err := s.checkVersions(m, binary); err != nil {
		return 0, err
	}
	if _, err := execute(ctx, dir, s.goEnv, s.goTool, "build", "-o", os.DevNull, "./readme"); err != nil {
		return 0, fmt.Errorf("the README's program: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err = execute(ctx, dir, nil, binary)
	return len(modules) - 1, err // without the user's own
}

// writeUser writes the program and the README's beside it, its go.mod, and a go.sum with the adapter's
// sums of everybody else's modules: no checksum database is asked for them.
func (s *rehearsal) writeUser(dir string, m goModule) error {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	gosum, err := os.ReadFile(filepath.Join(s.copied.root, m.folder, "go.sum"))
	if err != nil {
		return err
	}
	shared, err := os.ReadFile(filepath.Join(s.copied.root, programs, "user.go"))
	if err != nil {
		return err
	}
	own, err := os.ReadFile(filepath.Join(s.copied.root, programs, m.folder+".go"))
	if err != nil {
		return fmt.Errorf("no throw-away user is written for it: %w", err)
	}
	gomod := fmt.Sprintf("module user.example\n\ngo %s\n\nrequire %s %s\n", m.file.Go.Version, m.path(), s.version)
	for name, text := range map[string][]byte{
		"go.mod": []byte(gomod), "go.sum": gosum, "user.go": shared, m.folder + ".go": own,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	return s.writeReadmeProgram(dir, m)
}

// checkStrangers returns an error if modules has another adapter, or a
// framework that only other adapters require.
func (s *rehearsal) checkStrangers(m goModule, modules []string) error {
	strangers := make(map[string]string)
	for _, other := range s.copied.modules {
		if !other.adapter() || other.folder == m.folder {
			continue
		}
		strangers[other.path()] = other.folder
		for _, require := range other.file.Require {
			if !require.Indirect {
				strangers[require.Mod.Path] = other.folder
			}
		}
	}
	for _, require := range m.file.Require {
		if !require.Indirect {
			delete(strangers, require.Mod.Path)
		}
	}
	for _, path := range modules {
		if folder, found := strangers[path]; found {
			return fmt.Errorf("has %s among its modules, which belongs to %s", path, folder)
		}
	}
	return nil
}

// checkVersions returns an error unless the binary has the adapter and what the
// adapter requires of ours, in just these versions.
func (s *rehearsal) checkVersions(m goModule, binary string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	built := make(map[module.Version]bool)
	for _, dep := range info.Deps {
		if dep.Replace == nil {
			built[module.Version{Path: dep.Path, Version: dep.Version}] = true
		}
	}
	for _, want := range append(s.copied.requires(m), module.Version{Path: m.path(), Version: s.version}) {
		if !built[want] {
			return fmt.Errorf("was not built with %s", want)
		}
	}
	return nil
}
