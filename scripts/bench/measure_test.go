package main

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func tinySize() size {
	return size{
		Rounds: 2, Slice: time.Millisecond, Pool: 40, Memory: 8, LookUps: 60,
		Pairs: 1, Turns: 2, Turn: 20 * time.Millisecond, Connections: 2,
	}
}

func TestMeasure(t *testing.T) {
	var sink []byte
	figures, err := measure(t.Context(), []contender{
		{"nothing", each(func(int) error { return nil })},
		{"allocates", each(func(int) error { sink = make([]byte, 1<<10); return nil })},
	}, tinySize())
	if err != nil {
		t.Fatal(err)
	}
	if len(sink) == 0 || figures[0].Name != "nothing" || figures[1].Name != "allocates" {
		t.Errorf("got %v", figures)
	}
	if figures[0].NS <= 0 || figures[0].Allocs != 0 {
		t.Errorf("nothing: got %+v", figures[0])
	}
	if figures[1].Allocs != 1 || figures[1].Bytes != 1<<10 {
		t.Errorf("allocates: got %+v", figures[1])
	}
}

func TestMeasureFails(t *testing.T) {
	broken := errors.New("broken")
	if _, err := measure(t.Context(), []contender{{"x", each(func(i int) error {
		if i == 100 {
			return broken
		}
		return nil
	})}}, tinySize()); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}

	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := measure(stopped, []contender{{"x", each(func(int) error { return nil })}}, tinySize()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestEachGoesOnCounting(t *testing.T) {
	var seen []int
	run := each(func(i int) error { seen = append(seen, i); return nil })
	for _, n := range []int{2, 0, 3} {
		if err := run(n); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(seen, []int{0, 1, 2, 3, 4}) {
		t.Errorf("got %v", seen)
	}
}

func TestOnCores(t *testing.T) {
	for _, procs := range []int{1, 2} {
		for _, n := range []int{0, 1, 7, 1000} {
			var done atomic.Int64
			if err := onCores(procs, func(int) error { done.Add(1); return nil })(n); err != nil || done.Load() != int64(n) {
				t.Errorf("%d procs: did %d of %d, %v", procs, done.Load(), n, err)
			}
		}
	}
	broken := errors.New("broken")
	if err := onCores(2, func(int) error { return broken })(10); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestQuieter(t *testing.T) {
	noisy := []scaling{{nameOurs, figure{NS: 100}, figure{NS: 50}}, {nameMap, figure{NS: 100}, figure{NS: 90}}}
	calm := []scaling{{nameOurs, figure{NS: 100}, figure{NS: 70}}, {nameMap, figure{NS: 100}, figure{NS: 50}}}
	for name, got := range map[string][]scaling{"first": quieter(nil, calm), "later": quieter(noisy, calm), "earlier": quieter(calm, noisy)} {
		if floorScaling(got) != 0.5 {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
