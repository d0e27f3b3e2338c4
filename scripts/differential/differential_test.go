package differential

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	_ = flag.Set("rapid.nofailfile", "true") // the seed reproduces a failure as well
	os.Exit(m.Run())
}

// TestDifferential verifies as many tokens as -rapid.checks says. It fails with the
// smallest token on which the verifiers differ for a reason that no class names.
func TestDifferential(t *testing.T) {
	counts := make(tally)
	defer func() { fmt.Print(counts) }()
	check(t, newVerifiers(t), counts)
}

func check(t rapid.TB, verifiers []verifier, counts tally) {
	before := rapid.SliceOfNDistinct(anyOf(editsBeforeSigning()), 0, 3, func(e edit) string { return e.slot })
	after := anyOf(editsAfterSigning())
	rapid.Check(t, func(t *rapid.T) {
		service, place := rapid.Bool().Draw(t, "service token"), rapid.IntRange(0, 1<<20).Draw(t, "place")
		edits := before.Draw(t, "edits before signing")
		if rapid.Bool().Draw(t, "edited after signing") {
			edits = append(edits, after.Draw(t, "edit after signing"))
		}
		o := verifyAll(verifiers, service, place, edits)
		if err := o.difference(); err != nil {
			t.Log("the smallest such token:\n" + o.String())
			t.Fatal(err)
		}
		counts.add(o)
	})
}

// anyOf draws one of the edits. The slot is drawn first, so that a slot with many edits
// doesn't come more often.
func anyOf(edits []edit) *rapid.Generator[edit] {
	bySlot := make(map[string][]edit)
	for _, e := range edits {
		bySlot[e.slot] = append(bySlot[e.slot], e)
	}
	var slots []*rapid.Generator[edit]
	for _, slot := range slices.Sorted(maps.Keys(bySlot)) {
		slots = append(slots, rapid.SampledFrom(bySlot[slot]))
	}
	return rapid.OneOf(slots...)
}

func editsBeforeSigning() []edit {
	return slices.Concat(signingEdits(), headerEdits(), claimEdits(), dateEdits(), spellingEdits())
}

// GoString is what rapid prints of a draw.
func (e edit) GoString() string { return e.slot + ": " + e.name }

// An outcome is a token and the result of each verifier.
type outcome struct {
	*token
	edits   []edit
	results []result
}

type result struct {
	verifier
	err error
}

// verifyAll makes a token and verifies it with each verifier. A date that decides is at
// least half a second away. If verifying took nearly as long, the token is made again.
func verifyAll(verifiers []verifier, service bool, place int, edits []edit) *outcome {
	for {
		began := time.Now()
		o := &outcome{build(service, place, edits), edits, nil}
		for _, v := range verifiers {
			if v.ours {
				_ = v.verify(o.signed) // a good one is in the cache then
			}
			o.results = append(o.results, result{v, v.verify(o.sent)})
		}
		if time.Since(began) < 400*time.Millisecond {
			return o
		}
	}
}

func (c *class) isRule() bool { return c.errors != nil }

func (c *class) names(v result) bool { return slices.Contains(c.peers, v.name) }

func (c *class) allows(err error) bool {
	return slices.ContainsFunc(c.errors, func(is error) bool { return errors.Is(err, is) })
}

// good reports whether the token breaks no rule.
func (o *outcome) good() bool { return !slices.ContainsFunc(o.classes, (*class).isRule) }

// difference returns a difference from cfaccess that no class explains, or nil.
func (o *outcome) difference() error {
	for _, v := range o.results {
		differs := o.good() != (v.err == nil)
		switch {
		case v.ours && differs && v.err != nil:
			return fmt.Errorf("%s refuses a token that breaks no rule", v.name)
		case v.ours && differs:
			return fmt.Errorf("%s accepts a token that breaks a rule", v.name)
		case v.ours && v.err != nil && !slices.ContainsFunc(o.classes, func(c *class) bool { return c.allows(v.err) }):
			return fmt.Errorf("%s refuses with the error of another rule", v.name)
		case !v.ours && differs && v.err != nil && !slices.ContainsFunc(o.classes, func(c *class) bool { return c.names(v) }):
			return fmt.Errorf("%s refuses for no reason that has a name", v.name)
		case !v.ours && differs && v.err == nil && slices.ContainsFunc(o.classes, func(c *class) bool { return c.isRule() && !c.names(v) }):
			return fmt.Errorf("%s accepts for no reason that has a name", v.name)
		}
	}
	return nil
}

func (o *outcome) String() string {
	var b strings.Builder
	for _, e := range o.edits {
		fmt.Fprintf(&b, "edit      %#v\n", e)
	}
	for _, c := range o.classes {
		fmt.Fprintf(&b, "class     %s\n", c.name)
	}
	for _, text := range [][2]string{{"header", o.header}, {"claims", o.claims}, {"token", o.sent}} {
		fmt.Fprintf(&b, "%-9s %s\n", text[0], strings.ReplaceAll(fmt.Sprintf("%.2000q", text[1]), `\"`, `"`))
	}
	for _, v := range o.results {
		fmt.Fprintf(&b, "%s: %v\n", v.name, v.err)
	}
	return b.String()
}

// A tally counts tokens by class, and those for which a peer differed that the class
// names. Under nil it counts all tokens.
type tally map[*class]map[string]int

func (t tally) count(c *class, what string) {
	if t[c] == nil {
		t[c] = make(map[string]int)
	}
	t[c][what]++
}

func (t tally) add(o *outcome) {
	t.count(nil, "tokens")
	if o.good() {
		t.count(nil, "good")
	}
	for _, c := range classes {
		if !slices.Contains(o.classes, c) {
			continue
		}
		t.count(c, "tokens")
		for _, v := range o.results {
			if o.good() != (v.err == nil) && o.good() != c.isRule() && c.names(v) {
				t.count(c, v.name)
			}
		}
	}
}

// String is Markdown.
func (t tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d tokens, of which %d break no rule\n\n", t[nil]["tokens"], t[nil]["good"])
	fmt.Fprintf(&b, "| class | cfaccess | tokens | %s differs | %s differs |\n| --- | --- | ---: | ---: | ---: |\n", both[0], both[1])
	for _, c := range classes {
		decision := "accepts"
		if c.isRule() {
			decision = "refuses"
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d |\n", c.name, decision, t[c]["tokens"], t[c][both[0]], t[c][both[1]])
	}
	return b.String()
}
