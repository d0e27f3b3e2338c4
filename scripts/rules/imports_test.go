package rules

import (
	"slices"
	"strings"
	"testing"
)

// Who may import what, besides the standard library and packages of its own
// folder. What holds of a folder holds below it, unless that has a row too.
var mayImport = map[string]struct {
	code, tests []string // prefixes of import paths
}{
	"core":                        {code: []string{"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/jwkset", "github.com/maypok86/otter/v2"}},
	"core/accesstest":             {tests: []string{"core"}},
	"core/accesstest/conformance": {code: []string{"core", "core/accesstest"}},
	"stdaccess":                   {code: []string{"core"}},
	"ginaccess":                   {code: []string{"core", "github.com/gin-gonic/gin"}},
	"echoaccess":                  {code: []string{"core", "github.com/labstack/echo/v4"}},
	"fiberaccess":                 {code: []string{"core", "github.com/gofiber/fiber/v2"}, tests: []string{"github.com/valyala/fasthttp"}},
}

// Arrows point one way: core knows no web framework and no adapter, an adapter
// knows core and its own framework, and accesstest doesn't know core, so that a
// mistake in one can't hide in the other.
func TestImports(t *testing.T) {
	base := strings.TrimSuffix(modules(t)["core"].Module.Mod.Path, "core")
	for folder, allowed := range mayImport {
		t.Run(folder, func(t *testing.T) {
			for _, source := range sources(t, folder) {
				if rowOf(source.path) != folder {
					continue
				}
				may := allowed.code
				if source.isTest {
					may = append(slices.Clone(may), allowed.tests...)
					may = append(may, "core/accesstest")
				}
				for _, path := range source.imports {
					if isStandard(path) {
						continue
					}
					path = strings.TrimPrefix(path, base)
					if within(path, folder) && rowOf(path+"/") == folder {
						continue
					}
					if !slices.ContainsFunc(may, func(prefix string) bool { return permits(prefix, path) }) {
						t.Errorf("%s imports %s", source.path, path)
					}
				}
			}
		})
	}
}

// rowOf returns the longest folder of mayImport that path is in.
func rowOf(path string) (row string) {
	for folder := range mayImport {
		if strings.HasPrefix(path, folder+"/") && len(folder) > len(row) {
			row = folder
		}
	}
	return row
}

// isStandard reports whether path is of the standard library: no domain comes
// first.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// permits reports whether a prefix covers path. core stands for the one package.
func permits(prefix, path string) bool {
	if prefix == "core" {
		return path == "core"
	}
	return within(path, prefix)
}
