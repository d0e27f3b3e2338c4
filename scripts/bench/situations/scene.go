package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// A scene is a running verifier and its team, in one situation.
type scene struct {
	library peers.Library
	team    *accesstest.Team
	size    size
	session string // a token that was accepted before anything went wrong

	verify peers.Verify
	before int // the team's fetches when the situation began
}

// errNotStarted is what a process is worth that can't be set up.
var errNotStarted = errors.New("not started")

// start has a new process take the place of the one before. It has its keys:
// it has accepted the session. The error is errNotStarted if it can't be set up.
func (s *scene) start(ctx context.Context, refresh time.Duration) error {
	verify, err := s.library.New(ctx, peers.Site{URL: s.team.URL, Issuer: s.team.Issuer(), Refresh: refresh})
	if err != nil {
		return fmt.Errorf("%s: %w: %w", s.library.Name, errNotStarted, err)
	}
	if err := verify(ctx, s.session); err != nil {
		return fmt.Errorf("%s: %w", s.library.Name, err)
	}
	s.verify, s.before = verify, s.team.Fetches()
	return nil
}

// accepts reports whether the token is accepted before ctx ends. Some of the
// verifiers don't look at ctx, so it is waited for here.
func (s *scene) accepts(ctx context.Context, token string) bool {
	answer := make(chan error, 1)
	go func() { answer <- s.verify(ctx, token) }()
	select {
	case err := <-answer:
		return err == nil
	case <-ctx.Done():
		return false
	}
}

// fetches returns how many there were in this situation.
func (s *scene) fetches() int { return s.team.Fetches() - s.before }

// settle waits for a fetch that a request has begun and not waited for.
func (s *scene) settle(ctx context.Context) { pause(ctx, 100*time.Millisecond) }

// busy sends a token again and again until stop says so, or patience is over.
func (s *scene) busy(ctx context.Context, token string, patience time.Duration, stop func(t tally) bool) tally {
	var t tally
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; {
		t.count(s.accepts(ctx, token))
		if stop(t) {
			break
		}
		pause(ctx, 5*time.Millisecond)
	}
	return t
}

// patience is enough for every library to fetch again. jwx looks at its clock
// every whole second: 1.5 s become 2.
func (s *scene) patience() time.Duration { return 2 * s.size.Refresh }

// serveOnce answers one certs request with body, and the others as usual.
func (s *scene) serveOnce(body string) {
	var served atomic.Bool
	s.team.Handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !served.Swap(true) {
			_, _ = w.Write([]byte(body))
			return
		}
		_, _ = w.Write(s.team.Certs())
	}))
}

// signed returns so many different tokens. An option may depend on the number.
func (s *scene) signed(count int, options func(i int) []accesstest.Option) []string {
	tokens := make([]string, count)
	for i := range tokens {
		tokens[i] = s.team.SignUser(peers.Audience, fmt.Sprintf("person%d@example.com", i), options(i)...)
	}
	return tokens
}

func (s *scene) sign(options ...accesstest.Option) string {
	return s.team.SignUser(peers.Audience, "ada@example.com", options...)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// A tally is how requests ended.
type tally struct{ accepted, refused int }

func (t *tally) count(accepted bool) {
	if accepted {
		t.accepted++
	} else {
		t.refused++
	}
}

func (t *tally) add(other tally) {
	t.accepted += other.accepted
	t.refused += other.refused
}

func (t tally) String() string {
	switch {
	case t.refused == 0:
		return "all accepted"
	case t.accepted == 0:
		return "all refused"
	default:
		return fmt.Sprintf("%d accepted, %d refused", t.accepted, t.refused)
	}
}
