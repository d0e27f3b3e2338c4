package main

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// everySeed is enough of them to see the rare orders.
const everySeed = 200

func TestPlan(t *testing.T) {
	t.Parallel()
	for length, least := range map[time.Duration]int{
		shortest: 6, 20 * time.Second: 8, time.Minute: len(faults), 10 * time.Minute: len(faults),
	} {
		t.Run(length.String(), func(t *testing.T) {
			p, err := paceOf(length)
			if err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(everySeed) {
				slots := plan(seed, p, length)
				if again := plan(seed, p, length); !reflect.DeepEqual(slots, again) {
					t.Fatalf("seed %d: two plans differ", seed)
				}
				kinds := make(map[string]bool)
				at := time.Duration(0)
				for _, s := range slots {
					if s.begin != at || s.end <= s.begin || s.over < s.end || s.over > length {
						t.Fatalf("seed %d: %s from %v to %v, over at %v; the one before was at %v", seed, s.fault.name, s.begin, s.end, s.over, at)
					}
					at = s.over
					kinds[s.fault.name] = true
				}
				if len(kinds) < least {
					t.Errorf("seed %d: %d faults, want %d", seed, len(kinds), least)
				}
				for _, f := range faults {
					if f.always && !kinds[f.name] {
						t.Errorf("seed %d: no %s", seed, f.name)
					}
				}
			}
		})
	}
	t.Run("another seed", func(t *testing.T) {
		p, err := paceOf(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(plan(1, p, time.Minute), plan(2, p, time.Minute)) {
			t.Error("it makes no difference")
		}
	})
}

// A fault's slot has room for the backoff, and 503s are for the long outage.
func TestPaceFits(t *testing.T) {
	t.Parallel()
	for _, length := range []time.Duration{time.Minute, 10 * time.Minute} {
		p, err := paceOf(length)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			if !f.fails() {
				continue
			}
			oldest := p.RefreshInterval + f.lasts(p) + f.recovers(p)
			if isLong := f.lasts(p) > p.MaxStale; isLong != (f.name == "long outage") || !isLong && oldest > p.MaxStale {
				t.Errorf("%v, %s: the keys may be %v old, MaxStale is %v", length, f.name, oldest, p.MaxStale)
			}
		}
	}
	if _, err := paceOf(shortest - 1); err == nil {
		t.Error("a run that is too short is taken")
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int][2]time.Duration{
		1: {1 * time.Second, 2 * time.Second}, 2: {2 * time.Second, 4 * time.Second}, 5: {16 * time.Second, 32 * time.Second},
		6: {30 * time.Second, time.Minute}, 60: {30 * time.Second, time.Minute},
	} {
		if least, most := backoff(failures); least != want[0] || most != want[1] {
			t.Errorf("after %d: %v to %v, want %v", failures, least, most, want)
		}
	}
	for length, want := range map[time.Duration]time.Duration{
		0: 2 * time.Second, 999 * time.Millisecond: 2 * time.Second, time.Second: 4 * time.Second,
		2999 * time.Millisecond: 4 * time.Second, 3 * time.Second: 8 * time.Second,
	} {
		if got := recovery(length); got != want {
			t.Errorf("recovery from %v: %v, want %v", length, got, want)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"too short": {"-for", "1s"}, "no duration": {"-for", "x"}, "no seed": {"-seed", "-1"},
		"an argument": {"20s"}, "no directory": {"-out", "/nonexistent"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), args, t.Output(), t.Output()); err == nil || errors.Is(err, errWrong) {
				t.Errorf("got %v, want an error about the arguments", err)
			}
		})
	}
	if err := run(t.Context(), []string{"-h"}, t.Output(), t.Output()); err != nil {
		t.Errorf("-h: %v", err)
	}
}
