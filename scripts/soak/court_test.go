package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// An answer is judged when its time has settled, not before: a line of a fetch
// may come later than the answer that it explains.
func TestDocket(t *testing.T) {
	t.Parallel()
	keys := newKeyring()
	keys.add("old", ms(-100_000))
	c := newCourt(&oracle{testPace, keys})
	c.tally.begin(noon)
	d := docket{court: c, server: &server{name: "std", log: &fetchLog{}}}
	r := &request{kind: "user", truth: truth{kid: "old", body: "You are ada.\n"}, valid: true}
	d.file(r, outcome{status: http.StatusOK, body: r.truth.body}, ms(100), ms(110), nil)
	d.file(r, outcome{status: http.StatusOK, body: "You are eve.\n"}, ms(100), ms(120), nil)
	d.server.log.zero = noon
	d.server.log.fetches = []*fetch{worked(1, 0, reasonAsked, "old")}

	for _, step := range []struct{ before, wrong, left int }{{110, 0, 2}, {115, 0, 1}, {120, 0, 1}, {121, 1, 0}} {
		d.hear(ms(step.before))
		if got := c.offences.count(wrongIdentity); got != step.wrong || len(d.trials) != step.left {
			t.Errorf("before %d: %d offences and %d trials left, want %d and %d", step.before, got, len(d.trials), step.wrong, step.left)
		}
	}
	d.file(r, outcome{}, ms(200), ms(300), errors.New("reset"))
	d.file(r, outcome{}, ms(200), ms(300), &net.OpError{Err: os.ErrDeadlineExceeded})
	d.file(r, outcome{status: http.StatusInternalServerError}, ms(200), ms(300), nil)
	if c.offences.count(serverError) != 2 || c.offences.count(hung) != 1 || c.offences.total() != 4 {
		t.Errorf("got %v", c.offences.told())
	}
	if got := c.tally.seconds[0]; got.Accepted != 2 || got.Refused != 1 {
		t.Errorf("counted %+v, want 2 accepted and 1 refused", got)
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	g := newGate()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	passed := make(chan bool)
	go func() { passed <- g.pass(t.Context()) }()
	g.set(true)
	if !<-passed || !g.pass(t.Context()) {
		t.Error("it is open, and nobody passes")
	}
	if g.pass(ended) {
		t.Error("it lets one pass whose context has ended")
	}
	g.set(true)
	g.set(false)
	g.set(false)
	if g.pass(ended) {
		t.Error("it is closed, and lets one pass")
	}
}

func TestConnection(t *testing.T) {
	t.Parallel()
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/problem":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"status":401,"code":"token_expired"}`))
		case "/mislabelled":
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"status":401,"code":"token_expired"}`))
		case "/last":
			w.Header().Set("Connection", "close")
			fallthrough
		default:
			_, _ = w.Write([]byte(r.URL.Path))
		}
	}))
	defer origin.Close()
	c := connection{addr: strings.TrimPrefix(origin.URL, "http://")}
	defer c.close()
	for path, want := range map[string]outcome{
		"/one": {status: 200, body: "/one"}, "/last": {status: 200, body: "/last"},
		"/problem": {status: 401, code: codeExpired}, "/mislabelled": {status: 403},
	} {
		for range 2 {
			got, sent, answered, err := c.ask(t.Context(), (&request{path: path}).bytes())
			if err != nil || got != want || !sent.Before(answered) {
				t.Errorf("%s: got %v, %v, want %v", path, got, err, want)
			}
		}
	}
	before := c.conn
	c.used = time.Now().Add(-idle)
	if _, _, _, err := c.ask(t.Context(), (&request{path: "/one"}).bytes()); err != nil || c.conn == before {
		t.Errorf("got %v; a connection that was idle is used again", err)
	}
	origin.Close()
	c.close()
	if _, _, _, err := c.ask(t.Context(), nil); err == nil || isHung(err) {
		t.Errorf("nobody listens: got %v", err)
	}
}
