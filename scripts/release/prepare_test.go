package main

import (
	"bytes"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var day = time.Date(2025, 1, 2, 23, 0, 0, 0, time.FixedZone("", -3600))

func TestPrepare(t *testing.T) {
	r := newCopy(t)
	write(t, r, changelogName, "# Changelog\n\n## Unreleased\n\n- `core`: something.\n")
	if err := prepare(t.Context(), r, "v1.99.0", day, io.Discard); err != nil {
		t.Fatal(err)
	}
	changed := changes(t, r)
	for _, name := range changed {
		if base := path.Base(name); base != "go.mod" && base != changelogName {
			t.Errorf("changed %s", name)
		}
	}
	r = reopened(t, r)
	for _, m := range r.modules {
		for _, require := range r.requires(m) {
			if require.Version != "v1.99.0" {
				t.Errorf("%s requires %v", m.folder, require)
			}
		}
		if _, err := r.proveRequires(t.Context(), m, "v1.99.1"); m.adapter() && err == nil {
			t.Errorf("%s is proven to require what it doesn't", m.folder)
		}
	}
	got, err := os.ReadFile(filepath.Join(r.root, changelogName))
	if err != nil {
		t.Fatal(err)
	}
	want := "# Changelog\n\n## Unreleased\n\n## v1.99.0 - 2025-01-03\n\n- `core`: something.\n"
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}

	var out bytes.Buffer
	if err := printCommands(r, "v1.99.0", &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"git commit", "git tag core/v1.99.0\n", "git tag ginaccess/v1.99.0\n", " stdaccess/v1.99.0\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not among the commands:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "examples/") || strings.Contains(out.String(), "scripts/") {
		t.Errorf("tags what nobody imports:\n%s", &out)
	}
}

func TestCut(t *testing.T) {
	const old = "## v0.1.0 - 2024-12-31\n\n- the beginning\n"
	for name, test := range map[string]struct {
		text string
		want string // what the text becomes
		err  string
	}{
		"the first":           {"## Unreleased\n\n### Added\n\n- it\n", "## Unreleased\n\n## v0.2.0 - 2025-01-03\n\n### Added\n\n- it\n", ""},
		"the second":          {"## Unreleased\n\n- more\n\n" + old, "## Unreleased\n\n## v0.2.0 - 2025-01-03\n\n- more\n\n" + old, ""},
		"nothing new":         {"## Unreleased\n\n" + old, "", "says of nothing"},
		"nothing but a title": {"## Unreleased\n\n### Added\n\n" + old, "", "says of nothing"},
		"no section":          {old, "", "has no line"},
		"there already":       {"## Unreleased\n\n- more\n\n## v0.2.0 - 2025-01-01\n", "", "already"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cut([]byte(test.text), "v0.2.0", day)
			checkError(t, err, test.err)
			if string(got) != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
