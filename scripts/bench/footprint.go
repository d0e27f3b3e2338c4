package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A footprint is the heap that a memory of tokens takes: a verifier with all
// that it holds, after a garbage collection.
type footprint struct {
	Remembered int
	Full       float64 // bytes a token, when the bound is reached
	More       int     // tokens that came after that
	After      float64 // bytes a token then
}

// growth is 1 where the memory stays as it is once it is full.
func (f footprint) growth() float64 { return f.After / f.Full }

// measureFootprint fills a memory, and then has the whole pool come once more.
// What the callers hold is not counted: our memory keeps copies.
func measureFootprint(ctx context.Context, team *accesstest.Team, pool []string, s size) (footprint, error) {
	before := heap()
	verifier, err := newVerifier(ctx, team.URL, func(c *core.Config) { c.TokenCacheSize = s.Memory })
	if err != nil {
		return footprint{}, err
	}
	visit := func(tokens []string) (bytes float64, err error) {
		for _, token := range tokens {
			if _, err := verifier.Verify(ctx, token); err != nil {
				return 0, fmt.Errorf("footprint: %w", err)
			}
		}
		return (heap() - before) / float64(s.Memory), nil
	}
	full, err := visit(pool[:s.Memory])
	if err != nil {
		return footprint{}, err
	}
	if _, err := visit(pool[s.Memory:]); err != nil {
		return footprint{}, err
	}
	after, err := visit(pool[:s.Memory])
	if err != nil {
		return footprint{}, err
	}
	runtime.KeepAlive(verifier)
	return footprint{Remembered: s.Memory, Full: full, More: len(pool), After: after}, nil
}

// heap returns the bytes of live objects.
func heap() float64 {
	runtime.GC()
	runtime.GC() // the first leaves what pools and finalizers hold
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
