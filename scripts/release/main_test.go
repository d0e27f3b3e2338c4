package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets the tests run in a hook of git.
func TestMain(m *testing.M) {
	if err := leaveHook(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// newCopy returns a copy of this repository, to do anything with.
func newCopy(t *testing.T) *repository {
	t.Helper()
	_, err := os.Stat("../../.git")
	if err == nil {
		_, err = execute(t.Context(), "../..", nil, "git", "rev-parse", "--git-dir")
	}
	if err != nil {
		t.Skip("no git repository, or none that git reads: ", err)
	}
	this, err := open(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	copied, err := clone(t.Context(), this, filepath.Join(t.TempDir(), "copy"))
	if err != nil {
		t.Fatal(err)
	}
	return copied
}

// reopened returns the repository as it is after a change.
func reopened(t *testing.T, r *repository) *repository {
	t.Helper()
	r, err := open(t.Context(), r.root)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// write writes a file of the repository and commits it.
func write(t *testing.T, r *repository, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.root, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := r.git(t.Context(), "add", name); err != nil {
		t.Fatal(err)
	}
	if err := r.commit(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

// changes returns the names of the files that differ from the last commit.
func changes(t *testing.T, r *repository) []string {
	t.Helper()
	list, err := r.git(t.Context(), "status", "--porcelain")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(list) {
		names = append(names, strings.TrimSpace(line[3:]))
	}
	return names
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want none", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v, want %q", err, want)
	}
}

// Whatever is refused leaves the tree as it was.
func TestRefusals(t *testing.T) {
	r := newCopy(t)
	if err := r.tag(t.Context(), "core", "v1.90.0"); err != nil {
		t.Fatal(err)
	}
	if err := r.tag(t.Context(), "ginaccess", "v1.91.0"); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no command":             {nil, "which command?"},
		"unknown command":        {[]string{"push", "v1.92.0"}, "unknown command"},
		"no version":             {[]string{"prepare"}, "one argument is wanted, as in: scripts/release.sh v"},
		"two versions":           {[]string{"prepare", "v1.92.0", "v1.93.0"}, "one argument is wanted, as in: scripts/release.sh v"},
		"an old version":         {[]string{"prepare", "v1.89.0"}, "not newer than v1.90.0"},
		"an adapter has it":      {[]string{"prepare", "v1.91.0"}, "a tag ginaccess/v1.91.0"},
		"requires: no v":         {[]string{"requires", "1.92.0"}, "no v in front"},
		"requires: the same":     {[]string{"requires", "v1.90.0"}, "not newer than v1.90.0"},
		"rehearse: no adapter":   {[]string{"rehearse", "core"}, "not all of these are adapters"},
		"move: the same path":    {[]string{"move", r.prefix}, "already"},
		"move: a URL":            {[]string{"move", "https://example.org/a"}, "can't begin a module path"},
		"move: a slash too many": {[]string{"move", "example.org/a/"}, "can't begin a module path"},
		"move: no host":          {[]string{"move", "some/where"}, "can't begin a module path"},
		"move: two words":        {[]string{"move", "example.org/some where"}, "can't begin a module path"},
		"move: nothing":          {[]string{"move", ""}, "can't begin a module path"},
	} {
		t.Run(name, func(t *testing.T) {
			checkError(t, run(t.Context(), r.root, test.args, io.Discard), test.want)
			if changed := changes(t, r); len(changed) > 0 {
				t.Errorf("changed %v", changed)
			}
		})
	}
	t.Run("uncommitted changes", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(r.root, "new"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"prepare", "v1.92.0"}, {"move", "example.org/a"}} {
			checkError(t, run(t.Context(), r.root, args, io.Discard), "uncommitted changes")
		}
		if changed := changes(t, r); len(changed) != 1 {
			t.Errorf("changed %v, want new alone", changed)
		}
	})
}
