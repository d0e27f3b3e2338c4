package main

import (
	"io"
	"os"
	"slices"
	"testing"
)

// An adapter that uses what core got after the version that its go.mod requires
// builds in the workspace, and not for anybody else.
func TestRehearseNewerName(t *testing.T) {
	t.Setenv("GOFLAGS", "-mod=mod") // a habit of some that has to make no difference
	t.Setenv("TMPDIR", t.TempDir())
	r := newCopy(t)
	for _, m := range r.modules {
		if m.folder != "stdaccess" {
			continue
		}
		version := r.requires(m)[0].Version
		tags, err := r.tags(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(tags["core"], version) {
			if err := r.tag(t.Context(), "core", version); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, r, "core/newer.go", "package core\n\n// Newer came after the tag.\nconst Newer = true\n")
	write(t, r, "stdaccess/newer.go", "package stdaccess\n\nimport \""+r.prefix+"/core\"\n\nconst newer = core.Newer\n")

	err := rehearse(t.Context(), reopened(t, r), []string{"stdaccess"}, io.Discard)
	checkError(t, err, "undefined: core.Newer")

	if err := raise(t.Context(), r, "v1.99.0", io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := rehearse(t.Context(), reopened(t, r), []string{"stdaccess"}, io.Discard); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("left %s behind", entry.Name())
	}
}

func TestStrangers(t *testing.T) {
	r := newCopy(t)
	s := &rehearsal{copied: r}
	for name, test := range map[string]struct {
		adapter string
		module  string
		want    string
	}{
		"its framework":             {"ginaccess", "github.com/gin-gonic/gin", ""},
		"its core":                  {"ginaccess", r.prefix + "/core", ""},
		"anything else":             {"ginaccess", "golang.org/x/net", ""},
		"another framework":         {"ginaccess", "github.com/labstack/echo/v4", "belongs to echoaccess"},
		"a framework with net/http": {"stdaccess", "github.com/gofiber/fiber/v2", "belongs to fiberaccess"},
		"another adapter":           {"ginaccess", r.prefix + "/stdaccess", "belongs to stdaccess"},
	} {
		t.Run(name, func(t *testing.T) {
			adapters, err := choose(r, []string{test.adapter})
			if err != nil {
				t.Fatal(err)
			}
			checkError(t, s.checkStrangers(adapters[0], []string{test.module}), test.want)
		})
	}
}
