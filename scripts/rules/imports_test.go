package rules

import (
	"slices"
	"strings"
	"testing"
)

// What a folder may import besides the standard library and itself. A row holds
// for the folders below it that have no row of their own.
var mayImport = map[string]struct {
	code, tests []string // import paths, and what is below them; ours without the module prefix
}{
	"core": {code: []string{
		"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3", "github.com/MicahParks/jwkset",
		"github.com/go-json-experiment/json", "github.com/maypok86/otter/v2",
	}},
	"core/accesstest":             {tests: []string{"core"}},
	"core/accesstest/conformance": {code: []string{"core", "core/accesstest"}},
	"stdaccess":                   {code: []string{"core"}},
	"ginaccess":                   {code: []string{"core", "github.com/gin-gonic/gin"}},
	"echoaccess":                  {code: []string{"core", "github.com/labstack/echo/v4"}},
	"echo5access":                 {code: []string{"core", "github.com/labstack/echo/v5"}},
	"fiberaccess":                 {code: []string{"core", "github.com/gofiber/fiber/v2"}, tests: []string{"github.com/valyala/fasthttp"}},
	"fiber3access": {
		code:  []string{"core", "github.com/gofiber/fiber/v3", "github.com/gofiber/utils/v2"},
		tests: []string{"github.com/valyala/fasthttp"},
	},
	"otelaccess": {
		code:  []string{"core", "go.opentelemetry.io/otel", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/trace"},
		tests: []string{"go.opentelemetry.io/otel/sdk"},
	},
	"cmd/cfaccess": {
		code: []string{
			"core", "core/accesstest", "otelaccess", "github.com/spf13/cobra", "go.yaml.in/yaml/v3",
			"github.com/prometheus/client_golang", "go.opentelemetry.io/otel", "golang.org/x/sync/errgroup",
		},
		tests: []string{"github.com/chromedp/chromedp", "github.com/chromedp/cdproto", "github.com/coder/websocket"},
	},
	"caddyaccess": {code: []string{"core", "github.com/caddyserver/caddy/v2"}},
}

// core imports no web framework and no adapter. An adapter imports core and its
// own framework. accesstest doesn't import core, so that a mistake in one can't
// hide in the other.
func TestImports(t *testing.T) {
	for _, source := range sources(t) {
		folder := row(mayImport, source.path)
		if folder == "" {
			continue // nobody imports the examples and the scripts
		}
		may := mayImport[folder].code
		if source.isTest {
			may = slices.Concat(may, mayImport[folder].tests, []string{"core/accesstest"})
		}
		for _, path := range source.imports {
			if isStandard(path) {
				continue
			}
			path = strings.TrimPrefix(path, prefix)
			if row(mayImport, path+"/") == folder {
				continue
			}
			if !slices.ContainsFunc(may, func(allowed string) bool {
				// core allows only the package core: what is below it has a row.
				return path == allowed || allowed != "core" && strings.HasPrefix(path, allowed+"/")
			}) {
				t.Errorf("%s imports %s", source.path, path)
			}
		}
	}
}

// A module without a row may import everything.
func TestEveryReleasedModuleHasItsImports(t *testing.T) {
	for folder := range modules(t) {
		if _, ok := mayImport[folder]; released(folder) && !ok {
			t.Errorf("mayImport has no row for %s", folder)
		}
	}
}

// isStandard reports whether path is of the standard library: its first element
// is no domain.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
