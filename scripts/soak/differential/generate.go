package main

import (
	"math/rand/v2"
	"time"
)

// perSession is how many tokens come of one signature: the token itself, and
// mutants of it that need no other.
const perSession = 5

// A session is a signed token and the mutants that are made of it.
type session struct {
	first  int // the number of its first token
	draft  *draft
	done   []applied // before signing
	memory bool      // whether the verifier remembers
}

// newSession signs the token of number first. What it is depends on what is passed
// alone.
func newSession(keys *keyring, donors []string, seed uint64, first int, now time.Time) *session {
	r := random(seed, uint64(first)*2)
	s := &session{first: first, draft: newDraft(keys, now, r)}
	s.draft.donor = pick(r, donors...)
	s.memory = r.IntN(2) == 0
	count := pick(r, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3)
	s.done = s.draft.finish(r, beforeSigning.choose(r, count))
	return s
}

// token returns the token of a number of the session, and its mutations.
func (s *session) token(seed uint64, number int) (string, []applied) {
	if number == s.first {
		return s.draft.token, s.done
	}
	r := random(seed, uint64(number)*2+1)
	d := *s.draft
	done := d.apply(r, afterSigning.choose(r, pick(r, 1, 1, 1, 2, 2, 3)), stageToken)
	return d.token, append(s.done[:len(s.done):len(s.done)], done...)
}

func random(seed, of uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, of))
}

// newDonors returns genuine tokens to splice with.
func newDonors(keys *keyring, seed uint64) []string {
	var donors []string
	for i := range 16 {
		r := random(^seed, uint64(i))
		d := newDraft(keys, time.Now(), r)
		if i%2 == 0 {
			signWith(d, keys.previous, rs256)
		}
		d.finish(r, nil)
		donors = append(donors, d.token)
	}
	return donors
}
