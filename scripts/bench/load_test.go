package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// A witness is a server that remembers what it was asked.
type witness struct {
	*httptest.Server
	mu          sync.Mutex
	requests    int
	tokens      map[string]bool
	connections map[string]bool
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	w := &witness{tokens: map[string]bool{}, connections: map[string]bool{}}
	w.Server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.requests++
		w.tokens[r.Header.Get(core.TokenHeader)] = true
		w.connections[r.RemoteAddr] = true
		w.mu.Unlock()
		_, _ = io.WriteString(answer, greeting)
	}))
	t.Cleanup(w.Close)
	return w
}

func TestLoad(t *testing.T) {
	first, second := newWitness(t), newWitness(t)
	l := load{
		Addrs:  []string{first.Listener.Addr().String(), second.Listener.Addr().String()},
		Tokens: []string{"a", "b", "c"}, Connections: 2, Turns: 3, Turn: 200 * time.Millisecond, Limit: 1 << 20,
	}
	results, err := l.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range []*witness{first, second} {
		r := results[i]
		// The first turn, which isn't counted, makes the difference.
		if r.Requests == 0 || r.Requests >= w.requests || r.Answered != w.requests || r.PerSecond <= 0 || r.P50 <= 0 || r.P99 < r.P50 {
			t.Errorf("got %+v, the server saw %d requests", r, w.requests)
		}
		if len(w.tokens) != 3 || len(w.connections) != 2 {
			t.Errorf("the server saw %d tokens, want 3, and %d connections, want 2 kept alive", len(w.tokens), len(w.connections))
		}
	}

	l.Limit, l.Turn = 4, 10*time.Second // the limit ends a turn long before
	if results, err = l.run(t.Context()); err != nil || results[0].Requests != 3*2*4 || results[1].Requests != 3*2*4 {
		t.Errorf("limited to 4 on each of 2 connections in each of 3 turns: %+v, %v", results, err)
	}
}

func TestLoadFails(t *testing.T) {
	missing := httptest.NewServer(http.NotFoundHandler())
	defer missing.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, test := range map[string]struct {
		server *httptest.Server
		tokens []string
		want   string
	}{
		"refused":    {missing, []string{"a"}, "404"},
		"no server":  {closed, []string{"a"}, "connection"},
		"no session": {missing, nil, "no tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			l := load{Addrs: []string{test.server.Listener.Addr().String()}, Tokens: test.tokens, Connections: 1, Turns: 1, Turn: time.Second, Limit: 10}
			if _, err := l.run(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestReadAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		rest   string
		want   string
	}{
		"good":              {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP", "HTTP", ""},
		"lower case, later": {"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length:0\r\n\r\nHTTP", "HTTP", ""},
		"refused":           {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "", "401"},
		"no length":         {"HTTP/1.1 200 OK\r\n\r\n", "", "no Content-Length"},
		"length in words":   {"HTTP/1.1 200 OK\r\nContent-Length: three\r\n\r\n", "", "Content-Length"},
		"cut in the header": {"HTTP/1.1 200 OK\r\nContent-", "", "EOF"},
		"cut in the body":   {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na", "", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			r := bufio.NewReader(strings.NewReader(test.answer))
			err := readAnswer(r)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q", err, test.want)
				}
				return
			}
			rest, _ := io.ReadAll(r)
			if err != nil || string(rest) != test.rest {
				t.Errorf("got %v and left %q, want %q", err, rest, test.rest)
			}
		})
	}
}

// The two servers of a framework differ in nothing but the protection.
func TestServers(t *testing.T) {
	team := newTeam(t)
	verifier, err := newVerifier(t.Context(), team.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	good := team.SignUser(audience, "ada@example.com")
	for _, framework := range frameworks {
		for name, test := range map[string]struct {
			verifier *core.Verifier
			token    string
			status   int
		}{
			"bare, any token":       {nil, "x", 200},
			"protected, good token": {verifier, good, 200},
			"protected, bad token":  {verifier, "x", 401},
		} {
			t.Run(framework+"/"+name, func(t *testing.T) {
				listener, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer listener.Close()
				go func() { _ = serve(listener, framework, test.verifier) }()
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), nil)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set(core.TokenHeader, test.token)
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				body, err := io.ReadAll(response.Body)
				if err != nil || response.StatusCode != test.status || test.status == 200 && string(body) != greeting {
					t.Errorf("got %d %q, %v, want %d", response.StatusCode, body, err, test.status)
				}
			})
		}
	}
}

// In processes of their own, as in a real run.
func TestMeasureFramework(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	team := newTeam(t)
	sessions := []string{team.SignUser(audience, "ada@example.com")}
	one, err := measureFramework(t.Context(), self, "net/http", team.URL, sessions, tinySize())
	if err != nil {
		t.Fatal(err)
	}
	if one.Bare.Requests == 0 || one.Protected.Requests == 0 || len(one.Ratios) != 1 || one.Ratio <= 0 || one.BareCPU <= 0 || one.ProtectedCPU <= 0 {
		t.Errorf("got %+v", one)
	}
	if _, err := measureFramework(t.Context(), self, "net/http", team.URL, []string{"x"}, tinySize()); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a refused load: got %v", err)
	}
}
