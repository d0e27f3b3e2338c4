package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// progressEvery is how often a long run says how far it is.
const progressEvery = 30 * time.Second

// sit judges the tokens 0 to count, several at once. They share the verifiers, as
// the requests of a server do.
func (c *court) sit(ctx context.Context, count, workers int, t *tally, progress func(done int)) error {
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for ctx.Err() == nil {
				first := int(next.Add(perSession)) - perSession
				if first >= count {
					return
				}
				c.session(ctx, first, first, min(first+perSession, count), t.add)
			}
		})
	}
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			progress(min(int(next.Load()), count))
		case <-done:
			return ctx.Err()
		}
	}
}
