package caddyaccess_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/cfaccess/cfaccess/caddyaccess"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	audience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
	other    = "b0f1a2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f"
)

type object = map[string]any

func newTeam(t testing.TB) *accesstest.Team {
	team := accesstest.NewTeam("acme")
	t.Cleanup(team.Close)
	return team
}

// freeAddress returns a loopback address where nothing listens. Its port is none of
// those that a system gives to connections: another one could take it meanwhile.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10000+rand.IntN(20000)))
		if err == nil {
			listener.Close()
			return listener.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// whole returns a whole configuration of Caddy, as JSON, for its http app. Caddy
// leaves nothing behind outside the test's folder.
func whole(t testing.TB, apps object) []byte {
	t.Helper()
	if apps["tls"] == nil {
		apps["tls"] = object{}
	}
	apps["tls"].(object)["disable_storage_clean"] = true
	config, err := json.Marshal(object{
		"admin":   object{"disabled": true, "config": object{"persist": false}},
		"storage": object{"module": "file_system", "root": t.TempDir()},
		"logging": object{"logs": object{"default": object{"writer": object{"output": "discard"}}}},
		"apps":    apps,
	})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// adapt returns the apps and the logging of a Caddyfile, or Caddy's error.
func adapt(caddyfile string) (apps, logging object, err error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), object{"filename": "Caddyfile"})
	if err != nil {
		return nil, nil, err
	}
	var parsed struct{ Apps, Logging object }
	err = json.Unmarshal(config, &parsed)
	return parsed.Apps, parsed.Logging, err
}

// localize changes what can't be the same in a test: the addresses of the server, of
// Access and of the program behind Caddy. It returns the address of the server.
func localize(t testing.TB, apps object, team *accesstest.Team, upstream string) (address string) {
	t.Helper()
	address = freeAddress(t)
	for _, server := range apps["http"].(object)["servers"].(object) {
		server := server.(object)
		server["listen"] = []string{address}
		server["automatic_https"] = object{"disable": true}
	}
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case object:
			if value["handler"] == "cloudflare_access" {
				value["endpoint"] = team.URL
			}
			if _, ok := value["dial"]; ok {
				value["dial"] = upstream
			}
			for member := range maps.Values(value) {
				walk(member)
			}
		case []any:
			for _, element := range value {
				walk(element)
			}
		}
	}
	walk(apps)
	return address
}

// run starts Caddy with these apps, in place of those that run. It stops when t ends.
func run(t testing.TB, apps object) error {
	t.Helper()
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return caddy.Load(whole(t, apps), true)
}

// runBeside starts a Caddy with these apps beside others. It stops when t ends, but
// its modules aren't cleaned up: Caddy itself has one configuration at a time.
func runBeside(t testing.TB, apps object) error {
	t.Helper()
	var config caddy.Config
	if err := json.Unmarshal(whole(t, apps), &config); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		return err
	}
	app, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := app.(*caddyhttp.App).Stop(); err != nil {
			t.Error(err)
		}
	})
	return app.(*caddyhttp.App).Start()
}

// site runs a site that has these directives. What they dial is upstream.
func site(t testing.TB, team *accesstest.Team, upstream, directives string) (url string) {
	t.Helper()
	apps, _, err := adapt(":80 {\n" + directives + "\n}")
	if err != nil {
		t.Fatal(err)
	}
	address := localize(t, apps, team, upstream)
	if err := run(t, apps); err != nil {
		t.Fatal(err)
	}
	return "http://" + address
}

// get returns the status and the body of the answer to a request with these header
// fields, in pairs, which are sent as they are spelled. Those without a value aren't.
// It tries again without an answer: Caddy cuts connections to a listener that it has
// just replaced, with this handler and without.
func get(t testing.TB, url string, fields ...string) (status int, body string) {
	t.Helper()
	var err error
	for range 20 {
		if status, body, err = try(t, url, fields...); err == nil {
			return status, body
		}
	}
	t.Fatal(err)
	return 0, ""
}

// try is get for a request that may get no answer.
func try(t testing.TB, url string, fields ...string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	for i := 0; i < len(fields); i += 2 {
		switch name, value := fields[i], fields[i+1]; {
		case name == "Host":
			request.Host = value
		case value != "":
			request.Header[name] = append(request.Header[name], value)
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(content)), err
}

// answers fails t unless the answer is the wanted one: its status, and its body or
// the code of its problem document.
func answers(t testing.TB, want, url string, fields ...string) {
	t.Helper()
	status, body := get(t, url, fields...)
	var problem struct{ Code string }
	if json.Unmarshal([]byte(body), &problem) == nil {
		body = problem.Code
	}
	if got := fmt.Sprint(status, " ", body); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// goHandlers are handlers written in Go, by the names that a configuration gives them.
var goHandlers sync.Map

// goHandler is a module that puts a handler of goHandlers behind Caddy's own.
type goHandler struct {
	Name    string `json:"name"`
	handler caddyhttp.MiddlewareHandler
}

func init() { caddy.RegisterModule(new(goHandler)) }

func (*goHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.go_test", New: func() caddy.Module { return new(goHandler) }}
}

func (g *goHandler) Provision(caddy.Context) error {
	handler, _ := goHandlers.Load(g.Name)
	g.handler = handler.(caddyhttp.MiddlewareHandler)
	return nil
}

func (g *goHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return g.handler.ServeHTTP(w, r, next)
}

func unmarshal(t testing.TB, text string) (value object) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}
