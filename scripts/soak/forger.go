package main

import (
	"sync"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// victim is whose token a forger would like to have.
const victim = "person000@" + adminDomain

// A forger makes the tokens of forgeries. A signature takes a while, so what it
// has signed it uses again until the key changes. It is safe for concurrent use.
type forger struct {
	team *accesstest.Team

	mu     sync.Mutex // guards the fields below
	kid    string
	signed map[string]string // by the forgery's name
}

func newForger(team *accesstest.Team) *forger { return &forger{team: team} }

// forge returns the forged token.
func (f *forger) forge(kind *forgery, good, other string) string {
	if kind.mutate != nil {
		return kind.mutate(good, other)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if kid := f.team.KeyID(); kid != f.kid {
		f.kid, f.signed = kid, make(map[string]string)
	}
	raw, ok := f.signed[kind.name]
	if !ok {
		raw = f.team.SignUser(audience, victim, kind.signed...)
		f.signed[kind.name] = raw
	}
	return raw
}
