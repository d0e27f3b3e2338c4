package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An outcome is what everybody says of one token.
type outcome struct {
	number int
	token  string
	done   []applied
	memory bool // ours remembers, and has just seen the token as it was signed

	reading *reading
	broken  ruleSet
	at      time.Time
	// undecided: a date came into force, or went out of it, while the
	// verifiers were asked.
	undecided bool

	ours  error
	peers [len(peers)]error
}

// A court asks the verifiers and the rules.
type court struct {
	keys   *keyring
	rules  *rulebook
	judges *candidates
	donors []string
	seed   uint64
}

func newCourt(ctx context.Context, seed uint64) (*court, error) {
	keys := newKeyring(seed)
	judges, err := newCandidates(ctx, keys)
	if err != nil {
		return nil, err
	}
	return &court{keys, newRulebook(keys), judges, newDonors(keys, seed), seed}, nil
}

// grace is how near to one of its dates a token is not judged: the clock is read
// by everybody for himself.
const grace = time.Millisecond

// judge asks everybody about one token.
func (c *court) judge(ctx context.Context, number int, token string, done []applied, memory bool) *outcome {
	o := &outcome{number: number, token: token, done: done, memory: memory, at: time.Now()}
	ours := c.judges.forgetful
	if memory {
		ours = c.judges.remembering
	}
	_, o.ours = ours.Verify(ctx, token)
	for i, verify := range c.judges.peers {
		o.peers[i] = verify(ctx, token)
	}
	o.read(c.rules, time.Now())
	return o
}

// read has the rules judge the token, for the time while the others did.
func (o *outcome) read(rules *rulebook, after time.Time) {
	o.reading = rules.read(o.token)
	o.broken = o.reading.at(o.at.Add(-grace))
	o.undecided = o.broken != o.reading.at(after.Add(grace))
}

// session judges the tokens of a session from the number from to before the number
// to. A mutant comes right after the token that it was made of, which by then is
// remembered if it is good.
func (c *court) session(ctx context.Context, first, from, to int, report func(*outcome)) {
	s := newSession(c.keys, c.donors, c.seed, first, time.Now())
	for number := first; number < to; number++ {
		token, done := s.token(c.seed, number)
		if number > first && s.memory {
			_, _ = c.judges.remembering.Verify(ctx, s.draft.token) // its answer is known
		}
		if number >= from || number == first {
			o := c.judge(ctx, number, token, done, s.memory)
			if number >= from {
				report(o)
			}
		}
	}
}

// disagreement says in which way ours and the rules differ, or nil. That they
// agree that a token is bad is not enough: the error has to be that of a rule
// which is broken.
func (o *outcome) disagreement() error {
	switch {
	case o.ours == nil && o.broken != 0:
		return fmt.Errorf("wrong accept: %v", o.broken)
	case o.ours != nil && o.broken == 0:
		return fmt.Errorf("wrong refusal: %w", o.ours)
	case o.ours == nil:
		return nil
	}
	for _, r := range o.broken.rules() {
		if errors.Is(o.ours, ruleFacts[r].is) {
			return nil
		}
	}
	return fmt.Errorf("wrong reason: %w, but %v", o.ours, o.broken)
}
