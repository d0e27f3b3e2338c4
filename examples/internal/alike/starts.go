package alike

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// Starts checks how the program begins, how it fails to, and that a panic
// below Access doesn't end it.
func Starts(t *testing.T, run Program) {
	const complaint = "can't get the signing keys of https://acme.cloudflareaccess.com: " +
		"check the spelling of TEAM_DOMAIN, and that this machine can reach it over https: "
	for name, spoil := range map[string]func(*accesstest.Team){
		"no such team":      func(team *accesstest.Team) { team.Fail(http.StatusNotFound) },
		"nobody listens":    (*accesstest.Team).Close,
		"no answer comes":   (*accesstest.Team).Hang,
		"not a team at all": func(team *accesstest.Team) { team.Serve("<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			team := newTeam(t)
			spoil(team)
			cfg := configOf(team)
			cfg.FetchTimeout = 200 * time.Millisecond
			err := run(t.Context(), cfg, "127.0.0.1:0", adminDomain)
			if !errors.Is(err, core.ErrKeysUnavailable) || !strings.HasPrefix(err.Error(), complaint) || !strings.Contains(err.Error(), team.URL) {
				t.Errorf("got %v, want %s… with %s", err, complaint, team.URL)
			}
		})
	}
	t.Run("stopped meanwhile", func(t *testing.T) {
		team := newTeam(t)
		team.Hang()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := run(ctx, configOf(team), "127.0.0.1:0", adminDomain); err != nil {
			t.Errorf("got %v, want nil", err)
		}
	})
	t.Run("bad config", func(t *testing.T) {
		err := run(t.Context(), core.Config{Team: "acme"}, "127.0.0.1:0", adminDomain)
		if err == nil || !strings.Contains(err.Error(), "Audiences") {
			t.Errorf("got %v, want an error that names Audiences", err)
		}
	})
	t.Run("address taken", func(t *testing.T) {
		addr := listen(t).Addr().String()
		err := run(t.Context(), configOf(newTeam(t)), addr, adminDomain)
		if err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("got %v, want an error that names %s", err, addr)
		}
	})
	t.Run("keys before the first request", func(t *testing.T) {
		team := newTeam(t)
		start(t, run, configOf(team), adminDomain)
		if fetches := team.Fetches(); fetches != 1 {
			t.Errorf("%d fetches, want 1", fetches)
		}
	})
	t.Run("panic", func(t *testing.T) {
		team := newTeam(t)
		cfg := configOf(team)
		cfg.Hooks.Verified = func(context.Context, core.Verification) { panic("not for clients") }
		url := start(t, run, cfg, adminDomain)
		header := http.Header{core.TokenHeader: {team.SignUser(audience, "ada@example.com")}}
		got, err := send(http.MethodGet, url+"/", header)
		if err == nil && (got.status != http.StatusInternalServerError || strings.Contains(got.body, "not for clients")) {
			t.Errorf("got %v, want 500 without the cause", got)
		}
		expect(t, http.MethodGet, url+"/healthz", nil, text(200, "ok\n"))
	})
}
