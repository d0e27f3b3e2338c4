package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/cfaccess/cfaccess/core"
)

// A tally counts outcomes. It is safe for concurrent use.
type tally struct {
	mu sync.Mutex // guards the fields below

	tokens, undecided           int
	acceptedByAll, refusedByAll int
	accepted                    int            // by ours
	refused                     map[error]int  // by ours, by the class of its error
	remembering                 int            // judged by the verifier that remembers
	broken, alone               [ruleCount]int // how often a rule was broken, and no other with it
	differing                   [len(peers)]int
	classes                     map[*class]int
	kinds                       map[string]*kindCount
	failed                      int
	failures                    []failure // some of them
}

// kindCount is how often a kind of mutation came, and how often ours accepted
// the token that it came in.
type kindCount struct{ tokens, accepted int }

// A failure is a token on which the verifiers differ for no known reason.
type failure struct {
	outcome *outcome
	err     error
}

// mostFailures is how many failures are kept.
const mostFailures = 200

func newTally() *tally {
	return &tally{
		refused: make(map[error]int), classes: make(map[*class]int), kinds: make(map[string]*kindCount),
	}
}

// add counts an outcome, and keeps it if it is a failure.
func (t *tally) add(o *outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens++
	if o.undecided {
		t.undecided++
		return
	}
	t.countKinds(o)
	for _, r := range o.broken.rules() {
		t.broken[r]++
		if o.broken == setOf(r) {
			t.alone[r]++
		}
	}
	if o.memory {
		t.remembering++
	}
	if err := o.disagreement(); err != nil {
		t.fail(o, err)
		return
	}
	if o.ours == nil {
		t.accepted++
	} else {
		t.refused[errorClass(o.ours)]++
	}
	alike := true
	for i := range peers {
		c, err := o.classOf(i)
		switch {
		case err != nil:
			t.fail(o, err)
			return
		case c != nil:
			alike = false
			t.differing[i]++
			t.classes[c]++
		}
	}
	switch {
	case alike && o.ours == nil:
		t.acceptedByAll++
	case alike:
		t.refusedByAll++
	}
}

func (t *tally) fail(o *outcome, err error) {
	t.failed++
	if len(t.failures) < mostFailures {
		t.failures = append(t.failures, failure{o, err})
	}
}

func (t *tally) countKinds(o *outcome) {
	for _, a := range o.done {
		kind := string(a.level) + ": " + a.name
		if t.kinds[kind] == nil {
			t.kinds[kind] = &kindCount{}
		}
		t.kinds[kind].tokens++
		if o.ours == nil {
			t.kinds[kind].accepted++
		}
	}
}

// A token may be left unjudged because one of its dates was reached meanwhile:
// one of so many, or a few where there are not that many.
const undecidedOneOf, undecidedAnyway = 1000, 10

// verdict returns what is wrong with the run, or nil.
func (t *tally) verdict() error {
	switch {
	case t.failed > 0:
		return fmt.Errorf("%d of %d tokens fail", t.failed, t.tokens)
	case t.undecided > max(undecidedAnyway, t.tokens/undecidedOneOf):
		return fmt.Errorf("%d of %d tokens are undecided", t.undecided, t.tokens)
	case t.accepted == 0 || t.accepted == t.tokens:
		return errors.New("the tokens are all good or all bad")
	}
	return nil
}

// first returns the failures with the least numbers.
func (t *tally) first(count int) []failure {
	slices.SortFunc(t.failures, func(a, b failure) int { return cmp.Compare(a.outcome.number, b.outcome.number) })
	return t.failures[:min(count, len(t.failures))]
}

// errorClasses are what core's errors match, in the order of the report.
var errorClasses = []error{
	core.ErrMalformed, core.ErrUnknownKey, core.ErrSignature, core.ErrExpired, core.ErrNotYetValid,
	core.ErrIssuer, core.ErrAudience, core.ErrTokenType,
}

// errorClass returns the one of errorClasses that err matches, or err itself.
func errorClass(err error) error {
	for _, c := range errorClasses {
		if errors.Is(err, c) {
			return c
		}
	}
	return err
}
