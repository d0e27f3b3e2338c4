package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// Whom every verifier here works for.
const (
	teamName = peers.Team
	audience = peers.Audience
)

// newVerifier returns our verifier, its keys fetched. Where the team listens is
// all that a process needs to know of it.
func newVerifier(ctx context.Context, teamURL string, change func(*core.Config)) (*core.Verifier, error) {
	v, err := peers.NewVerifier(peers.Site{URL: teamURL}, change)
	if err != nil {
		return nil, err
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
