package caddyaccess_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cfaccess/cfaccess/caddyaccess"
	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// reloadable returns a configuration at that address, with these directives.
func reloadable(t *testing.T, team *accesstest.Team, address, directives string) object {
	t.Helper()
	apps, _, err := adapt(":80 {\n" + directives + "\n}")
	if err != nil {
		t.Fatal(err)
	}
	localize(t, apps, team, "")
	for _, server := range apps["http"].(object)["servers"].(object) {
		server.(object)["listen"] = []string{address}
	}
	return apps
}

// No answer during reloads is a refusal, and the keys are fetched once. Caddy itself
// may close a connection before it reads a request. A client sends it again.
func TestReloadUnderLoad(t *testing.T) {
	team, address := newTeam(t), freeAddress(t)
	apps := reloadable(t, team, address, access()+"respond passed")
	if err := run(t, apps); err != nil {
		t.Fatal(err)
	}
	token := team.SignUser(audience, "ada@example.com")
	var answered atomic.Int64
	var clients sync.WaitGroup
	reloaded := make(chan struct{})
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-reloaded:
					return
				default:
				}
				switch status, body, err := try(t, "http://"+address, core.TokenHeader, token); {
				case err != nil:
				case status != http.StatusOK || body != "passed":
					t.Errorf("got %d %q", status, body)
				default:
					answered.Add(1)
				}
			}
		})
	}
	for n := range 10 {
		for before := answered.Load(); answered.Load() < before+50 && !t.Failed(); {
			runtime.Gosched() // the next reload comes after some requests
		}
		if err := caddy.Load(whole(t, apps), true); err != nil {
			t.Errorf("reload %d: %v", n, err)
		}
	}
	close(reloaded)
	clients.Wait()
	if fetches := team.Fetches(); fetches != 1 {
		t.Errorf("the keys were fetched %d times, want once", fetches)
	}
}

// A request that a reload overtakes goes on with what it began with.
func TestReloadDuringRequest(t *testing.T) {
	team, address := newTeam(t), freeAddress(t)
	team.SetGroups("ada@example.com", "engineering")
	entered, leave := make(chan struct{}), make(chan struct{})
	goHandlers.Store(t.Name(), middleware(func(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
		close(entered)
		<-leave
		groups, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).GetString("http.auth.user.groups")
		_, err := fmt.Fprint(w, groups)
		return err
	}))
	apps := reloadable(t, team, address, access()+"respond replaced")
	handlers := apps["http"].(object)["servers"].(object)["srv0"].(object)["routes"].([]any)[0].(object)["handle"].([]any)
	if err := run(t, apps); err != nil {
		t.Fatal(err)
	}
	handlers[1] = object{"handler": "go_test", "name": t.Name()}
	if err := caddy.Load(whole(t, apps), true); err != nil {
		t.Fatal(err)
	}
	var client sync.WaitGroup
	client.Go(func() {
		answers(t, "200 engineering", "http://"+address, core.TokenHeader, team.SignUser(audience, "ada@example.com"))
	})
	<-entered
	if err := caddy.Load(whole(t, reloadable(t, team, address, "respond unprotected")), true); err != nil {
		t.Error(err)
	}
	if n := caddyaccess.Pooled(); n != 0 {
		t.Errorf("%d handlers have a verifier, and no configuration has a handler", n)
	}
	close(leave)
	client.Wait()
}

// The verifier goes with the last configuration that needs it, and stays when a
// reload fails.
func TestReloadReleasesVerifiers(t *testing.T) {
	team, address := newTeam(t), freeAddress(t)
	token := team.SignUser(audience, "ada@example.com")
	two := access() + "handle_path /b/* {\n" + access("allow_domains example.com") + "}\nrespond passed"
	if err := run(t, reloadable(t, team, address, two)); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		directives string
		loads      bool
		handlers   int
	}{
		"the same":                    {two, true, 2},
		"fails in the second handler": {access() + "handle_path /b/* {\n" + access("skip healthz") + "}\nrespond passed", false, 2},
		"fails elsewhere":             {two + "\n@x path_regexp (\nrespond @x x", false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			err := caddy.Load(whole(t, reloadable(t, team, address, test.directives)), true)
			if (err == nil) != test.loads {
				t.Errorf("got %v", err)
			}
			if n := caddyaccess.Pooled(); n != test.handlers {
				t.Errorf("%d handlers have a verifier, want %d", n, test.handlers)
			}
			answers(t, "200 passed", "http://"+address+"/b/", core.TokenHeader, token)
		})
	}
	if fetches := team.Fetches(); fetches != 1 {
		t.Errorf("the keys were fetched %d times, want once: both handlers have the same verifier", fetches)
	}
	if err := caddy.Load(whole(t, reloadable(t, team, address, access("audience "+other)+"respond passed")), true); err != nil {
		t.Fatal(err)
	}
	if n := caddyaccess.Pooled(); n != 1 {
		t.Errorf("%d handlers have a verifier, want 1", n)
	}
	answers(t, "200 passed", "http://"+address, core.TokenHeader, team.SignUser(other, "ada@example.com"))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if n := caddyaccess.Pooled(); n != 0 {
		t.Errorf("%d handlers have a verifier after the end", n)
	}
}

// A verifier that outlives its configuration writes to the log of the newest one,
// at its level, and never a token.
func TestReloadChangesTheLog(t *testing.T) {
	team, address, folder := newTeam(t), freeAddress(t), t.TempDir()
	load := func(name, level string) (file string) {
		t.Helper()
		file = filepath.Join(folder, name)
		config := unmarshal(t, string(whole(t, reloadable(t, team, address, access()+"respond passed"))))
		config["logging"] = object{"logs": object{
			"default": object{"writer": object{"output": "discard"}},
			"access": object{
				"writer": object{"output": "file", "filename": file}, "level": level,
				"include": []string{"http.handlers.cloudflare_access"},
			},
		}}
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := caddy.Load(text, true); err != nil {
			t.Fatal(err)
		}
		return file
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	forged := team.SignUser(audience, "ada@example.com", accesstest.SignedByStranger())
	logged := func(file string) string {
		content, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(content)
	}
	first := load("first", "INFO")
	answers(t, "401 token_invalid", "http://"+address, core.TokenHeader, forged)
	if text := logged(first); strings.Contains(text, "refused") {
		t.Errorf("at INFO, a refusal is logged: %s", text)
	}
	before := logged(first)
	second := load("second", "DEBUG")
	answers(t, "401 token_invalid", "http://"+address, core.TokenHeader, forged)
	text := logged(second)
	if !strings.Contains(text, "cfaccess: refused") || !strings.Contains(text, `"logger":"http.handlers.cloudflare_access"`) {
		t.Errorf("at DEBUG, a refusal is not logged: %s", text)
	}
	if strings.Contains(text, forged[len(forged)-40:]) {
		t.Error("the token is logged")
	}
	if after := logged(first); after != before {
		t.Errorf("the old log got more: %s", strings.TrimPrefix(after, before))
	}
}
