package main

import (
	"math/rand/v2"
	"time"
)

// A slot is a fault's place on the timeline.
type slot struct {
	fault *fault
	begin time.Duration
	end   time.Duration // the endpoint is well again
	over  time.Duration // so are the servers; the next slot begins
}

// plan returns what goes wrong, and when: the same for the same arguments. A
// run with time for all faults has them in rounds, each in another order. One
// without has those that are always there, and as many others as fit in.
func plan(seed uint64, p pace, length time.Duration) []slot {
	random := rand.New(rand.NewPCG(seed, 0))
	var slots []slot
	at := time.Duration(0)
	for {
		round := fitting(random, p, length-at)
		if len(round) == 0 {
			return slots
		}
		for _, f := range round {
			s := slot{fault: f, begin: at, end: at + f.lasts(p)}
			s.over = s.end + f.recovers(p)
			slots = append(slots, s)
			at = s.over
		}
	}
}

// fitting returns the faults of a round in their order.
func fitting(random *rand.Rand, p pace, left time.Duration) []*fault {
	var round []*fault
	for _, always := range []bool{true, false} {
		for _, i := range random.Perm(len(faults)) {
			f := faults[i]
			length := f.lasts(p) + f.recovers(p)
			if f.always == always && length <= left {
				round = append(round, f)
				left -= length
			}
		}
	}
	random.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
	return round
}

// middle returns the index of the slot before which the storm pauses.
func middle(slots []slot, length time.Duration) int {
	for i, s := range slots {
		if s.begin >= length/2 {
			return i
		}
	}
	return len(slots) / 2
}
