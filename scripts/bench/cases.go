package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A result is one case and what it cost everybody.
type result struct {
	Case    string
	Figures []figure
}

// The cases, as the tables have them.
const (
	caseRepeated   = "repeated token"
	caseInTurn     = "64 sessions in turn"
	caseFirstTime  = "first-time token"
	caseExpired    = "expired"
	caseUnknownKid = "unknown kid"
	caseGarbage    = "malformed 8 KB: no JWT"
	caseHeader     = "malformed 8 KB: header"
	casePayload    = "malformed 8 KB: payload"
)

// errAccepted is what a verifier is worth that lets a bad token pass.
var errAccepted = errors.New("a bad token was accepted")

// repeatedCases are the tokens of sessions that everybody has seen before.
func repeatedCases(ctx context.Context, team *accesstest.Team, sessions []string, s size) ([]result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	candidates, err := newCandidates(ctx, team, sessions[0])
	if err != nil {
		return nil, err
	}
	for _, token := range sessions {
		if err := candidates[0].verify(ctx, token); err != nil {
			return nil, fmt.Errorf("remembering the sessions: %w", err)
		}
	}
	known := newMap(sessions)
	signatures, err := newSigned(team, sessions)
	if err != nil {
		return nil, err
	}

	one := []contender{
		{nameMap, each(func(int) error { return lookUp(known, sessions[0]) })},
		{nameRSA, each(func(int) error { return signatures[0].verify() })},
	}
	inTurn := []contender{
		{nameMap, each(func(i int) error { return lookUp(known, sessions[i%len(sessions)]) })},
		{nameRSA, each(func(i int) error { return signatures[i%len(sessions)].verify() })},
	}
	for _, c := range candidates {
		one = append(one, contender{c.name, each(func(int) error { return c.verify(ctx, sessions[0]) })})
		inTurn = append(inTurn, contender{c.name, each(func(i int) error { return c.verify(ctx, sessions[i%len(sessions)]) })})
	}
	var results []result
	for _, m := range []struct {
		name       string
		contenders []contender
	}{{caseRepeated, one}, {caseInTurn, inTurn}} {
		figures, err := measure(ctx, m.contenders, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		results = append(results, result{m.name, figures})
	}
	return results, nil
}

// firstTimeCase gives each verifier tokens of the pool that it has never seen.
func firstTimeCase(ctx context.Context, team *accesstest.Team, good string, pool []string, s size) (result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	candidates, err := newCandidates(ctx, team, good)
	if err != nil {
		return result{}, err
	}
	signatures, err := newSigned(team, pool[:min(1024, len(pool))])
	if err != nil {
		return result{}, err
	}
	contenders := []contender{{nameRSA, each(func(i int) error { return signatures[i%len(signatures)].verify() })}}
	for _, c := range candidates {
		contenders = append(contenders, contender{c.name, each(func(i int) error {
			if i >= len(pool) {
				return fmt.Errorf("all %d tokens are spent", len(pool))
			}
			return c.verify(ctx, pool[i])
		})})
	}
	figures, err := measure(ctx, contenders, s)
	if err != nil {
		return result{}, fmt.Errorf("%s: %w", caseFirstTime, err)
	}
	return result{caseFirstTime, figures}, nil
}

// refusedCases are the tokens that nobody may accept.
func refusedCases(ctx context.Context, team *accesstest.Team, good string, s size) ([]result, error) {
	expired := team.SignUser(audience, "ada@example.com", accesstest.WithExpiry(time.Now().Add(-time.Hour)))
	var unknown []string
	for i := range sessionCount {
		kid := fmt.Sprintf("%064x", i)
		unknown = append(unknown, team.SignUser(audience, "ada@example.com", accesstest.WithHeader("kid", kid)))
	}
	var results []result
	for _, bad := range []struct {
		name   string
		tokens []string
	}{
		{caseExpired, []string{expired}},
		{caseUnknownKid, unknown},
		{caseGarbage, []string{strings.Repeat("A", malformedSize)}},
		{caseHeader, []string{malformedHeader(team.KeyID())}},
		{casePayload, []string{malformedPayload(good)}},
	} {
		figures, err := refusedCase(ctx, team, good, bad.tokens, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", bad.name, err)
		}
		results = append(results, result{bad.name, figures})
	}
	return results, nil
}

// refusedCase measures with verifiers of its own, so that no case leaves the
// next one a rate limiter that has run out.
func refusedCase(ctx context.Context, team *accesstest.Team, good string, bad []string, s size) ([]figure, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	candidates, err := newCandidates(ctx, team, good)
	if err != nil {
		return nil, err
	}
	var contenders []contender
	for _, c := range candidates {
		contenders = append(contenders, contender{c.name, each(func(i int) error {
			if c.verify(ctx, bad[i%len(bad)]) == nil {
				return errAccepted
			}
			return nil
		})})
	}
	return measure(ctx, contenders, s)
}

// malformedSize is the largest token that we look into.
const malformedSize = 8 << 10

// malformedHeader returns a token whose header is as long as it can be and
// JSON up to its last bytes.
func malformedHeader(keyID string) string {
	rest := ".e30.e30"
	room := (malformedSize - len(rest)) / 4 * 3
	start := `{"alg":"RS256","kid":"` + keyID + `","x":"`
	header := []byte(start + strings.Repeat("x", room-len(start)))
	return base64.RawURLEncoding.EncodeToString(header) + rest
}

// malformedPayload returns a token with the header and the signature of good,
// and a payload that is JSON up to its last byte.
func malformedPayload(good string) string {
	parts := strings.Split(good, ".")
	room := (malformedSize - len(parts[0]) - len(parts[2]) - 2) / 4 * 3
	payload := slices.Concat([]byte(`{"x":"`), []byte(strings.Repeat("x", room-8)), []byte(`",`))
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
}
