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
	_ = flag.Set("rapid.nofailfile", "true") // the keys are others each time, so a seed says as much
	os.Exit(m.Run())
}

// As many tokens as -rapid.checks says. It fails with the smallest one on which the
// verifiers differ for no reason that has a name.
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
		o := judge(verifiers, service, place, edits)
		if err := o.difference(); err != nil {
			t.Log("the smallest such token:\n" + o.String())
			t.Fatal(err)
		}
		counts.add(o)
	})
}

// anyOf draws one of the edits. Each slot is as likely as another, however many edits
// it has.
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

// An outcome is a token and what each verifier says of it.
type outcome struct {
	*token
	edits    []edit
	verdicts []verdict
}

type verdict struct {
	verifier
	err error
}

// judge makes a token and asks the verifiers. No date that decides is within half a
// second, so a token for which that took longer is made again.
func judge(verifiers []verifier, service bool, place int, edits []edit) *outcome {
	for {
		began := time.Now()
		o := &outcome{build(service, place, edits), edits, nil}
		for _, v := range verifiers {
			if v.ours {
				_ = v.verify(o.signed) // the cache has it then, if it is good
			}
			o.verdicts = append(o.verdicts, verdict{v, v.verify(o.sent)})
		}
		if time.Since(began) < 400*time.Millisecond {
			return o
		}
	}
}

func (c *class) isRule() bool { return c.errors != nil }

func (c *class) names(v verdict) bool { return slices.Contains(c.peers, v.name) }

func (c *class) allows(err error) bool {
	return slices.ContainsFunc(c.errors, func(is error) bool { return errors.Is(err, is) })
}

// good reports whether the token breaks no rule.
func (o *outcome) good() bool { return !slices.ContainsFunc(o.classes, (*class).isRule) }

// difference returns a difference from cfaccess that no class explains, or nil.
func (o *outcome) difference() error {
	for _, v := range o.verdicts {
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
	for _, v := range o.verdicts {
		fmt.Fprintf(&b, "%s: %v\n", v.name, v.err)
	}
	return b.String()
}

// A tally has for each class how many tokens were in it, and for how many of these
// a peer differed that the class names. nil stands for all tokens.
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
		for _, v := range o.verdicts {
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
		verdict := "accepts"
		if c.isRule() {
			verdict = "refuses"
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d |\n", c.name, verdict, t[c]["tokens"], t[c][both[0]], t[c][both[1]])
	}
	return b.String()
}
