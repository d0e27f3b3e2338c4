package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// A verifier is a library that has accepted a session's token, and its team.
type verifier struct {
	accepts func(token string) bool
	team    *accesstest.Team
	session string
	before  int           // the team's fetches when the situation began
	refresh time.Duration // the interval, where the library refreshes
}

// cell sets the library up and returns what it does in the situation.
func (s situation) cell(ctx context.Context, library peers.Library, team *accesstest.Team, refresh time.Duration) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	team.Recover()
	site := peers.Site{URL: team.URL, Issuer: team.Issuer()}
	if s.refreshes {
		site.Refresh = refresh
	}
	verify, err := library.New(ctx, site)
	if err != nil {
		return "", fmt.Errorf("%s: %w", library.Name, err)
	}
	session := team.SignUser(peers.Audience, "session@example.com")
	if err := verify(ctx, session); err != nil {
		return "", fmt.Errorf("%s: before %s: %w", library.Name, s.name, err)
	}
	accepts := func(token string) bool { return verify(ctx, token) == nil }
	return s.run(&verifier{accepts, team, session, team.Fetches(), refresh}), nil
}

// fetchTime is enough for a fetch in the background.
const fetchTime = 100 * time.Millisecond

// fetches returns how many there were since the situation began.
func (v *verifier) fetches() int {
	time.Sleep(fetchTime)
	return v.team.Fetches() - v.before
}

// sign returns the token of a user.
func (v *verifier) sign(user int, options ...accesstest.Option) string {
	return v.team.SignUser(peers.Audience, fmt.Sprintf("user%d@example.com", user), options...)
}

// signMadeUpKid returns a token whose key id differs for each user.
func (v *verifier) signMadeUpKid(user int) string {
	return v.sign(user, accesstest.WithHeader("kid", fmt.Sprintf("%064x", user)))
}

// poll calls condition until it is true, for two refresh intervals at most, and
// reports whether it was. That is long enough for jwx, which checks once a second
// whether its interval is over.
func (v *verifier) poll(condition func() bool) bool {
	for end := time.Now().Add(2 * v.refresh); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return false
}

// pollSession sends the session's token for two refresh intervals, and reports
// whether every request was accepted.
func (v *verifier) pollSession() bool {
	return !v.poll(func() bool { return !v.accepts(v.session) })
}

func verdict(accepted bool) string {
	if accepted {
		return "accepted"
	}
	return "refused"
}

// verdict adds to the verdict of the session that the library fetched nothing.
func (v *verifier) verdict(accepted bool) string {
	if v.fetches() == 0 {
		return verdict(accepted) + " (no fetch)"
	}
	return verdict(accepted)
}

// fetched returns the number of fetches as text.
func (v *verifier) fetched() string {
	if n := v.fetches(); n != 1 {
		return fmt.Sprintf("%d fetches", n)
	}
	return "1 fetch"
}
