package main

import (
	"context"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// A band is a fault as it happened, into the storm.
type band struct {
	fault *fault
	begin time.Duration
	end   time.Duration // the endpoint was well again
	over  time.Duration
}

// A conductor has the faults happen at their times.
type conductor struct {
	pace     pace
	team     *accesstest.Team
	keys     *keyring
	endpoint *endpoint
	court    *court
	strange  *gate           // open while strangers come
	flood    *gate           // open while they come in numbers
	changed  chan<- struct{} // tells the wallet of new keys

	began time.Time // of the timeline; later by the time it stood still
	bands []band
}

// play has the slots happen. It returns early if ctx ends.
func (c *conductor) play(ctx context.Context, slots []slot) {
	for _, s := range slots {
		if !c.await(ctx, s.begin) {
			return
		}
		c.happen(ctx, s)
		if ctx.Err() != nil {
			return
		}
	}
}

// await waits for a moment on the timeline.
func (c *conductor) await(ctx context.Context, at time.Duration) bool {
	timer := time.NewTimer(time.Until(c.began.Add(at)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// happen has one fault happen, and waits until all is well again.
func (c *conductor) happen(ctx context.Context, s slot) {
	f, length := s.fault, s.end-s.begin
	// On a busy machine it may be late. Each fault has its length all the same.
	if late := time.Since(c.began.Add(s.begin)); late > 0 {
		c.began = c.began.Add(late)
	}
	b := band{fault: f, begin: c.court.tally.since(time.Now())}
	c.court.during(f.name)
	c.strange.set(!f.calm)
	c.flood.set(f.floods)
	c.endpoint.misbehave(f)
	if f.withdraws {
		c.rotate()
		c.await(ctx, s.begin+length/3)
		c.team.Withdraw()
		c.tell()
	}
	if f.rotates {
		c.await(ctx, s.begin+length/4)
		c.rotate()
	}
	c.await(ctx, s.end)
	c.endpoint.misbehave(nil)
	c.flood.set(false)
	b.end = c.court.tally.since(time.Now())
	// Strangers stop in time for the next fault to find the cooldown over; but
	// while the keys are stale they are welcome to try.
	if s.over > s.end {
		c.await(ctx, s.over-c.pace.Cooldown-scheduling)
	}
	c.strange.set(false)
	c.await(ctx, s.over)
	b.over = c.court.tally.since(time.Now())
	c.bands = append(c.bands, b)
}

// rotate stops the timeline for as long as it takes to generate a key.
func (c *conductor) rotate() {
	began := time.Now()
	c.team.Rotate()
	c.began = c.began.Add(time.Since(began))
	c.keys.add(c.team.KeyID(), time.Now())
	c.tell()
}

// tell tells the wallet that the keys have changed, if it doesn't know already.
func (c *conductor) tell() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}
