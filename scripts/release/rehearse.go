package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// A rehearsal is a release that only its own users see.
type rehearsal struct {
	dir     string      // everything is in it
	copied  *repository // with the tags, and without the replaces
	proxy   proxy
	version string   // of the tree
	goTool  string   // the go command, of the toolchain that the repository asks for
	goEnv   []string // with which go sees the rehearsal's modules, and everybody else's as ever
	out     io.Writer
}

// rehearse publishes the repository's modules to a proxy of files and uses them
// as strangers do. A module that has a tag already counts as published: an
// adapter is built against the core that its go.mod names. With no adapters
// named it tries all.
func rehearse(ctx context.Context, r *repository, adapters []string, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "rehearsal-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &rehearsal{dir: dir, proxy: proxy(filepath.Join(dir, "proxy")), out: out}
	if s.copied, err = clone(ctx, r, filepath.Join(dir, "repository")); err != nil {
		return err
	}
	chosen, err := choose(s.copied, adapters)
	if err != nil {
		return err
	}
	if err := s.setEnvironment(ctx); err != nil {
		return err
	}
	for _, m := range chosen {
		if err := s.fetchOthers(ctx, m); err != nil {
			return err
		}
	}
	if err := s.publish(ctx); err != nil {
		return err
	}
	for _, m := range chosen {
		if err := s.try(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// choose returns the adapters of those folders, all without any.
func choose(r *repository, folders []string) ([]goModule, error) {
	var chosen []goModule
	for _, m := range r.modules {
		if m.adapter() && (len(folders) == 0 || slices.Contains(folders, m.folder)) {
			chosen = append(chosen, m)
		}
	}
	if len(folders) > 0 && len(chosen) != len(folders) {
		return nil, fmt.Errorf("not all of these are adapters: %s", strings.Join(folders, " "))
	}
	return chosen, nil
}

// setEnvironment finds the go command and says how it gets modules.
func (s *rehearsal) setEnvironment(ctx context.Context) error {
	// In core's folder, so that a toolchain that its go line asks for is in the
	// ordinary module cache before the rehearsal has one of its own.
	settings, err := execute(ctx, filepath.Join(s.copied.root, "core"), []string{"GOWORK=off"}, "go", "env", "GOROOT", "GOMODCACHE", "GOPROXY", "GONOSUMDB")
	if err != nil {
		return err
	}
	lines := strings.Split(settings, "\n")
	goroot, cache, upstream, unchecked := lines[0], lines[1], lines[2], lines[3]
	s.goTool = filepath.Join(goroot, "bin", "go")
	s.goEnv = []string{
		"GOWORK=off",
		"GOTOOLCHAIN=local",
		// Its own, or versions that were never released would stay in the
		// ordinary one. That is a proxy here: everybody else's modules come
		// from it, and only what it lacks from where they always come.
		"GOMODCACHE=" + filepath.Join(s.dir, "modules"),
		"GOPROXY=" + strings.Join([]string{fileURL(string(s.proxy)), fileURL(filepath.Join(cache, "cache", "download")), upstream}, ","),
		"GONOPROXY=none", // ours too, whatever GOPRIVATE says
		"GONOSUMDB=" + strings.TrimSuffix(s.copied.prefix+","+unchecked, ","),
		// Writable, to be removed. With trimpath a package is the same one
		// wherever its module cache is: the build cache knows it from the last
		// rehearsal.
		"GOFLAGS=-modcacherw -trimpath -buildvcs=false",
	}
	return nil
}

func fileURL(path string) string { return "file://" + filepath.ToSlash(path) }

// fetchOthers gets what m needs of everybody else's modules into the ordinary
// module cache, where the next rehearsal finds it.
func (s *rehearsal) fetchOthers(ctx context.Context, m goModule) error {
	if _, err := execute(ctx, filepath.Join(s.copied.root, m.folder), []string{"GOWORK=off"}, s.goTool, "mod", "tidy", "-diff"); err != nil {
		return fmt.Errorf("%s: %w", m.folder, err)
	}
	return nil
}

// publish tags the tree, and serves it together with the versions that were
// released before and are still required.
func (s *rehearsal) publish(ctx context.Context) error {
	tags, err := s.copied.tags(ctx)
	if err != nil {
		return err
	}
	if s.version, err = versionOfTree(s.copied, tags); err != nil {
		return err
	}
	if err := s.dropReplaces(ctx); err != nil {
		return err
	}
	wanted := make(map[module.Version]bool)
	for _, m := range s.copied.released() {
		if err := s.copied.tag(ctx, m.folder, s.version); err != nil {
			return err
		}
		wanted[module.Version{Path: m.path(), Version: s.version}] = true
		for _, require := range s.copied.requires(m) {
			wanted[require] = true
		}
	}
	for m := range wanted {
		if err := s.proxy.publish(ctx, s.copied, m); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.out, "this tree is %s\n", s.version)
	return nil
}

// dropReplaces takes our own modules' replaces out of what is released: users
// never see them, and they hide which version an adapter really needs.
func (s *rehearsal) dropReplaces(ctx context.Context) error {
	for _, m := range s.copied.released() {
		for _, replace := range slices.Clone(m.file.Replace) {
			if _, ok := s.copied.folderOf(replace.Old.Path); !ok {
				continue
			}
			if err := m.file.DropReplace(replace.Old.Path, replace.Old.Version); err != nil {
				return err
			}
		}
		if err := s.copied.write(m); err != nil {
			return err
		}
	}
	if _, err := s.copied.git(ctx, "add", "--update"); err != nil {
		return err
	}
	return s.copied.commit(ctx, "drop the replaces")
}

// try builds an adapter with its tests against what its go.mod requires, and
// then a user of it.
func (s *rehearsal) try(ctx context.Context, m goModule) error {
	var needs []string
	for _, require := range s.copied.requires(m) {
		folder, _ := s.copied.folderOf(require.Path)
		needs = append(needs, folder+" "+require.Version)
	}
	against := strings.Join(needs, ", ")
	// The sum of a core that was not released is not in go.sum: -mod=mod adds it.
	if err := s.vet(ctx, m); err != nil {
		return fmt.Errorf("%s does not build with %s, which its go.mod requires; if it needs what was added since, scripts/release.sh -requires <next version> says so: %w", m.folder, against, err)
	}
	graph, err := s.use(ctx, m)
	if err != nil {
		return fmt.Errorf("a user of %s %s: %w", m.folder, s.version, err)
	}
	fmt.Fprintf(s.out, "%s: builds with %s; its user has %d modules, tidies, and answers 200 and 401; the README's program builds\n", m.folder, against, graph)
	return nil
}

func (s *rehearsal) vet(ctx context.Context, m goModule) error {
	_, err := execute(ctx, filepath.Join(s.copied.root, m.folder), s.goEnv, s.goTool, "vet", "-mod=mod", "./...")
	return err
}
