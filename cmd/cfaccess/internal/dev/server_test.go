package dev

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
)

func TestRestartKeepsSessions(t *testing.T) {
	o := Options{Addr: freeAddr(t), State: filepath.Join(t.TempDir(), "new", "state.pem")}
	first := start(t, o, everything)
	token := first.login(0, "email", "ada@example.com")
	first.stop()
	if info, err := os.Stat(o.State); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("state file: %v, %v", info.Mode(), err)
	}

	second := start(t, o, everything)
	if response, body := second.get("/", core.TokenHeader, token); response.StatusCode != http.StatusOK {
		t.Errorf("the session: %s\n%s", response.Status, body)
	}
	if _, body := second.get("/cdn-cgi/access/get-identity", "Cookie", "CF_Authorization="+token); !strings.Contains(body, `"groups":["engineering",`) {
		t.Errorf("the identity: %s", body)
	}
	second.server.rotateKeys()
	kid := second.server.team.KeyID()
	second.stop()

	third := start(t, o, everything)
	if third.server.team.KeyID() != kid {
		t.Error("the rotated keys are lost")
	}
	if response, _ := third.get("/", core.TokenHeader, token); response.StatusCode != http.StatusOK {
		t.Errorf("the session after a rotation: %s", response.Status)
	}
	third.stop()
	for _, o.EndSessions = range []bool{true, false} { // the end lasts
		ending := start(t, o, everything)
		if response, _ := ending.get("/", core.TokenHeader, token); response.StatusCode != http.StatusFound {
			t.Errorf("--end-sessions=%t: %s", o.EndSessions, response.Status)
		}
		ending.stop()
	}
}

// A start that makes no keys writes none, so that it can't lose any.
func TestStateFileIsReplacedAsAWhole(t *testing.T) {
	o := Options{State: filepath.Join(t.TempDir(), "state.pem")}
	start(t, o, everything).stop()
	if err := os.Chmod(o.State, 0o644); err != nil {
		t.Fatal(err)
	}
	o.EndSessions = true
	start(t, o, everything).stop()
	if info, err := os.Stat(o.State); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("new keys in a state file that others could read: %v, %v", info.Mode(), err)
	}

	before, _ := os.ReadFile(o.State)
	if err := os.Mkdir(o.State+".new", 0o700); err != nil { // so no file can be written
		t.Fatal(err)
	}
	again := o
	again.Addr, again.Upstream, again.Logger = "127.0.0.1:0", "http://127.0.0.1:3000", slog.New(slog.DiscardHandler)
	if _, err := New(again); err == nil {
		t.Error("new keys that can't be kept: no error")
	}
	if after, err := os.ReadFile(o.State); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the keys are lost: %q, %v", after, err)
	}
	o.EndSessions = false
	start(t, o, everything).stop()
}

func TestBadStateFiles(t *testing.T) {
	for name, content := range map[string]string{
		"no PEM":        "{}",
		"half of a key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"another block": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		t.Run(name, func(t *testing.T) {
			o := flags
			o.Addr, o.Upstream, o.State, o.Logger = "127.0.0.1:0", "http://127.0.0.1:3000", filepath.Join(t.TempDir(), "state.pem"), slog.New(slog.DiscardHandler)
			write(t, o.State, content)
			if _, err := New(o); err == nil || !strings.Contains(err.Error(), o.State) {
				t.Errorf("got %v, want an error with %s", err, o.State)
			}
			if now, err := os.ReadFile(o.State); err != nil || string(now) != content {
				t.Errorf("the file is now %q, %v", now, err)
			}
		})
	}
}

func TestBadStarts(t *testing.T) {
	busy := start(t, Options{}, "").server.listeners["127.0.0.1:0"].Addr().String()
	folder := t.TempDir()
	for name, test := range map[string]struct {
		o    Options
		want error
	}{
		"the address is in use":    {Options{Addr: busy, Upstream: "http://127.0.0.1:3000"}, nil},
		"the upstream is no URL":   {Options{Addr: "127.0.0.1:0", Upstream: "127.0.0.1:3000"}, nil},
		"the address is a socket":  {Options{Addr: "unix:/x", Upstream: "http://127.0.0.1:3000"}, nil},
		"the state file can't be":  {Options{Addr: "127.0.0.1:0", Upstream: "http://127.0.0.1:3000", State: filepath.Join(folder, "file", "state.pem")}, nil},
		"an AUD tag with space":    {Options{Addr: "127.0.0.1:0", Upstream: "http://127.0.0.1:3000", Config: filepath.Join(folder, "dev.yaml"), State: filepath.Join(folder, "state.pem")}, nil},
		"the configuration is bad": {Options{Addr: "127.0.0.1:0", Config: "missing.yaml"}, fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, filepath.Join(folder, "file"), "")
			write(t, filepath.Join(folder, "dev.yaml"), "applications: [{audience: '"+audience+" '}]")
			test.o.Logger = slog.New(slog.DiscardHandler)
			if _, err := New(test.o); err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestCertsFail(t *testing.T) {
	r := start(t, Options{FailCerts: true}, "")
	status := func() int {
		response, _ := r.get("/cdn-cgi/access/certs")
		return response.StatusCode
	}
	if got := status(); got != 503 {
		t.Errorf("certs: %d, want 503", got)
	}
	r.server.rotateKeys()
	r.login(0, "email", "ada@example.com")
	if response, _ := r.get("/"); response.StatusCode != http.StatusOK {
		t.Errorf("the proxy itself: %s", response.Status)
	}
	for _, want := range []int{200, 503} {
		r.server.toggleCerts()
		if got := status(); got != want {
			t.Errorf("certs after a toggle: %d, want %d", got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	admin := freeAddr(t)
	r := start(t, Options{}, `
applications:
  - {name: shop, upstream: "UPSTREAM", host: shop.localhost, audience: `+audience+`}
  - {name: admin, upstream: "UPSTREAM", addr: "`+admin+`"}
`)
	var got bytes.Buffer
	r.server.WriteEnvironment(&got)
	port := portOf(r.server.listeners["127.0.0.1:0"].Addr().String())
	upstream := r.server.Applications[0].Upstream
	want := fmt.Sprintf(`# shop at %s: open http://shop.localhost:%s
TEAM_DOMAIN=http://127.0.0.1:%[2]s
POLICY_AUD=%s
# admin at %[1]s: open http://%[4]s
TEAM_DOMAIN=http://127.0.0.1:%[2]s
POLICY_AUD=%[5]s
`, upstream, port, audience, admin, r.server.Applications[1].Audience)
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

// The flag's own warning is in its name; the Host may then be any address.
func TestOtherAddresses(t *testing.T) {
	r := start(t, Options{Addr: "0.0.0.0:0", Insecure: true}, "")
	if url := r.app(0); !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Errorf("the issuer is %s", url)
	}
	for host, status := range map[string]int{"192.0.2.1": 302, "evil.example": 421} {
		if response, _ := r.get("/", "Host", host); response.StatusCode != status {
			t.Errorf("%s: %s, want %d", host, response.Status, status)
		}
	}
}
