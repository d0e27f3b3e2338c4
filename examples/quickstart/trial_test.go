package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/stdaccess"
)

// A table that can't fail shows nothing: each of these servers leaves
// something out, and only the rows about that fail.
func TestTrialFindsBrokenServers(t *testing.T) {
	var everything []string
	for _, s := range situations() {
		everything = append(everything, s.name)
	}
	protect := func(admin func(http.Handler) http.Handler, config ...stdaccess.Config) func(*core.Verifier) http.Handler {
		return func(v *core.Verifier) http.Handler { return stdaccess.New(v, config...)(newApp(admin)) }
	}
	examplePeople := stdaccess.Require(core.EmailDomains("example.com"))

	for name, test := range map[string]struct {
		newHandler func(*core.Verifier) http.Handler
		failed     []string
	}{
		"no middleware": {naiveHandler, everything},
		"no policy":     {protect(stdaccess.Require()), []string{"caller whom a policy refuses"}},
		"anonymous callers pass": {
			protect(examplePeople, stdaccess.Config{Rule: core.Rule{Optional: true}}),
			[]string{"no token", "forged email header, no token"},
		},
		"forged header kept":       {keepForgedHeader, []string{"forged email header, another's token"}},
		"fetches on every request": {fetchAlways, []string{"200 made-up kids"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trial := newTrial(newTeam(t), test.newHandler, slog.New(slog.DiscardHandler))
			defer trial.close()
			var failed []string
			for _, r := range trial.playAll(t.Context(), situations()) {
				if !r.holds {
					failed = append(failed, r.name)
				}
			}
			if !slices.Equal(failed, test.failed) {
				t.Errorf("rows failed:\n%q, want\n%q", failed, test.failed)
			}
		})
	}
}

// Each row stands on its own: none needs the rows before it.
func TestTrialInReverse(t *testing.T) {
	t.Parallel()
	all := situations()
	slices.Reverse(all)
	trial := newTrial(newTeam(t), newHandler, slog.New(slog.DiscardHandler))
	defer trial.close()
	for _, r := range trial.playAll(t.Context(), all) {
		if !r.holds {
			t.Errorf("%s: got %s, want %s", r.name, r.got, r.want)
		}
	}
}

func TestTrialGoesOnAfterError(t *testing.T) {
	broken := situation{"broken", welcome("hello"), func(_ context.Context, o *origin) (outcome, error) {
		o.team.Fail(http.StatusBadGateway)
		return outcome{}, errors.New("no luck")
	}}
	good := situation{"good", welcome("hello " + ada), visit("/", inHeader(user(ada)))}
	trial := newTrial(newTeam(t), newHandler, slog.New(slog.DiscardHandler))
	defer trial.close()

	rows := trial.playAll(t.Context(), []situation{broken, good})
	if len(rows) != 2 || rows[0].holds || !rows[1].holds {
		t.Fatalf("got %+v, want the second row alone to hold", rows)
	}
	if !strings.Contains(rows[0].got, "no luck") {
		t.Errorf("got %q, want the error", rows[0].got)
	}
}

// newApp returns what newHandler protects, with another guard of /admin/.
func newApp(guard func(http.Handler) http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", greet)
	mux.HandleFunc("/header", showHeader)
	mux.Handle("/admin/", guard(http.HandlerFunc(admin)))
	return mux
}

// keepForgedHeader shows the email header as it was sent.
func keepForgedHeader(v *core.Verifier) http.Handler {
	handler := newHandler(v)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := r.Header.Get(core.EmailHeader)
		if _, err := v.Authenticate(r.Context(), r.Header); err == nil && r.URL.Path == "/header" {
			_, _ = w.Write([]byte("header says " + sent))
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// fetchAlways fetches the keys for each request, as validators do that keep
// none.
func fetchAlways(v *core.Verifier) http.Handler {
	handler := newHandler(v)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = v.Refresh(r.Context())
		handler.ServeHTTP(w, r)
	})
}
