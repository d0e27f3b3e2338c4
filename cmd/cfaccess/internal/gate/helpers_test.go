package gate

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

var (
	aud      = strings.Repeat("a", 64)
	otherAud = strings.Repeat("b", 64)
)

// rules are of the application wiki.example.com in the tests.
const rules = `
    rules:
      - path: /healthz
        methods: [GET]
        public: true
      - prefix: /static
        public: true
      - prefix: /admin/open
        domains: [example.com]
      - prefix: /admin
        groups: [administrators]
      - prefix: /api
        methods: [POST]
        services: [ci-bot]
      - path: /bob
        emails: [bob@example.com]`

// configuration returns a file with two applications; upstream may be empty.
func configuration(team *accesstest.Team, upstream string) string {
	if upstream != "" {
		upstream = "\n    upstream: " + upstream
	}
	return `team: acme
endpoint: ` + team.URL + `
identity_headers: [cf-access, x-auth-request, remote]
applications:
  - hosts: [wiki.example.com]
    audiences: [` + aud + "]" + upstream + rules + `
  - hosts: [other.example.com]
    audiences: [` + otherAud + "]" + upstream + "\n"
}

func newTeam(t *testing.T) *accesstest.Team {
	t.Helper()
	team := accesstest.NewTeam("acme")
	t.Cleanup(team.Close)
	return team
}

// newGate returns a gate whose log is in the buffer.
func newGate(t testing.TB, content string) (*Gate, *logBuffer) {
	t.Helper()
	buffer := new(logBuffer)
	logger := slog.New(slog.NewTextHandler(buffer, nil))
	config, err := parse("gate.yaml", []byte(content), logger)
	if err != nil {
		t.Fatal(err)
	}
	g, err := New(config, logger)
	if err != nil {
		t.Fatal(err)
	}
	return g, buffer
}

// A logBuffer may be written to and read at the same time.
type logBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// ask sends an original request to an endpoint as its proxy does.
func ask(g *Gate, endpoint, method, host, target string, header http.Header) *httptest.ResponseRecorder {
	var r *http.Request
	switch endpoint {
	case "envoy":
		r = httptest.NewRequest(method, "/auth/envoy/", nil)
		r.RequestURI, r.Host = "/auth/envoy"+target, host
	case "nginx":
		r = httptest.NewRequest("GET", "/auth/nginx", nil)
		r.Header = http.Header{"X-Original-Method": {method}, "X-Original-Host": {host}, "X-Original-Uri": {target}}
	default:
		r = httptest.NewRequest("GET", "/auth/"+endpoint, nil)
		r.Header = http.Header{"X-Forwarded-Method": {method}, "X-Forwarded-Host": {host}, "X-Forwarded-Uri": {target}}
	}
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	g.Authorize().ServeHTTP(w, r)
	return w
}

func withToken(token string) http.Header { return http.Header{core.TokenHeader: {token}} }
func withCookie(token string) http.Header {
	return http.Header{"Cookie": {"a=b; CF_Authorization=" + token}}
}
