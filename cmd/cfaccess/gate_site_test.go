package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// What docs/gate/gate.yaml says of the application.
const (
	recipes  = "../../docs/gate"
	siteHost = "wiki.example.com"
	siteAUD  = "32eafc7626e737119c2f0d90a4e1a1e4f1b42a2a3c5c64a5a1b9d7be5f4a4228"
)

// patience bounds each wait for another process.
const patience = 20 * time.Second

// A site is an application behind a proxy and the gate, as the recipes set it up.
type site struct {
	team     *accesstest.Team
	app      *application
	families string // of identity headers that the gate tells; empty: the recipe's
	addr     string // of the proxy
}

// newSite starts a site, which prepare may change before.
func newSite(t *testing.T, p proxy, prepare func(*site)) *site {
	t.Helper()
	s := &site{team: accesstest.NewTeam("acme"), app: newApplication(t)}
	t.Cleanup(s.team.Close)
	s.team.SetGroups("ada@example.com", "administrators", "staff")
	prepare(s)
	s.addr = p.start(t, s)
	return s
}

// recipe returns a file of docs/gate with other addresses: pairs of old and new.
func recipe(t *testing.T, name string, addresses ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(recipes, name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(addresses); i += 2 {
		if !strings.Contains(string(content), addresses[i]) {
			t.Fatalf("%s doesn't have the address %s", name, addresses[i])
		}
	}
	return strings.NewReplacer(addresses...).Replace(string(content))
}

// startGate runs the command with the recipe gate.yaml, with more lines for the
// application, and returns its address. stop ends it.
func startGate(t *testing.T, s *site, more string) (addr string, stop func()) {
	t.Helper()
	const families = "[cf-access, x-auth-request, remote]"
	config := "endpoint: " + s.team.URL + "\n" +
		recipe(t, "gate.yaml", "    rules:", more+"    rules:", families, cmp.Or(s.families, families))
	file := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	addr = freeAddress(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	status, printed := 0, new(output) // a fetch of keys may write after the test
	go func() {
		defer close(ended)
		status = run(ctx, []string{"gate", "--addr", addr, "--config", file}, nil, printed, printed)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		if status != 0 {
			t.Errorf("the gate ended with status %d", status)
		}
		if t.Failed() {
			t.Logf("the gate printed:\n%s", printed)
		}
	})
	t.Cleanup(stop)
	await(t, addr, ended)
	return addr, stop
}

// await waits until a server accepts connections, and fails if it ends first.
func await(t *testing.T, addr string, ended <-chan struct{}) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		connection, err := net.DialTimeout("tcp", addr, patience)
		if err == nil {
			connection.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("the server for %s has ended", addr)
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// An application answers with what it gets. It keeps each byte that it reads.
type application struct {
	*httptest.Server

	mu  sync.Mutex // guards got
	got bytes.Buffer
}

// received is the application's answer.
type received struct {
	Method, URI, Host, Body string
	Header                  http.Header
}

func newApplication(t *testing.T) *application {
	t.Helper()
	a := new(application)
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			echo(w, r.Header.Get("Upgrade"))
			return
		}
		body, _ := io.ReadAll(r.Body) // the test sees what is missing
		_ = json.NewEncoder(w).Encode(received{r.Method, r.RequestURI, r.Host, string(body), r.Header})
	}))
	a.Listener = &recorder{a.Listener, a}
	a.Start()
	t.Cleanup(a.Close)
	return a
}

// echo upgrades the connection and sends back what it reads.
func echo(w http.ResponseWriter, protocol string) {
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the client sees no upgrade
	}
	defer connection.Close()
	_, _ = io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+protocol+"\r\n\r\n")
	_, _ = io.Copy(connection, buffered)
}

// take returns the bytes received since the last call.
func (a *application) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.got.Reset()
	return a.got.String()
}

// A recorder is a listener whose connections tell the application what they read.
type recorder struct {
	net.Listener
	app *application
}

func (l *recorder) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	return &recordedConn{connection, l.app}, err
}

type recordedConn struct {
	net.Conn
	app *application
}

func (c *recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.app.mu.Lock()
	defer c.app.mu.Unlock()
	c.app.got.Write(p[:n])
	return n, err
}
