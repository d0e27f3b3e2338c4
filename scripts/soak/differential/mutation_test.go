package main

import (
	"slices"
	"testing"
	"time"
)

// Each kind of mutation comes to be, and a token that it claims to have changed
// has changed.
func TestMutations(t *testing.T) {
	c := testCourt(t)
	now := time.Unix(1_800_000_000, 0)
	const attempts = 12
	for i := range mutations {
		m := &mutations[i]
		t.Run(string(m.level)+"/"+m.name, func(t *testing.T) {
			t.Parallel()
			var changed int
			variants := make(map[string]bool)
			for attempt := range uint64(attempts) {
				finished := func(chosen []*mutation) (string, []applied) {
					d := newDraft(c.keys, now, random(testSeed, attempt))
					d.donor = c.donors[attempt]
					done := d.finish(random(testSeed, attempt+100), chosen)
					return d.token, done
				}
				plain, _ := finished(nil)
				mutant, done := finished([]*mutation{m})
				if len(done) == 0 {
					if mutant != plain {
						t.Error("changed the token and says that it didn't")
					}
					continue
				}
				if mutant == plain {
					t.Errorf("left the token as it was: %s", describe(done))
				}
				changed++
				variants[mutant] = true
			}
			if changed < attempts/3 || len(variants) < 2 {
				t.Errorf("%d of %d attempts changed the token, in %d ways", changed, attempts, len(variants))
			}
		})
	}
}

// Every kind is chosen, before the signature or after it.
func TestMenus(t *testing.T) {
	seen := make(map[*mutation]bool)
	for i := range uint64(4000) {
		r := random(testSeed, i)
		early, late := beforeSigning.choose(r, 2), afterSigning.choose(r, 2)
		if !slices.IsSortedFunc(early, func(a, b *mutation) int { return int(a.stage - b.stage) }) {
			t.Fatal("not in the order of the stages")
		}
		for _, m := range early {
			if m.stage == stageToken {
				t.Fatalf("%s is too late", m.name)
			}
			seen[m] = true
		}
		for _, m := range late {
			if m.stage != stageToken {
				t.Fatalf("%s is too early", m.name)
			}
			seen[m] = true
		}
	}
	for i := range mutations {
		if m := &mutations[i]; !seen[m] {
			t.Errorf("%s: %s is never chosen", m.level, m.name)
		}
	}
}

// A seed and a number make the same token again; others make another.
func TestReproducible(t *testing.T) {
	c := testCourt(t)
	now := time.Unix(1_800_000_000, 0)
	if again := newKeyring(testSeed); again.current.id != c.keys.current.id || again.elliptic.D.Cmp(c.keys.elliptic.D) != 0 {
		t.Error("the keys are others")
	}
	tokens := make(map[string]bool)
	for number := range 60 {
		first := number - number%perSession
		one, done := newSession(c.keys, c.donors, testSeed, first, now).token(testSeed, number)
		two, doneAgain := newSession(c.keys, c.donors, testSeed, first, now).token(testSeed, number)
		if one != two || describe(done) != describe(doneAgain) {
			t.Errorf("number %d is another token the second time", number)
		}
		tokens[one] = true
	}
	if len(tokens) < 55 {
		t.Errorf("60 numbers make %d tokens", len(tokens))
	}
}
