package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/scripts/program"
)

// The gate's settings are core's own.
const (
	gateLeeway   = 30 * time.Second
	gateMaxStale = 24 * time.Hour
)

const gateConfig = `
team: %s
endpoint: %s
identity_headers: [cf-access, x-auth-request]
applications:
  - hosts: ["*"]
    audiences: [%s]
`

func isGate(framework string) bool { return framework == "gate" || framework == "nginx" }

// serveGate runs cfaccess gate in front of a handler that answers who is asking: as
// a proxy, or asked by nginx with the recipe of docs/gate.
func (s *soak) serveGate(framework string, fetches *fetchLog) (addr string, stop func()) {
	endpoint := httptest.NewServer(observe(s.team.URL, fetches))
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, describeTold(r.Header.Get("X-Auth-Request-User"), emailsIn(r.Header))) // the client misses what isn't written
	}))
	directory, err := os.MkdirTemp("", "soak")
	config := fmt.Sprintf(gateConfig, teamName, endpoint.URL, aud)
	if framework == "gate" {
		config += "    upstream: " + app.URL + "\n"
	}
	started, failed := program.Gate(s.gate, directory, config)
	if err = errors.Join(err, failed); err != nil {
		panic(err)
	}
	programs := []*program.Program{started}
	if framework == "nginx" {
		started, err = program.Nginx(directory, started.Addr, app.Listener.Addr().String(), "wiki.example.com", "127.0.0.1")
		if err != nil {
			panic(err)
		}
		programs = append(programs, started)
	}
	return started.Addr, func() {
		for _, p := range programs {
			p.Stop()
		}
		app.Close()
		endpoint.Close()
		os.RemoveAll(directory)
	}
}

// observe passes requests to a team. Those for keys go through the log, as the
// requests of a verifier in this process do.
func observe(team string, fetches *fetchLog) http.Handler {
	target, err := url.Parse(team)
	if err != nil {
		panic(err)
	}
	pass := func(transport http.RoundTripper) http.Handler {
		return &httputil.ReverseProxy{
			Transport: transport, ErrorLog: log.New(io.Discard, "", 0),
			Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(target) },
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		}
	}
	keys, others := pass(fetches), pass(nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != certsPath {
			others.ServeHTTP(w, r)
			return
		}
		defer func() {
			err := r.Context().Err() // set if the process has given up
			time.AfterFunc(slack, func() { fetches.settle(err) })
		}()
		keys.ServeHTTP(w, r)
	})
}

// settle ends the oldest fetch of a process, which doesn't tell when the outcome is
// in force.
func (l *fetchLog) settle(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.fetches {
		if f.ended.IsZero() {
			if f.ended, f.err = time.Now(), err; f.document == "" && err == nil {
				f.err = errors.New("not a good document")
			}
			return
		}
	}
}

// judgeOf judges an answer of a server, and returns the outcome with its code.
func judgeOf(framework string, t truth, keys []fetch, outcome, body string, sent, answered time.Time) (complete, kind, detail string) {
	if isGate(framework) {
		t, keys = forGate(t, keys)
	}
	if framework == "nginx" {
		outcome = withCode(outcome, allowed(t, keys, sent, answered))
	}
	kind, detail = judge(t, keys, outcome, body, sent, answered)
	return outcome, kind, detail
}

// forGate returns the truth about a request to the gate, whose application sees no
// token and whose settings are others.
func forGate(t truth, keys []fetch) (truth, []fetch) {
	if !t.expires.IsZero() {
		t.expires = t.expires.Add(gateLeeway - leeway)
	}
	if fields := strings.SplitN(t.body, " ", 3); len(fields) == 3 {
		t.body = describeTold(fields[0], fields[2])
	}
	for i := range keys {
		keys[i].begun = keys[i].begun.Add(gateMaxStale - maxStale) // all that the oracle reads of it
	}
	return t, keys
}

func describeTold(name, email string) string { return name + " " + email }

// withCode completes an outcome of nginx, whose own pages have no code.
func withCode(outcome string, right []string) string {
	for _, r := range right {
		if outcome != accepted && strings.HasPrefix(r, outcome) {
			return r
		}
	}
	return outcome
}
