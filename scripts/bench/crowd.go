package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// zipfExponent is that of the law by which sessions come: the second most
// popular 2^1.1 times less often than the first, and so on.
const zipfExponent = 1.1

// chunks is how many parts a crowd is timed in; the median counts.
const chunks = 20

// peerSample is how many sessions of each part the peer verifies.
const peerSample = 500

// A crowd is more sessions than are remembered.
type crowd struct {
	Law      string
	Sessions int
	LookUps  int
	Hits     float64 // of all look-ups
	Best     float64 // what a memory could have at most that knows how popular each session is
	NS       float64 // of a Verify, hit or not
	Peer     float64 // of go-oidc's, in between
}

// measureCrowds has the sessions of the pool come to verifiers that remember a
// part of them: by a Zipf law, and one after the other, as a scan does.
func measureCrowds(ctx context.Context, team *accesstest.Team, pool []string, s size) ([]crowd, error) {
	// The same sequence in every run.
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), zipfExponent, 1, uint64(len(pool)-1))
	// Popular sessions are spread over the pool.
	spread := rand.New(rand.NewPCG(3, 4)).Perm(len(pool))
	popular, scan := make([]int, 2*s.LookUps), make([]int, 2*len(pool))
	for i := range popular {
		popular[i] = spread[zipf.Uint64()]
	}
	for i := range scan {
		scan[i] = i % len(pool)
	}
	laws := []struct {
		name  string
		order []int
		best  float64
	}{
		{fmt.Sprintf("Zipf, s = %v", zipfExponent), popular, zipfShare(s.Memory, len(pool), zipfExponent)},
		{"scan", scan, float64(s.Memory) / float64(len(pool))},
	}
	var crowds []crowd
	for _, law := range laws {
		c, err := measureCrowd(ctx, team, pool, law.order, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", law.name, err)
		}
		c.Law, c.Best = law.name, law.best
		crowds = append(crowds, c)
	}
	return crowds, nil
}

// measureCrowd looks the sessions up in that order. The first half fills the
// memory; the second counts. The hook that counts the hits is part of the cost,
// and a small one.
func measureCrowd(ctx context.Context, team *accesstest.Team, pool []string, order []int, s size) (crowd, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	peer, err := peers.NewGoOIDC(ctx, siteOf(team))
	if err != nil {
		return crowd{}, err
	}
	hits := 0
	verifier, err := newVerifier(ctx, team.URL, func(c *core.Config) {
		c.TokenCacheSize = s.Memory
		c.Hooks.Verified = func(_ context.Context, e core.Verification) {
			if e.Remembered {
				hits++
			}
		}
	})
	if err != nil {
		return crowd{}, err
	}
	verify := func(ctx context.Context, token string) error {
		_, err := verifier.Verify(ctx, token)
		return err
	}
	// visit returns the nanoseconds of one verification.
	visit := func(verify func(context.Context, string) error, sessions []int) (float64, error) {
		began := time.Now()
		for _, i := range sessions {
			if err := verify(ctx, pool[i]); err != nil {
				return 0, fmt.Errorf("session %d: %w", i, err)
			}
		}
		return float64(time.Since(began)) / float64(len(sessions)), nil
	}
	fill, order := order[:len(order)/2], order[len(order)/2:]
	if _, err := visit(verify, fill); err != nil {
		return crowd{}, err
	}
	hits = 0
	var costs, peers []float64
	for part := range chunks {
		sessions := order[part*len(order)/chunks : (part+1)*len(order)/chunks]
		cost, err := visit(verify, sessions)
		if err != nil {
			return crowd{}, err
		}
		peerCost, err := visit(peer, sessions[:min(len(sessions), peerSample)])
		if err != nil {
			return crowd{}, fmt.Errorf("%s: %w", nameOIDC, err)
		}
		costs, peers = append(costs, cost), append(peers, peerCost)
	}
	return crowd{
		Sessions: len(pool), LookUps: len(order), Hits: float64(hits) / float64(len(order)),
		NS: median(costs), Peer: median(peers),
	}, nil
}
