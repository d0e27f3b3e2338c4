package main

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// Whom every verifier here works for. An AUD tag is 64 hex digits.
const (
	teamName = "acme"
	audience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
)

// newVerifier returns our verifier, its keys fetched. Where the team listens is
// all that a process needs to know of it.
func newVerifier(ctx context.Context, teamURL string, change func(*core.Config)) (*core.Verifier, error) {
	cfg := core.Config{
		Team: teamName, Audiences: []string{audience}, Endpoint: teamURL,
		Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	v, err := core.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("our verifier: %w", err)
	}
	if err := v.Refresh(ctx); err != nil {
		return nil, fmt.Errorf("our verifier: %w", err)
	}
	return v, nil
}

// sign returns the tokens of so many people, signed on all cores. A signature
// takes more than ten times as long as its verification.
func sign(ctx context.Context, team *accesstest.Team, people int, options ...accesstest.Option) ([]string, error) {
	tokens := make([]string, people)
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < people && ctx.Err() == nil; i += workers {
				tokens[i] = team.SignUser(audience, fmt.Sprintf("person%06d@example.com", i), options...)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("stopped while signing: %w", context.Cause(ctx))
	}
	return tokens, nil
}
