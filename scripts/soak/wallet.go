package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A wallet holds the sessions, and does what the edge does: gives each a new
// token when the old one has expired or its key is gone. It is safe for
// concurrent use.
type wallet struct {
	team  *accesstest.Team
	keys  *keyring
	grace time.Duration // how long an expired token, or a withdrawn one, is still sent

	users, bots, short []*session

	foreign string // signed by another team's key, with claims of this one's

	mu   sync.Mutex // guards dead
	dead []*token   // of withdrawn keys, the latest last
}

const (
	keptDead = 64 // tokens of withdrawn keys that are kept
	busiest  = 16 // people who log in when there is a new key: a quarter of all requests
)

func newWallet(team, stranger *accesstest.Team, keys *keyring, leeway time.Duration) *wallet {
	w := &wallet{team: team, keys: keys, grace: leeway + 2*time.Second}
	w.foreign = stranger.SignUser(audience, victim, accesstest.WithClaim("iss", team.Issuer()))
	w.users, w.bots, w.short = newSessions()
	return w
}

// sessions returns all, those that are seldom used first: the others go on
// using tokens that were remembered, and have to be refused now.
func (w *wallet) sessions() []*session {
	all := slices.Concat(w.users, w.bots, w.short)
	slices.Reverse(all)
	return all
}

// fill signs the first tokens, a third of them with the previous key.
func (w *wallet) fill() {
	for i, s := range w.sessions() {
		if i%3 == 0 {
			w.sign(s, accesstest.SignedByPreviousKey())
		} else {
			w.sign(s)
		}
	}
}

// sign gives a session a new token.
func (w *wallet) sign(s *session, options ...accesstest.Option) {
	s.token.Store(w.issue(s, options...))
}

// issue returns a new token for a session.
func (w *wallet) issue(s *session, options ...accesstest.Option) *token {
	t := &token{greeting: s.greeting(), admin: s.admin, expires: time.Now().Add(24 * time.Hour)}
	if s.life > 0 {
		t.expires = time.Now().Add(s.life).Truncate(time.Second)
		options = append(options, accesstest.WithExpiry(t.expires))
	}
	if s.service != "" {
		t.raw = w.team.SignService(audience, s.service, options...)
	} else {
		t.raw = w.team.SignUser(audience, s.email, options...)
	}
	t.kid = kidOf(t.raw)
	w.keys.add(t.kid, time.Now())
	return t
}

// logIn gives the busiest people new tokens, all of them at one moment: many
// requests with the new key come at once, and are to share one fetch.
func (w *wallet) logIn() {
	var issued [busiest]*token
	for i := range issued {
		issued[i] = w.issue(w.users[i])
	}
	for i, t := range issued {
		w.users[i].token.Store(t)
	}
}

// renew signs what has to be, until ctx ends. changed tells it that the keys
// have.
func (w *wallet) renew(ctx context.Context, changed <-chan struct{}) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			w.logIn()
		case <-ticker.C:
		}
		published := kidsOf(w.team.Certs())
		for _, s := range w.sessions() {
			if ctx.Err() != nil {
				return
			}
			old := s.token.Load()
			switch {
			case !slices.Contains(published, old.kid):
				w.bury(old)
				w.sign(s)
			case time.Since(old.expires) > w.grace:
				w.sign(s)
			}
		}
	}
}

// bury keeps a token of a withdrawn key.
func (w *wallet) bury(t *token) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead = append(w.dead, t); len(w.dead) > keptDead {
		w.dead = w.dead[len(w.dead)-keptDead:]
	}
}

// exhume returns a token of a withdrawn key, or nil if there is none yet.
func (w *wallet) exhume(random *rand.Rand) *token {
	choice := random.IntN(keptDead)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.dead) == 0 {
		return nil
	}
	return w.dead[choice%len(w.dead)]
}

// popular returns a session; the first ones come often.
func popular(random *rand.Rand, from []*session) *session {
	x := random.Float64()
	return from[int(x*x*x*float64(len(from)))]
}
