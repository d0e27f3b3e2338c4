package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A proxy is one way to put the gate in front of an application.
type proxy struct {
	name    string
	program string // that must be installed; empty if none

	keepsCookie bool // the application gets the token's cookie: see docs/gate.md

	// start starts the proxy with its recipe, the gate, and returns the address for
	// clients.
	start func(t *testing.T, s *site) (addr string)
}

var proxies = []proxy{
	{"gate", "", false, func(t *testing.T, s *site) string {
		addr, _ := startGate(t, s, "    upstream: "+s.app.URL+"\n")
		return addr
	}},
	{"nginx", "nginx", false, func(t *testing.T, s *site) string {
		gate, _ := startGate(t, s, "")
		return startNginx(t, s.app, gate)
	}},
	{"caddy", "caddy", false, func(t *testing.T, s *site) string {
		gate, _ := startGate(t, s, "")
		return startCaddy(t, s.app, gate)
	}},
	{"traefik", "traefik", true, func(t *testing.T, s *site) string {
		gate, _ := startGate(t, s, "")
		return startTraefik(t, s.app, gate)
	}},
	{"traefik's contract", "", true, func(t *testing.T, s *site) string {
		gate, _ := startGate(t, s, "")
		return startHandler(t, newTraefik(t, s.app, gate))
	}},
	{"envoy's contract", "", true, func(t *testing.T, s *site) string {
		gate, _ := startGate(t, s, "")
		return startHandler(t, newEnvoy(t, s.app, gate))
	}},
}

func startHandler(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func startNginx(t *testing.T, app *application, gate string) string {
	t.Helper()
	addr, directory := freeAddress(t), t.TempDir()
	config := `
		daemon off; master_process off; pid nginx.pid; error_log stderr;
		events {}
		http {
			access_log off;
			client_body_temp_path body; proxy_temp_path proxy;
			fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
		` + recipe(t, "nginx.conf", "127.0.0.1:8080", addr, "127.0.0.1:9300", gate, "127.0.0.1:3000", app.Listener.Addr().String()) + "}"
	write(t, filepath.Join(directory, "nginx.conf"), config)
	startProgram(t, addr, exec.Command("nginx", "-p", directory, "-c", "nginx.conf", "-e", "stderr"))
	return addr
}

func startCaddy(t *testing.T, app *application, gate string) string {
	t.Helper()
	addr, directory := freeAddress(t), t.TempDir()
	_, port, _ := strings.Cut(addr, ":")
	config := "{\n\tadmin off\n}\n\n" +
		recipe(t, "Caddyfile", ":8080", ":"+port, "127.0.0.1:9300", gate, "127.0.0.1:3000", app.Listener.Addr().String())
	file := filepath.Join(directory, "Caddyfile")
	write(t, file, config)
	command := exec.Command("caddy", "run", "--config", file, "--adapter", "caddyfile")
	command.Env = append(os.Environ(), "HOME="+directory, "XDG_DATA_HOME="+directory, "XDG_CONFIG_HOME="+directory)
	startProgram(t, addr, command)
	return addr
}

// Otherwise Caddy of before July 2026 sometimes uses a connection to the application
// for a request to the gate, after clients have gone away.
func TestCaddyKeepsNoConnectionToTheGate(t *testing.T) {
	program(t, "caddy")
	var connections atomic.Int64
	gate := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	gate.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	gate.Start()
	t.Cleanup(gate.Close)
	s := &site{app: newApplication(t)}
	s.addr = startCaddy(t, s.app, gate.Listener.Addr().String())
	for range 3 {
		if got := s.send(t, request{}); got.status != http.StatusOK {
			t.Fatalf("status %d", got.status)
		}
	}
	if got := connections.Load(); got != 3 {
		t.Errorf("%d connections to the gate for 3 requests", got)
	}
}

func startTraefik(t *testing.T, app *application, gate string) string {
	t.Helper()
	addr, file := freeAddress(t), filepath.Join(t.TempDir(), "traefik.yaml")
	write(t, file, recipe(t, "traefik.yaml", "127.0.0.1:9300", gate, "127.0.0.1:3000", app.Listener.Addr().String()))
	startProgram(t, addr, exec.Command("traefik", "--entryPoints.web.address="+addr, "--providers.file.filename="+file))
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // it listens before it has read the file
		request := httptest.NewRequest(http.MethodGet, "http://"+addr, nil)
		request.Host, request.RequestURI = siteHost, ""
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			return addr
		}
		if time.Now().After(deadline) {
			t.Fatal("traefik knows no router")
		}
	}
}

// startProgram starts a server and ends it with the test. Its output is shown if
// the test fails.
func startProgram(t *testing.T, addr string, command *exec.Cmd) {
	t.Helper()
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait() // its output says why
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("%s: %s", command.Args[0], output.String())
		}
	})
	await(t, addr, ended)
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
