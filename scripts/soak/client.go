package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// How much traffic a server gets.
const (
	ordinaryClients = 4
	ordinaryEvery   = 10 * time.Millisecond
	strangeEvery    = 20 * time.Millisecond
	floodEvery      = 5 * time.Millisecond
)

// A client sends requests to one server, one at a time, and has the answers
// judged.
type client struct {
	docket     docket
	connection connection
	next       func() *request // nil in place of a request is a turn without one
	every      time.Duration
	gate       *gate         // open while it has something to do
	quiet      *sync.RWMutex // locked while nobody may send anything
}

// newComposer returns a composer that makes its own choices from the seed.
// number tells the clients of a run apart; 0 is the timeline's.
func newComposer(seed uint64, number int, w *wallet, f *forger, leeway time.Duration) *composer {
	return &composer{
		random: rand.New(rand.NewPCG(seed, uint64(number))), wallet: w, forger: f, forgeries: newForgeries(), leeway: leeway,
	}
}

// run sends requests until ctx ends. The pace is open: a late answer is not
// followed by a burst.
func (c *client) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := time.Now()
	for c.gate.pass(ctx) {
		c.turn(ctx)
		now := time.Now()
		c.docket.hear(now.Add(-c.docket.court.settles()))
		if next = next.Add(c.every); next.Before(now) {
			next = now
		}
		timer.Reset(time.Until(next))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// turn sends a request, and files the answer.
func (c *client) turn(ctx context.Context) {
	c.quiet.RLock()
	defer c.quiet.RUnlock()
	if ctx.Err() != nil {
		return
	}
	r := c.next()
	if r == nil {
		return
	}
	c.send(ctx, r)
}

// send sends a request and files the answer. ctx bounds nothing but a dial: an
// answer that is under way is read.
func (c *client) send(ctx context.Context, r *request) {
	got, sent, answered, err := c.connection.ask(context.WithoutCancel(ctx), r.bytes())
	c.docket.file(r, got, sent, answered, err)
}
