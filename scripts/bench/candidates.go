package main

import (
	"context"
	"fmt"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// The names of those that are compared, as the tables have them.
const (
	nameOurs      = peers.Ours
	nameGolangJWT = peers.GolangJWT
	nameOIDC      = peers.GoOIDC
	nameJWX       = peers.JWX
	nameAuth0     = peers.Auth0
)

// A candidate is a verifier that a Go program could choose.
type candidate struct {
	name   string
	verify peers.Verify
}

// newCandidates returns ours and the peers, with the same issuer and audience.
// All have their keys: good is a token that each has accepted. Their goroutines
// end with ctx.
func newCandidates(ctx context.Context, team *accesstest.Team, good string) ([]candidate, error) {
	var candidates []candidate
	for _, library := range peers.Libraries() {
		verify, err := library.New(ctx, siteOf(team))
		if err == nil {
			err = verify(ctx, good)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", library.Name, err)
		}
		candidates = append(candidates, candidate{library.Name, verify})
	}
	return candidates, nil
}

func siteOf(team *accesstest.Team) peers.Site {
	return peers.Site{URL: team.URL, Issuer: team.Issuer()}
}
