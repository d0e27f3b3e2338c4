package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The peers are configured to do the same work, or the comparison is worth
// nothing: each accepts a good token and refuses each bad one.
func TestCandidatesAgree(t *testing.T) {
	team := newTeam(t)
	good := team.SignUser(audience, "ada@example.com")
	candidates, err := newCandidates(t.Context(), team, good)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"forged":         team.SignUser(audience, "ada@example.com", accesstest.SignedByStranger()),
		"expired":        team.SignUser(audience, "ada@example.com", accesstest.WithExpiry(time.Now().Add(-time.Hour))),
		"other issuer":   team.SignUser(audience, "ada@example.com", accesstest.WithClaim("iss", "https://other.cloudflareaccess.com")),
		"other audience": team.SignUser(strings.Repeat("0", 64), "ada@example.com"),
		"unknown kid":    team.SignUser(audience, "ada@example.com", accesstest.WithHeader("kid", "0")),
		"garbage":        strings.Repeat("A", malformedSize),
		"header":         malformedHeader(team.KeyID()),
		"payload":        malformedPayload(good),
	} {
		for _, c := range candidates {
			if c.verify(t.Context(), bad) == nil {
				t.Errorf("%s accepts: %s", c.name, name)
			}
		}
	}
}

// A token over 8 KiB would be refused for its size alone.
func TestMalformedTokensAreAsLargeAsTheyCanBe(t *testing.T) {
	team := newTeam(t)
	good := team.SignUser(audience, "ada@example.com")
	verifier, err := newVerifier(t.Context(), team.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"header": malformedHeader(team.KeyID()), "payload": malformedPayload(good)} {
		if len(token) > malformedSize || len(token) < malformedSize-4 {
			t.Errorf("%s: %d bytes", name, len(token))
		}
		if _, err := verifier.Verify(t.Context(), token); !errors.Is(err, core.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestFloors(t *testing.T) {
	team := newTeam(t)
	tokens, err := sign(t.Context(), team, 3)
	if err != nil {
		t.Fatal(err)
	}
	signatures, err := newSigned(team, tokens)
	if err != nil {
		t.Fatal(err)
	}
	for i := range signatures {
		if err := signatures[i].verify(); err != nil {
			t.Errorf("signature %d: %v", i, err)
		}
	}
	signatures[0].digest[0] ^= 1
	if signatures[0].verify() == nil {
		t.Error("a wrong digest verifies")
	}
	known := newMap(tokens[:2])
	if err := lookUp(known, tokens[1]); err != nil {
		t.Error(err)
	}
	if lookUp(known, tokens[2]) == nil {
		t.Error("found what isn't there")
	}
}

func TestSign(t *testing.T) {
	team := newTeam(t)
	tokens, err := sign(t.Context(), team, 5)
	if err != nil {
		t.Fatal(err)
	}
	if known := newMap(tokens); len(known) != 5 {
		t.Errorf("%d distinct tokens of 5", len(known))
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := sign(stopped, team, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestCrowdsAndFootprint(t *testing.T) {
	team, s := newTeam(t), tinySize()
	pool, err := sign(t.Context(), team, s.Pool)
	if err != nil {
		t.Fatal(err)
	}
	crowds, err := measureCrowds(t.Context(), team, pool, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range crowds {
		if c.NS <= 0 || c.Hits < 0 || c.Hits >= 1 || c.Best <= 0 || c.Best >= 1 {
			t.Errorf("%+v", c)
		}
	}
	f, err := measureFootprint(t.Context(), team, pool, s)
	if err != nil || f.Remembered != s.Memory || f.More != s.Pool {
		t.Errorf("%+v, %v", f, err)
	}
}
