package main

import (
	"context"
	"sync"
)

// A gate lets goroutines pass while it is open. It is safe for concurrent use.
type gate struct {
	mu   sync.Mutex // guards open
	open chan struct{}
}

// newGate returns a gate that is closed.
func newGate() *gate { return &gate{open: make(chan struct{})} }

// set opens or closes the gate.
func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch isOpen := closed(g.open); {
	case open && !isOpen:
		close(g.open)
	case !open && isOpen:
		g.open = make(chan struct{})
	}
}

// pass waits until the gate is open, or returns false once ctx has ended.
func (g *gate) pass(ctx context.Context) bool {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
