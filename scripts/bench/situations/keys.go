package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

func madeUpKids(ctx context.Context, s *scene) string {
	return s.bother(ctx, func(i int) []accesstest.Option {
		return []accesstest.Option{madeUpKid(i)}
	})
}

func madeUpKid(i int) accesstest.Option {
	return accesstest.WithHeader("kid", fmt.Sprintf("%064x", i))
}

func madeUpKidsInAnOutage(ctx context.Context, s *scene) string {
	s.team.Fail(http.StatusInternalServerError)
	return madeUpKids(ctx, s)
}

func forgedSignatures(ctx context.Context, s *scene) string {
	return s.bother(ctx, func(int) []accesstest.Option {
		return []accesstest.Option{accesstest.SignedByStranger()}
	})
}

// bother sends bad tokens, one after the other, and returns the fetches that
// they cause.
func (s *scene) bother(ctx context.Context, options func(i int) []accesstest.Option) string {
	var t tally
	for _, token := range s.signed(s.size.MadeUp, options) {
		t.count(s.accepts(ctx, token))
	}
	s.settle(ctx)
	if t.accepted > 0 {
		return t.String() + ", " + fetched(s.fetches())
	}
	return fetched(s.fetches())
}

func fetched(count int) string {
	switch count {
	case 0:
		return "no fetch"
	case 1:
		return "1 fetch"
	default:
		return fmt.Sprintf("%d fetches", count)
	}
}

// requestsOfSession is how many requests a session has after a rotation.
const requestsOfSession = 10

func rotation(ctx context.Context, s *scene) string {
	s.team.Rotate()
	sessions := s.signed(s.size.Crowd/requestsOfSession, func(int) []accesstest.Option { return nil })
	accepted := make([]bool, s.size.Crowd)
	var crowd sync.WaitGroup
	begin := make(chan struct{})
	for i := range accepted {
		crowd.Go(func() {
			<-begin
			accepted[i] = s.accepts(ctx, sessions[i%len(sessions)])
		})
	}
	close(begin)
	crowd.Wait()
	var t tally
	for _, a := range accepted {
		t.count(a)
	}
	return t.String() + ", " + fetched(s.fetches())
}

// withdrawnRefresh has a session go on whose key is withdrawn.
func withdrawnRefresh(ctx context.Context, s *scene) string {
	s.team.Rotate()
	s.team.Withdraw()
	return s.keepsOn(ctx)
}

// keepsOn has the session go on for as long as any library needs to fetch again.
func (s *scene) keepsOn(ctx context.Context) string {
	t := s.busy(ctx, s.session, s.patience(), func(t tally) bool { return t.refused > 0 })
	return s.judged(t.refused == 0)
}

func withdrawnNewKid(ctx context.Context, s *scene) string {
	s.team.Rotate()
	s.team.Withdraw()
	s.accepts(ctx, s.sign())
	s.settle(ctx)
	return s.judged(s.accepts(ctx, s.session))
}

// judged returns the cell of a session, which says more where the verifier
// could not know better.
func (s *scene) judged(accepted bool) string {
	cell := verdict(accepted)
	if s.fetches() == 0 {
		cell += " (no fetch)"
	}
	return cell
}

func verdict(accepted bool) string {
	if accepted {
		return "accepted"
	}
	return "refused"
}
