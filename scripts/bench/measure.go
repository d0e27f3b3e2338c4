package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// A contender is something to be timed. Its run does the operation n times,
// and fails if one of them ends otherwise than it should.
type contender struct {
	name string
	run  func(n int) error
}

// A figure is what one operation of a contender costs: the median of rounds.
type figure struct {
	Name   string
	NS     float64
	Allocs float64
	Bytes  float64
}

// each returns a run that calls do with 0, 1, 2 … It goes on counting from one
// run to the next.
func each(do func(i int) error) func(n int) error {
	next := 0
	return func(n int) error {
		for range n {
			if err := do(next); err != nil {
				return err
			}
			next++
		}
		return nil
	}
}

// measure times the contenders in turn, round after round, so that the noise
// of a shared machine hits all alike.
func measure(ctx context.Context, contenders []contender, s size) ([]figure, error) {
	counts := make([]int, len(contenders))
	for i, c := range contenders {
		n, err := calibrate(c, s.Slice)
		if err != nil {
			return nil, err
		}
		counts[i] = n
	}
	type series struct{ ns, allocs, bytes []float64 }
	all := make([]series, len(contenders))
	for round := range s.Rounds {
		for turn := range contenders {
			// Another one begins each time: nobody is always after the same.
			i := (round + turn) % len(contenders)
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("stopped: %w", context.Cause(ctx))
			}
			f, err := timed(contenders[i], counts[i])
			if err != nil {
				return nil, err
			}
			all[i].ns = append(all[i].ns, f.NS)
			all[i].allocs = append(all[i].allocs, f.Allocs)
			all[i].bytes = append(all[i].bytes, f.Bytes)
		}
	}
	figures := make([]figure, len(contenders))
	for i, c := range contenders {
		figures[i] = figure{c.name, median(all[i].ns), median(all[i].allocs), median(all[i].bytes)}
	}
	return figures, nil
}

// calibrate returns how often c fits into slice.
func calibrate(c contender, slice time.Duration) (int, error) {
	for n := 1; ; n *= 2 {
		f, err := timed(c, n)
		if err != nil {
			return 0, err
		}
		if took := f.NS * float64(n); took >= float64(slice)/8 {
			return max(1, int(float64(slice)/f.NS)), nil
		}
	}
}

// timed runs c n times. Allocations are those of the whole process, as in
// testing.B, and rounded down as there: what the runtime allocates meanwhile
// doesn't count.
func timed(c contender, n int) (figure, error) {
	var before, after runtime.MemStats
	runtime.GC() // or this one pays for the garbage of the one before
	runtime.ReadMemStats(&before)
	began := time.Now()
	err := c.run(n)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	if err != nil {
		return figure{}, fmt.Errorf("%s: %w", c.name, err)
	}
	return figure{
		Name:   c.name,
		NS:     float64(took) / float64(n),
		Allocs: float64((after.Mallocs - before.Mallocs) / uint64(n)),
		Bytes:  float64((after.TotalAlloc - before.TotalAlloc) / uint64(n)),
	}, nil
}
