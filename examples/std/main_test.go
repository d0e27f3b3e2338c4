package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/examples/internal/alike"
)

const (
	audience    = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"
	adminDomain = "example.com"
)

func TestAnswers(t *testing.T) {
	alike.Answers(t, run, alike.Own{EscapedLetter: 403, EscapedSlash: 404, DoubleSlash: 307, RareMethod: 403})
}

func TestStarts(t *testing.T) {
	alike.Starts(t, run)
}

func TestGreetWithoutMiddleware(t *testing.T) {
	recorder := httptest.NewRecorder()
	greet(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != http.StatusInternalServerError {
		t.Errorf("got %d %q, want 500", recorder.Code, recorder.Body)
	}
}

func TestRunNamesWhatToCheck(t *testing.T) {
	for name, spoil := range map[string]func(*accesstest.Team){
		"no such team":      func(team *accesstest.Team) { team.Fail(http.StatusNotFound) },
		"nobody listens":    (*accesstest.Team).Close,
		"no answer comes":   (*accesstest.Team).Hang,
		"not a team at all": func(team *accesstest.Team) { team.Serve("<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			team := accesstest.NewTeam("acme")
			defer team.Close()
			spoil(team)
			cfg := config(team)
			cfg.FetchTimeout = 200 * time.Millisecond

			err := run(t.Context(), cfg, "127.0.0.1:0", adminDomain)
			if !errors.Is(err, core.ErrKeysUnavailable) {
				t.Fatalf("got %v, want %v", err, core.ErrKeysUnavailable)
			}
			for _, part := range []string{"TEAM_DOMAIN", "https://acme.cloudflareaccess.com", team.URL} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error does not name %s: %v", part, err)
				}
			}
		})
	}
}

func TestRunStoppedAtStart(t *testing.T) {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	team.Hang()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := run(ctx, config(team), "127.0.0.1:0", adminDomain); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestRunRefusesBadConfig(t *testing.T) {
	err := run(t.Context(), core.Config{Team: "acme"}, "127.0.0.1:0", adminDomain)
	if err == nil || !strings.Contains(err.Error(), "Audiences") {
		t.Errorf("got %v, want an error that names Audiences", err)
	}
}

func TestRunNamesTakenAddress(t *testing.T) {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	taken := listen(t)
	err := run(t.Context(), config(team), taken.Addr().String(), adminDomain)
	if err == nil || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("got %v, want an error that names %s", err, taken.Addr())
	}
}

func TestRunServesUntilContextEnds(t *testing.T) {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	free := listen(t)
	addr := free.Addr().String()
	_ = free.Close() // run takes its place
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, config(team), addr, adminDomain) }()

	for status := 0; status != http.StatusOK; {
		select {
		case err := <-ended:
			t.Fatalf("run ended early: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		if response, err := http.Get("http://" + addr + "/healthz"); err == nil {
			status = response.StatusCode
			_ = response.Body.Close()
		}
	}
	if fetches := team.Fetches(); fetches != 1 {
		t.Errorf("%d fetches before the first request, want 1", fetches)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestServeDrains(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	listener := listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener, handler) }()

	type answer struct {
		body string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		response, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			answered <- answer{err: err}
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		answered <- answer{string(body), err}
	}()

	<-arrived
	cancel()
	waitUntilClosed(t, listener.Addr().String())
	select {
	case err := <-served:
		t.Fatalf("serve returned %v with a request under way", err)
	default:
	}
	close(release)
	if got := <-answered; got.err != nil || got.body != "done" {
		t.Errorf("request under way got %q, %v", got.body, got.err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestServeReportsBrokenListener(t *testing.T) {
	listener := listen(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := serve(t.Context(), listener, http.NotFoundHandler()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
}

func config(team *accesstest.Team) core.Config {
	return core.Config{
		Team:      "acme",
		Audiences: []string{audience},
		Endpoint:  team.URL,
		Logger:    slog.New(slog.DiscardHandler),
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// waitUntilClosed returns once nothing listens on addr.
func waitUntilClosed(t *testing.T, addr string) {
	t.Helper()
	for range 500 {
		connection, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = connection.Close()
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s still listens", addr)
}
