package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// crowdToken is a token and the truth about it.
type crowdToken struct {
	text       string
	email      string
	generation int64 // of its key
	expiry     time.Time
}

// Sixty-four callers at once, while tokens expire, keys rotate and are
// withdrawn, and the memory is far too small for everybody: each answer is
// right for its token at its time.
func TestCrowd(t *testing.T) {
	const (
		callers     = 64
		generations = 8
		sessions    = 32 // of a generation
		leeway      = 30 * time.Second
	)
	team := newTeam(t)
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, team, quiet, func(c *core.Config) { c.TokenCacheBytes = 64 << 10 })
		var (
			tokens    atomic.Pointer[[]crowdToken]
			withdrawn atomic.Int64 // keys up to this generation are gone, and the verifier knows
			accepted  atomic.Int64
			refused   atomic.Int64
			crowd     sync.WaitGroup
		)
		withdrawn.Store(-1)
		ctx, stop := context.WithCancel(t.Context())

		// issue adds sessions that the team signs with its current key.
		issue := func(generation int64) {
			var all []crowdToken
			if old := tokens.Load(); old != nil {
				all = append(all, *old...)
			}
			for i := range sessions {
				email := fmt.Sprintf("user%d.%d@example.com", generation, i)
				expiry := time.Now().Add(time.Duration(1+rand.N(240)) * time.Second)
				all = append(all, crowdToken{team.SignUser(testAudience, email, accesstest.WithExpiry(expiry)), email, generation, expiry})
			}
			tokens.Store(&all)
		}
		judge := func(token crowdToken) {
			gone := token.generation <= withdrawn.Load() // before, so that it holds during
			claims, err := v.Verify(ctx, token.text)
			late := !time.Now().Before(token.expiry.Truncate(time.Second).Add(leeway))
			switch {
			case err == nil && claims.Email != token.email:
				t.Errorf("%s was taken for %s", token.email, claims.Email)
			case err == nil && gone:
				t.Errorf("%s passed with a withdrawn key", token.email)
			case err == nil && late:
				t.Errorf("%s passed after its token expired", token.email)
			case err == nil:
				accepted.Add(1)
			case errors.Is(err, core.ErrExpired) && late, errors.Is(err, core.ErrUnknownKey) && token.generation <= withdrawn.Load()+1:
				refused.Add(1)
			default:
				t.Errorf("%s was refused: %v", token.email, err)
			}
		}

		refresh := func() {
			if err := v.Refresh(ctx); err != nil {
				t.Error(err)
			}
		}
		refresh()
		issue(0)
		for range callers {
			crowd.Go(func() {
				for ctx.Err() == nil {
					all := *tokens.Load()
					judge(all[rand.N(len(all))])
					time.Sleep(rand.N(2 * time.Second))
				}
			})
		}
		for generation := range int64(generations) {
			time.Sleep(time.Minute)
			team.Rotate()
			refresh()
			issue(generation + 1)
			time.Sleep(time.Minute)
			team.Withdraw()
			refresh()
			withdrawn.Store(generation)
		}
		stop()
		crowd.Wait()
		if accepted.Load() == 0 || refused.Load() == 0 {
			t.Errorf("%d accepted, %d refused: the test did not see both", accepted.Load(), refused.Load())
		}
	})
}
