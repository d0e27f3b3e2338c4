package main

import (
	"context"
	"net"
	"time"
)

// How slow a slow client is: it sends a request in so many pieces.
const (
	slowPieces = 24
	slowEvery  = 30 * time.Millisecond
)

// tooSlow is when a client gives up that got no core: five seconds after its
// first byte the servers do, and that is right.
const tooSlow = 3 * time.Second

// A slowClient sends one request after the other, a few bytes at a time, beside
// connections on which nothing ever comes.
type slowClient struct{ client }

// run does so until ctx ends.
func (s *slowClient) run(ctx context.Context) {
	for s.gate.pass(ctx) {
		s.drip(ctx)
		s.docket.hear(time.Now().Add(-s.docket.court.settles()))
	}
}

// drip sends a request slowly. It holds off the quiet moments meanwhile.
func (s *slowClient) drip(ctx context.Context) {
	s.quiet.RLock()
	defer s.quiet.RUnlock()
	silent, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", s.connection.addr)
	if err == nil {
		defer silent.Close()
	}
	r := s.next()
	rest := r.bytes()
	piece := len(rest) / slowPieces
	ticker := time.NewTicker(slowEvery)
	defer ticker.Stop()
	if err == nil {
		err = s.connection.dial(ctx)
	}
	began := time.Now()
	for err == nil && len(rest) > piece {
		if _, err = s.connection.conn.Write(rest[:piece]); err == nil {
			rest = rest[piece:]
			select {
			case <-ticker.C:
			case <-ctx.Done():
				s.connection.close()
				return
			}
		}
	}
	if ctx.Err() != nil || time.Since(began) > tooSlow {
		s.connection.close()
		return
	}
	if err != nil {
		s.connection.close()
		select { // a server that has ended is not asked as fast as it refuses
		case <-ticker.C:
		case <-ctx.Done():
		}
		s.docket.file(r, outcome{}, time.Now(), time.Now(), err)
		return
	}
	got, sent, answered, err := s.connection.finish(rest)
	r.valid = false // its latency says nothing
	s.docket.file(r, got, sent, answered, err)
}
