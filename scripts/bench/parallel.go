package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A scaling is what one operation costs on one core and on two at once: the
// time that passed, divided by the operations of all cores.
type scaling struct {
	Name     string
	One, Two figure
}

// ratio is 0.5 for what scales perfectly, and 1 for what doesn't.
func (s scaling) ratio() float64 { return s.Two.NS / s.One.NS }

// quiet is the ratio of a floor up to which nothing else had the second core.
const quiet = 0.55

// quieter returns that of two measurements at which the map look-up scaled
// better. It, and not ours, says how much of two cores there was to have.
func quieter(a, b []scaling) []scaling {
	if floorScaling(b) < floorScaling(a) {
		return b
	}
	return a
}

// floorScaling is the map look-up's ratio, and infinite if it wasn't measured.
func floorScaling(scalings []scaling) float64 {
	for _, s := range scalings {
		if s.Name == nameMap {
			return s.ratio()
		}
	}
	return math.Inf(1)
}

// measureParallel has 64 sessions come in turn on one core and on two. The
// floors share nothing between cores: they show what this machine can give.
func measureParallel(ctx context.Context, team *accesstest.Team, sessions []string, s size) ([]scaling, error) {
	verifier, err := newVerifier(ctx, team.URL, nil)
	if err != nil {
		return nil, err
	}
	verify := func(i int) error {
		_, err := verifier.Verify(ctx, sessions[i%len(sessions)])
		return err
	}
	for i := range sessions {
		if err := verify(i); err != nil {
			return nil, fmt.Errorf("remembering the sessions: %w", err)
		}
	}
	known := newMap(sessions)
	signatures, err := newSigned(team, sessions)
	if err != nil {
		return nil, err
	}
	operations := []struct {
		name string
		do   func(i int) error
	}{
		{nameOurs, verify},
		{nameMap, func(i int) error { return lookUp(known, sessions[i%len(sessions)]) }},
		{nameRSA, func(i int) error { return signatures[i%len(signatures)].verify() }},
	}
	var contenders []contender
	for _, o := range operations {
		contenders = append(contenders,
			contender{o.name, onCores(1, o.do)}, contender{o.name, onCores(2, o.do)})
	}
	figures, err := measure(ctx, contenders, s)
	if err != nil {
		return nil, fmt.Errorf("parallel: %w", err)
	}
	var scalings []scaling
	for i, o := range operations {
		scalings = append(scalings, scaling{o.name, figures[2*i], figures[2*i+1]})
	}
	return scalings, nil
}

// onCores returns a run that shares its n operations among as many goroutines
// as there are procs, with GOMAXPROCS set to that for the time. Each begins
// with another session.
func onCores(procs int, do func(i int) error) func(n int) error {
	return func(n int) error {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		failures := make([]error, procs)
		var wg sync.WaitGroup
		for worker := range procs {
			share := n / procs
			if worker < n%procs {
				share++
			}
			wg.Go(func() {
				start := worker * sessionCount / procs
				for i := range share {
					if err := do(start + i); err != nil {
						failures[worker] = err
						return
					}
				}
			})
		}
		wg.Wait()
		return errors.Join(failures...)
	}
}
