package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

const testSeed = 7

// newTestCourt makes the keys once: that takes longest.
var newTestCourt = sync.OnceValues(func() (*court, error) { return newCourt(context.Background(), testSeed) })

func testCourt(t *testing.T) *court {
	t.Helper()
	c, err := newTestCourt()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The run itself, in small.
func TestNoDifferenceWithoutAName(t *testing.T) {
	tally := newTally()
	if err := testCourt(t).sit(t.Context(), fewTokens, 2, tally, func(int) {}); err != nil {
		t.Fatal(err)
	}
	for _, f := range tally.first(5) {
		t.Errorf("%v\n%s", f.err, describeOutcome(f.outcome, testSeed))
	}
	if err := tally.verdict(); err != nil {
		t.Error(err)
	}
	for i, count := range tally.alone {
		// A line break is another spelling too; of a field of another type
		// the value isn't good either.
		if r := rule(i); count == 0 && fewTokens >= 5000 && r != ruleLineBreak && r != ruleFieldType {
			t.Errorf("no token breaks this rule alone: %v", r)
		}
	}
	sum := tally.acceptedByAll + tally.refusedByAll + tally.undecided
	if tally.tokens != fewTokens || sum+max(tally.differing[0], tally.differing[1]) > fewTokens {
		t.Errorf("%d tokens, %d alike or undecided, %v differing: want %d", tally.tokens, sum, tally.differing, fewTokens)
	}
}

// What a run must not take for agreement.
func TestDisagreement(t *testing.T) {
	c := testCourt(t)
	good := func(edits ...func(*draft)) *outcome {
		d := newDraft(c.keys, time.Now(), random(testSeed, 1))
		for _, edit := range edits {
			edit(d)
		}
		d.finish(nil, nil)
		return c.judge(t.Context(), 0, d.token, nil, false)
	}
	org := func(d *draft) { d.claims.set("type", `"org"`) }
	for name, test := range map[string]struct {
		outcome *outcome
		ours    error
		want    string
	}{
		"agreement on a good one":  {good(), nil, ""},
		"agreement on a bad one":   {good(org), core.ErrTokenType, ""},
		"a bad one accepted":       {good(org), nil, "wrong accept: broken: type is app or absent"},
		"a good one refused":       {good(), core.ErrMalformed, "wrong refusal: cfaccess: malformed token"},
		"refused for another rule": {good(org), core.ErrExpired, "wrong reason: cfaccess: token expired, but broken: type is app or absent"},
	} {
		t.Run(name, func(t *testing.T) {
			test.outcome.ours = test.ours
			var got string
			if err := test.outcome.disagreement(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A class holds for what it names and nothing else.
func TestClassOf(t *testing.T) {
	c := testCourt(t)
	errPeer := errors.New("some reason")
	mutation := func(name string) applied {
		for i := range mutations {
			if mutations[i].name == name {
				return applied{&mutations[i], name}
			}
		}
		t.Fatalf("no mutation %q", name)
		return applied{}
	}
	for name, test := range map[string]struct {
		edit    func(*draft)
		done    string
		oidc    error
		want    string
		wantErr bool
	}{
		"accepted by both":               {edit: func(*draft) {}},
		"refused for no known reason":    {edit: func(*draft) {}, oidc: errPeer, wantErr: true},
		"org":                            {edit: func(d *draft) { d.claims.set("type", `"org"`) }, done: "other type of token", want: "type other than app"},
		"org by a mutation of the bytes": {edit: func(d *draft) { d.claims.set("type", `"org"`) }, done: "bit flipped", wantErr: true},
		"org by a mutation of the kid":   {edit: func(d *draft) { d.claims.set("type", `"org"`) }, done: "other kid", wantErr: true},
		"forged": {
			edit: func(d *draft) { d.signing.key = d.keys.stranger }, done: "stranger's key", wantErr: true},
		"forged org": {
			edit: func(d *draft) { d.signing.key = d.keys.stranger; d.claims.set("type", `"org"`) }, done: "stranger's key", wantErr: true},
		"other issuer":  {edit: func(d *draft) { d.claims.set("iss", `"x"`) }, done: "other issuer", wantErr: true},
		"no exp":        {edit: func(d *draft) { d.claims[d.claims.find("exp")].name = `"x"` }, done: "claim missing", wantErr: true},
		"exp elsewhere": {edit: func(d *draft) { d.claims[d.claims.find("exp")].name = `"Exp"` }, done: "claim named in another case", want: "claim in another case"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft(c.keys, time.Now(), random(testSeed, 2))
			test.edit(d)
			d.finish(nil, nil)
			var done []applied
			if test.done != "" {
				done = append(done, mutation(test.done))
			}
			o := c.judge(t.Context(), 0, d.token, done, false)
			o.peers[0] = test.oidc
			class, err := o.classOf(0)
			if (err != nil) != test.wantErr {
				t.Fatalf("error %v, want one: %t", err, test.wantErr)
			}
			var got string
			if class != nil {
				got = class.name
			}
			if got != test.want {
				t.Errorf("class %q, want %q", got, test.want)
			}
		})
	}
}

func TestRun(t *testing.T) {
	directory := t.TempDir()
	var stdout, stderr strings.Builder
	if err := run(t.Context(), []string{"-seed", "7", "-n", "200", "-out", directory}, &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(directory, "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"200 tokens from seed 7", "other spelling of the signature", "header field twice", "nbf within five minutes"} {
		if !strings.Contains(stdout.String(), want) || !strings.Contains(string(written), want) {
			t.Errorf("no %q in the report", want)
		}
	}
	stdout.Reset()
	if err := run(t.Context(), []string{"-seed", "7", "-only", "123"}, &stdout, &stderr); err != nil {
		t.Error(err)
	}
	if got := stdout.String(); !strings.HasPrefix(got, "seed 7, number 123: ") {
		t.Errorf("got %s", got)
	}
	for _, args := range [][]string{{"-n", "0"}, {"x"}, {"-workers", "0"}} {
		if err := run(t.Context(), args, &stdout, &stderr); err == nil {
			t.Errorf("%q: want an error", args)
		}
	}
}
