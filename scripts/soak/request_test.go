package main

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// newFilled returns a wallet with tokens.
func newFilled(t *testing.T) (*accesstest.Team, *wallet) {
	t.Helper()
	team := accesstest.NewTeam(teamName)
	t.Cleanup(team.Close)
	stranger := accesstest.NewTeam("umbrella")
	defer stranger.Close()
	w := newWallet(team, stranger, newKeyring(), time.Second)
	w.fill()
	return team, w
}

// The truth about each request is what core says of it, and a seed makes the
// same requests but for the tokens.
func TestComposer(t *testing.T) {
	t.Parallel()
	team, w := newFilled(t)
	v := newVerifier(t, team)
	compose := func(seed uint64) (kinds []string) {
		c := newComposer(seed, 3, w, newForger(team), time.Second)
		for i := range 400 {
			r := c.ordinary()
			if i%10 == 0 {
				if r = c.strange(); r == nil {
					r = &request{kind: "none", path: "/healthz"}
				}
			}
			kinds = append(kinds, r.kind+" "+r.path)
			if r.path == "/healthz" || r.truth.denied {
				continue
			}
			sent := time.Now()
			claims, err := v.Authenticate(context.Background(), headerOf(t, r.lines))
			got := outcome{status: http.StatusOK, body: adminBody}
			switch {
			case err != nil:
				refusal := core.Refuse(err)
				got = outcome{status: refusal.Status, code: refusal.Code}
			case r.path == greetPath:
				got.body = greetingOf(claims)
			}
			if right := r.truth.known(sent, time.Now()); !slices.Contains(right, got) {
				t.Errorf("%s: got %v, want %v", r.kind, got, describe(right))
			}
		}
		return kinds
	}
	first := compose(1)
	if again := compose(1); !slices.Equal(first, again) {
		t.Error("a seed made two choices")
	}
	if other := compose(2); slices.Equal(first, other) {
		t.Error("two seeds made the same choices")
	}
}

func greetingOf(c *core.Claims) string {
	return (&session{email: c.Email, service: c.CommonName}).greeting()
}

// A session whose key is withdrawn gets another token, and the old one is kept
// for strangers.
func TestWalletRenews(t *testing.T) {
	t.Parallel()
	team, w := newFilled(t)
	team.Withdraw()
	published := kidsOf(team.Certs())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.renew(ctx, nil) }()
	isNew := func(s *session) bool { return slices.Contains(published, s.token.Load().kid) }
	for deadline := time.Now().Add(patience); !slices.ContainsFunc(w.sessions(), isNew) || !isNew(w.users[0]) || !isNew(w.users[1]) || !isNew(w.users[2]); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody gets another token")
		}
	}
	cancel()
	<-done
	c := newComposer(1, 1, w, newForger(team), time.Second)
	if dead := w.exhume(c.random); dead == nil || slices.Contains(published, dead.kid) {
		t.Errorf("got %v, want a token of the withdrawn key", dead)
	}
}
