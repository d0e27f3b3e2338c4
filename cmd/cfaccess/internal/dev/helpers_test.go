package dev

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cfaccess/cfaccess/core"
)

const audience = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"

// A rig is a dev with one upstream, and a browser without JavaScript.
type rig struct {
	t      *testing.T
	server *Server
	log    *safeBuffer
	stop   func()
	jar    http.CookieJar
}

// seen is a request as the upstream got it.
type seen struct {
	Host, URI string
	Header    http.Header
	Trailer   http.Header
}

type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// start starts a dev with a configuration, in which UPSTREAM is that of the test.
func start(t *testing.T, o Options, configuration string) *rig {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = json.NewEncoder(w).Encode(seen{r.Host, r.RequestURI, r.Header, r.Trailer})
	}))
	t.Cleanup(upstream.Close)
	folder := t.TempDir()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.State == "" {
		o.State = filepath.Join(folder, "state.pem")
	}
	if configuration == "" {
		o.Upstream = upstream.URL
	} else {
		o.Config = filepath.Join(folder, "dev.yaml")
		write(t, o.Config, strings.ReplaceAll(configuration, "UPSTREAM", upstream.URL))
	}
	log := &safeBuffer{}
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	server, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	jar, _ := cookiejar.New(nil)
	return &rig{t, server, log, stop, jar}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// send sends a request of the browser and returns the answer, whose body is read.
func (r *rig) send(request *http.Request) (*http.Response, string) {
	r.t.Helper()
	client := http.Client{
		Jar:           r.jar,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response, string(body)
}

// app returns the URL of an application, by its position.
func (r *rig) app(i int) string {
	a := r.server.Applications[i]
	return r.server.url(a.Addr, a.Host)
}

// get asks the first application for a path.
func (r *rig) get(path string, headers ...string) (*http.Response, string) {
	r.t.Helper()
	return r.send(request(r.t, http.MethodGet, r.app(0)+path, "", headers...))
}

// request makes a request with headers in pairs of name and value.
func request(t *testing.T, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		} else {
			request.Header[headers[i]] = append(request.Header[headers[i]], headers[i+1])
		}
	}
	return request
}

// login logs in at an application and returns the token.
func (r *rig) login(app int, fields ...string) string {
	r.t.Helper()
	response, body := r.post(app, fields...)
	if response.StatusCode != http.StatusSeeOther {
		r.t.Fatalf("login: %s\n%s", response.Status, body)
	}
	for _, cookie := range response.Cookies() {
		if cookie.Name == core.TokenCookie {
			return cookie.Value
		}
	}
	r.t.Fatal("login: no cookie")
	return ""
}

// post sends the form of the login page, with fields in pairs.
func (r *rig) post(app int, fields ...string) (*http.Response, string) {
	r.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return r.send(request(r.t, http.MethodPost, r.app(app)+"/cdn-cgi/access/login/", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"))
}

// arrived returns the request that the upstream got, by its echo.
func arrived(t *testing.T, response *http.Response, body string) seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(body), &s); response.StatusCode != http.StatusOK || err != nil {
		t.Fatalf("got %s, want the upstream's answer\n%s", response.Status, body)
	}
	return s
}

// claimsOf verifies a token as the application does that has only what dev prints.
func (r *rig) claimsOf(token string) (*core.Claims, error) {
	r.t.Helper()
	var environment bytes.Buffer
	r.server.WriteEnvironment(&environment)
	cfg := core.Config{Logger: slog.New(slog.DiscardHandler)}
	for line := range strings.Lines(environment.String()) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), "="); name {
		case "TEAM_DOMAIN":
			cfg.Team = value
		case "POLICY_AUD":
			cfg.Audiences = append(cfg.Audiences, value)
		}
	}
	verifier, err := core.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	return verifier.Verify(r.t.Context(), token)
}

// freeAddr returns an address whose port no system gives to connections: another one
// could take it meanwhile.
func freeAddr(t *testing.T) string {
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

func newJar() (http.CookieJar, error) { return cookiejar.New(nil) }

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func bodyOf(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
