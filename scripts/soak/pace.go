package main

import (
	"fmt"
	"time"
)

// A pace is how the times of a server and of the faults are scaled down. Only
// core's backoff, 1 s to 1 min, is what it is.
type pace struct {
	Leeway          time.Duration
	RefreshInterval time.Duration
	MaxStale        time.Duration
	Cooldown        time.Duration
	FetchTimeout    time.Duration

	Fault  time.Duration // how long an endpoint fails that answers at once
	Stall  time.Duration // how long one fails that lets a fetch run into its timeout
	Outage time.Duration // longer than MaxStale
	Step   time.Duration // of a fault that makes no fetch fail
}

// shortest is the least that sees the faults which every run has to see, and
// longFrom is where there is time for faults that last.
const (
	shortest = 15 * time.Second
	longFrom = 4 * time.Minute
)

func paceOf(length time.Duration) (pace, error) {
	switch {
	case length < shortest:
		return pace{}, fmt.Errorf("-for %v is less than %v", length, shortest)
	case length < longFrom:
		return pace{
			Leeway: time.Second, RefreshInterval: 1500 * time.Millisecond, MaxStale: 5500 * time.Millisecond,
			Cooldown: 500 * time.Millisecond, FetchTimeout: 500 * time.Millisecond,
			Fault: 600 * time.Millisecond, Stall: 1100 * time.Millisecond, Outage: 6200 * time.Millisecond,
			Step: 1300 * time.Millisecond,
		}, nil
	default:
		return pace{
			Leeway: time.Second, RefreshInterval: 5 * time.Second, MaxStale: 20 * time.Second,
			Cooldown: 2 * time.Second, FetchTimeout: 1500 * time.Millisecond,
			Fault: 2900 * time.Millisecond, Stall: 4400 * time.Millisecond, Outage: 22 * time.Second,
			Step: 8 * time.Second,
		}, nil
	}
}

// backoff is how long core waits after so many failed fetches in a row: "retry
// with backoff and jitter (1 s … 1 min)", which doubles.
func backoff(failures int) (least, most time.Duration) {
	most = time.Minute
	if failures < 6 {
		most = min(most, time.Second<<failures)
	}
	return most / 2, most
}

// recovery is how long after a fault of that length the keys are fresh again:
// the retry that comes after as many failures as fit in.
func recovery(length time.Duration) time.Duration {
	failures := 1
	for at := time.Duration(0); ; failures++ {
		least, most := backoff(failures)
		if at += least; at > length {
			return most
		}
	}
}
