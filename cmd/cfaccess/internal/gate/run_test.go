//go:build unix

package gate

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A running gate, with its configuration in a file.
type running struct {
	file string
	log  *logBuffer
	stop func() error // ends it, and returns what Run did
}

func start(t *testing.T, content string, options Options) *running {
	t.Helper()
	r := &running{file: filepath.Join(t.TempDir(), "gate.yaml"), log: new(logBuffer)}
	r.write(t, content)
	options.Logger = slog.New(slog.NewTextHandler(r.log, nil))
	options.Load = func() (*Config, error) { return Load(r.file, options.Logger) }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, options) }()
	r.stop = func() error { cancel(); err := <-ended; ended <- err; return err }
	t.Cleanup(func() { _ = r.stop() })
	return r
}

func (r *running) write(t *testing.T, content string) {
	t.Helper()
	if err := os.WriteFile(r.file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// addresses waits until the gate listens on n, and returns them.
func (r *running) addresses(t *testing.T, n int) (all []string) {
	t.Helper()
	poll(t, "listening", func() bool {
		all = nil
		for _, match := range regexp.MustCompile(`msg=listening address=(\S+)`).FindAllStringSubmatch(r.log.String(), -1) {
			all = append(all, match[1])
		}
		return len(all) == n
	})
	return all
}

// signal sends SIGHUP after the file has changed.
func (r *running) signal(t *testing.T, content string) {
	t.Helper()
	r.write(t, content)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// reload is signal, and waits until the log has a line with these words.
func (r *running) reload(t *testing.T, content, want string) {
	t.Helper()
	r.signal(t, content)
	poll(t, "a log line with "+want, func() bool { return strings.Contains(r.log.String(), want) })
}

// status sends a request as nginx does, or as a client where path isn't /auth/nginx.
func status(t *testing.T, client *http.Client, address, path, host, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	request.Header = http.Header{"X-Original-Method": {"GET"}, "X-Original-Host": {host}, "X-Original-Uri": {"/"}, core.TokenHeader: {token}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

func TestReload(t *testing.T) {
	team := newTeam(t)
	content := configuration(team, "")
	r := start(t, content, Options{Addr: "127.0.0.1:0"})
	address := r.addresses(t, 1)[0]
	ada, other := team.SignUser(aud, "ada@example.com"), team.SignUser(otherAud, "ada@example.com")
	check := func(what, host, token string, want int) {
		t.Helper()
		if got := status(t, http.DefaultClient, address, "/auth/nginx", host, token); got != want {
			t.Errorf("%s: status %d, want %d", what, got, want)
		}
	}
	check("before", "wiki.example.com", ada, 200)
	check("before", "other.example.com", other, 200)
	r.reload(t, content, "reloaded the configuration") // after the fetches of the start
	fetches := team.Fetches()

	r.signal(t, strings.Replace(content, "wiki.example.com", "new.example.com", 1))
	poll(t, "the new host", func() bool {
		return status(t, http.DefaultClient, address, "/auth/nginx", "new.example.com", ada) == 200
	})
	check("the new host", "new.example.com", ada, 200)
	check("the old host", "wiki.example.com", ada, 403)
	if got := team.Fetches(); got != fetches {
		t.Errorf("%d certs fetches for audiences that stay", got-fetches)
	}

	r.reload(t, content+"nonsense: 1\n", "field nonsense not found")
	check("after a bad file", "new.example.com", ada, 200)
	r.reload(t, configuration(team, "http://127.0.0.1:1"), "without a restart")
	check("after a change to a proxy", "new.example.com", ada, 200)
	if got := strings.Count(r.log.String(), "level=ERROR"); got != 2 {
		t.Errorf("%d errors in the log, want 2:\n%s", got, r.log)
	}

	r.signal(t, strings.ReplaceAll(content, aud, strings.Repeat("c", 64)))
	poll(t, "another audience", func() bool {
		return status(t, http.DefaultClient, address, "/auth/nginx", "wiki.example.com", ada) == 401
	})
	check("the audience that stays", "other.example.com", other, 200)
}

func TestMetricsForgetAVerifierThatIsGone(t *testing.T) {
	team := newTeam(t)
	g, _ := newGate(t, configuration(team, ""))
	next, err := parse("f", []byte(strings.ReplaceAll(configuration(team, ""), aud, strings.Repeat("c", 64))), g.logger)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.use(next); err != nil {
		t.Fatal(err)
	}
	metrics := get(g.Operations(), "/metrics").Body.String()
	if strings.Contains(metrics, `cfaccess_cache_tokens{cfaccess_audience="`+aud) || !strings.Contains(metrics, `cfaccess_cache_tokens{cfaccess_audience="ccc`) {
		t.Errorf("metrics:\n%s", metrics)
	}
}

func TestProxyHasItsOperationsElsewhere(t *testing.T) {
	team := newTeam(t)
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(application.Close)
	token := team.SignUser(aud, "ada@example.com")
	content := configuration(team, application.URL)

	addresses := start(t, content, Options{Addr: "127.0.0.1:0", MetricsAddr: "localhost:0"}).addresses(t, 2)
	for _, path := range []string{"/healthz", "/metrics", "/readyz", "/auth/nginx"} {
		if got := status(t, http.DefaultClient, addresses[0], path, "wiki.example.com", token); got != http.StatusTeapot {
			t.Errorf("%s of the application: status %d", path, got)
		}
	}
	if got := status(t, http.DefaultClient, addresses[1], "/healthz", "", ""); got != 200 {
		t.Errorf("healthz of the gate: status %d", got)
	}
	if got := status(t, http.DefaultClient, addresses[1], "/page", "wiki.example.com", token); got != 404 {
		t.Errorf("a page on the address of metrics: status %d", got)
	}
}

func TestForwardAuthenticationHasMetricsElsewhereToo(t *testing.T) {
	content := configuration(newTeam(t), "")
	addresses := start(t, content, Options{Addr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0"}).addresses(t, 2)
	for _, address := range addresses {
		if got := status(t, http.DefaultClient, address, "/metrics", "", ""); got != 200 {
			t.Errorf("status %d", got)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	team := newTeam(t)
	path := filepath.Join(t.TempDir(), "gate.sock")
	r := start(t, configuration(team, ""), Options{Addr: "unix:" + path})
	r.addresses(t, 1)
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	if got := status(t, client, "gate", "/auth/nginx", "wiki.example.com", team.SignUser(aud, "ada@example.com")); got != 200 {
		t.Errorf("status %d", got)
	}
	if strings.Contains(r.log.String(), "other machines") {
		t.Error("a Unix socket was warned about")
	}
}

func TestShutdownWaitsForRequestsUnderWay(t *testing.T) {
	team := newTeam(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	application := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	t.Cleanup(application.Close)
	r := start(t, configuration(team, application.URL), Options{Addr: "127.0.0.1:0"})
	address, token := r.addresses(t, 1)[0], team.SignUser(aud, "ada@example.com")
	got := make(chan int, 1)
	go func() { got <- status(t, http.DefaultClient, address, "/", "wiki.example.com", token) }()
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	poll(t, "the listener to close", func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
		}
		return err != nil
	})
	select {
	case <-stopped:
		t.Fatal("the gate ended before the request did")
	default:
	}
	close(release)
	if err := <-stopped; err != nil {
		t.Errorf("Run: %v", err)
	}
	if got := <-got; got != 200 {
		t.Errorf("the request under way: status %d", got)
	}
}

func TestStartFails(t *testing.T) {
	team := newTeam(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, row := range map[string]struct{ content, addr, metrics, want string }{
		"a bad file":                 {"team: a.b\n", "127.0.0.1:0", "", "gate.yaml:1: "},
		"an address that is taken":   {configuration(team, ""), taken.Addr().String(), "", "address already in use"},
		"a metrics address as taken": {configuration(team, "http://127.0.0.1:1"), "127.0.0.1:0", taken.Addr().String(), "address already in use"},
	} {
		file := filepath.Join(t.TempDir(), "gate.yaml")
		if err := os.WriteFile(file, []byte(row.content), 0o600); err != nil {
			t.Fatal(err)
		}
		logger := slog.New(slog.DiscardHandler)
		err := Run(t.Context(), Options{Addr: row.addr, MetricsAddr: row.metrics, Logger: logger, Load: func() (*Config, error) { return Load(file, logger) }})
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWarnsOfAnAddressThatOthersReach(t *testing.T) {
	team := newTeam(t)
	r := start(t, configuration(team, ""), Options{Addr: ":0"})
	r.addresses(t, 1)
	poll(t, "a warning", func() bool { return strings.Contains(r.log.String(), "level=WARN msg=\"other machines") })
}

// With a team that is down the gate starts and keeps asking.
func TestStartsWithoutKeys(t *testing.T) {
	team := newTeam(t)
	team.Fail(500)
	token := team.SignUser(aud, "ada@example.com", accesstest.WithClaim("x", 1))
	r := start(t, configuration(team, ""), Options{Addr: "127.0.0.1:0"})
	address := r.addresses(t, 1)[0]
	if got := status(t, http.DefaultClient, address, "/readyz", "", ""); got != 503 {
		t.Errorf("readyz: status %d", got)
	}
	team.Recover()
	poll(t, "ready", func() bool { return status(t, http.DefaultClient, address, "/readyz", "", "") == 200 })
	if got := status(t, http.DefaultClient, address, "/auth/nginx", "wiki.example.com", token); got != 200 {
		t.Errorf("status %d", got)
	}
}
