package main

import (
	"bufio"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

func newVerifier(t *testing.T, team *accesstest.Team) *core.Verifier {
	t.Helper()
	v, err := core.New(core.Config{
		Team: teamName, Audiences: []string{audience}, Endpoint: team.URL, Leeway: time.Second,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// headerOf reads header lines as net/http does.
func headerOf(t *testing.T, lines []string) http.Header {
	t.Helper()
	text := "GET / HTTP/1.1\r\nHost: soak\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	return request.Header
}

// What the oracle takes for refused is refused, and for the reason it expects.
func TestForgeries(t *testing.T) {
	t.Parallel()
	team := accesstest.NewTeam(teamName)
	defer team.Close()
	v := newVerifier(t, team)
	down := accesstest.NewTeam(teamName)
	defer down.Close()
	down.Fail(http.StatusBadGateway)
	keyless := newVerifier(t, down)
	f := newForger(team)
	good := team.SignUser(audience, "ada@example.com")
	other := team.SignUser(audience, "eve@example.com")

	kinds := newForgeries()
	if len(kinds) < 30 {
		t.Errorf("%d kinds, want 30", len(kinds))
	}
	names := make(map[string]bool)
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			if names[kind.name] {
				t.Error("two kinds have this name")
			}
			names[kind.name] = true
			forged := f.forge(kind, good, other)
			if forged == "" {
				t.Fatal("no token")
			}
			header := headerOf(t, kind.lines(forged, good))
			if _, err := v.Authenticate(t.Context(), header); !errors.Is(err, kind.class) {
				t.Errorf("got %v, want %v", err, kind.class)
			} else if code := core.Refuse(err).Code; code != kind.code() {
				t.Errorf("the client is told %s, want %s", code, kind.code())
			}
			// With no key at all it shows which need none.
			if _, err := keyless.Authenticate(t.Context(), header); kind.early && !errors.Is(err, kind.class) {
				t.Errorf("without keys: got %v, want %v", err, kind.class)
			}
		})
	}
	for name, lines := range map[string][]string{
		"header":             inHeader(good),
		"cookie":             inCookie(good),
		"cookie after a bad": inCookie(f.forge(kinds[0], good, other), good),
	} {
		t.Run("good "+name, func(t *testing.T) {
			if claims, err := v.Authenticate(t.Context(), headerOf(t, lines)); err != nil || claims.Email != "ada@example.com" {
				t.Errorf("got %v, %v, want ada", claims, err)
			}
		})
	}
}
