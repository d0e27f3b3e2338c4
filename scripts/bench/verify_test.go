package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// BenchmarkVerify measures one verification, for each case and each library. Two
// lower bounds run beside the libraries: map finds the token in a map, and rsa
// verifies its signature and nothing else.
func BenchmarkVerify(b *testing.B) {
	team := accesstest.NewTeam(peers.Team)
	b.Cleanup(team.Close)
	for _, c := range verifyCases(team) {
		b.Run("case="+c.name, func(b *testing.B) {
			for _, v := range c.verifiers() {
				b.Run("lib="+v.name, func(b *testing.B) { c.benchmark(b, team, v) })
			}
		})
	}
}

// A verifyCase is a kind of token.
type verifyCase struct {
	name     string
	tokens   []string // verified in turn
	valid    bool
	once     bool // no verifier sees a token twice
	parallel bool // on all cores
	bounds   []verifier
}

// verifyCases returns all cases. Their tokens are made once, since a signature
// takes more than ten times as long as its verification.
func verifyCases(team *accesstest.Team) []verifyCase {
	sign := func(count int, options ...accesstest.Option) []string {
		tokens := make([]string, count)
		for i := range tokens {
			tokens[i] = team.SignUser(peers.Audience, fmt.Sprintf("user%d@example.com", i), options...)
		}
		return tokens
	}
	sessions := sign(64)
	var unknown []string
	for i := range 64 {
		unknown = append(unknown, sign(1, accesstest.WithHeader("kid", fmt.Sprintf("%064x", i)))...)
	}
	forged := sign(1, accesstest.SignedByStranger())
	return []verifyCase{
		{name: "repeated", tokens: sessions[:1], valid: true, bounds: []verifier{mapLookup, rsaVerify}},
		{name: "parallel", tokens: sessions, valid: true, parallel: true, bounds: []verifier{mapLookup, rsaVerify}},
		{name: "first_time", tokens: sign(256), valid: true, once: true, bounds: []verifier{rsaVerify}},
		{name: "expired", tokens: sign(1, accesstest.WithExpiry(time.Now().Add(-time.Hour)))},
		{name: "unknown_kid", tokens: unknown},
		{name: "malformed", tokens: []string{malformed()}},
		{name: "forged", tokens: forged},
		{name: "forged_8KiB", tokens: []string{withNestedPayload(forged[0])}},
	}
}

// verifiers returns all libraries, and the lower bounds of the case.
func (c verifyCase) verifiers() []verifier {
	var all []verifier
	for _, library := range peers.Libraries() {
		all = append(all, fromLibrary(library))
	}
	return append(all, c.bounds...)
}

func (c verifyCase) benchmark(b *testing.B, team *accesstest.Team, v verifier) {
	verify, stop := c.setUp(b, team, v)
	defer func() { stop() }() // not stop(): it is replaced below
	b.ReportAllocs()
	if c.parallel {
		var workers atomic.Int64
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			// Each worker begins with another token.
			for i := int(workers.Add(1)); pb.Next(); i++ {
				if err := verify(i % len(c.tokens)); (err == nil) != c.valid {
					b.Errorf("token %d: got %v", i%len(c.tokens), err)
				}
			}
		})
		return
	}
	next := 0
	for b.Loop() {
		if err := verify(next); (err == nil) != c.valid {
			b.Fatalf("token %d: got %v", next, err)
		}
		if next++; next < len(c.tokens) {
			continue
		}
		next = 0
		if c.once {
			b.StopTimer()
			stop()
			verify, stop = c.setUp(b, team, v)
			b.StartTimer()
		}
	}
}

// setUp returns a new verifier that has the team's keys. It has seen every token
// of the case, unless it may see a token only once. The caller calls stop at the end.
func (c verifyCase) setUp(tb testing.TB, team *accesstest.Team, v verifier) (verify func(i int) error, stop context.CancelFunc) {
	tb.Helper()
	ctx, stop := context.WithCancel(tb.Context())
	verify, err := v.setUp(ctx, team, c.tokens)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range c.tokens {
		if c.once {
			break
		}
		if err := verify(i); (err == nil) != c.valid {
			tb.Fatalf("token %d: got %v", i, err)
		}
	}
	return verify, stop
}

// TestVerify checks that every verifier is set up and decides as the case says.
func TestVerify(t *testing.T) {
	team := accesstest.NewTeam(peers.Team)
	defer team.Close()
	for _, c := range verifyCases(team) {
		for _, v := range c.verifiers() {
			t.Run(c.name+"/"+v.name, func(t *testing.T) {
				verify, stop := c.setUp(t, team, v)
				defer stop()
				if err := verify(0); (err == nil) != c.valid {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}
