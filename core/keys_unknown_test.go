package core_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

func TestKeysUnknownKid(t *testing.T) {
	keysTest(t, "after a rotation one fetch, and all are accepted", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Minute)
		r.endpoint.publish(r.older, r.newer)
		r.endpoint.slow(time.Second)
		r.wantCrowd(t, 500, keysSame(r.newerToken), nil, time.Second)
		r.wantFetches(t, 2)
	})
	// The cooldown is between fetches for unknown kids; one for another reason
	// must not make a rotation wait.
	keysTest(t, "a rotation right after the first fetch needs no patience", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Nanosecond)
		r.endpoint.publish(r.older, r.newer)
		r.want(t, r.newerToken, nil, 0)
		r.wantFetches(t, 2)
	})

	for name, test := range map[string]struct {
		since   time.Duration // the last fetch for an unknown kid
		delay   time.Duration
		want    error
		waited  time.Duration
		fetches int
	}{
		"within cooldown it is refused at once":        {1, certsForever, core.ErrUnknownKey, 0, 2},
		"at the end of cooldown it is refused at once": {keysCooldown - 1, certsForever, core.ErrUnknownKey, 0, 2},
		"when cooldown is over it waits for a fetch":   {keysCooldown, time.Second, nil, time.Second, 3},
		"after cooldown it waits for a fetch":          {keysCooldown + 1, time.Second, nil, time.Second, 3},
	} {
		keysTest(t, name, func(t *testing.T, r *keysRig) {
			r.want(t, r.olderToken, nil, 0)
			time.Sleep(time.Minute)
			r.want(t, keysMadeUp(0), core.ErrUnknownKey, 0)
			r.wantFetches(t, 2)
			r.endpoint.publish(r.older, r.newer)
			r.endpoint.slow(test.delay)
			time.Sleep(test.since)
			r.want(t, r.newerToken, test.want, test.waited)
			r.wantFetches(t, test.fetches)
		})
	}

	// Others fetch again on each bad signature, in case the key has changed.
	keysTest(t, "200 forged signatures under a published kid cost no fetch", func(t *testing.T, r *keysRig) {
		r.endpoint.publish(r.older, r.newer)
		r.want(t, r.newerToken, nil, 0)
		time.Sleep(time.Minute)
		forged := certsTeam().SignUser(keysAudience, "eve@example.com", accesstest.SignedByStranger())
		r.wantCrowd(t, 200, keysSame(forged), core.ErrSignature, 0)
		r.wantFetches(t, 1)
	})
	keysTest(t, "200 made-up kids cost two fetches", func(t *testing.T, r *keysRig) {
		r.wantCrowd(t, 200, keysMadeUp, core.ErrUnknownKey, 0)
		r.wantFetches(t, 2) // one of them is the first ever
		r.wantTraffic(t, 20*time.Second, 100*time.Millisecond, keysMadeUp, core.ErrUnknownKey)
		r.wantFetches(t, 2)
	})
	keysTest(t, "made-up kids for ten minutes cost a fetch per cooldown", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		r.wantTraffic(t, 10*time.Minute, 100*time.Millisecond, keysMadeUp, core.ErrUnknownKey)
		r.wantFetches(t, 1+int(10*time.Minute/keysCooldown))
	})
	// Each failure would otherwise invite the next. No cooldown to speak of: it
	// is the backoff that has to hold them off.
	keysTest(t, "made-up kids during an outage cost what the outage costs", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Minute)
		r.endpoint.fail(http.StatusInternalServerError)
		r.wantCrowd(t, 200, keysMadeUp, core.ErrUnknownKey, 0)
		r.wantFetches(t, 2)
		r.wantTraffic(t, 10*time.Minute, 100*time.Millisecond, keysMadeUp, core.ErrUnknownKey)
		synctest.Wait()
		if got := len(r.endpoint.requests()) - 1; got < 14 || got > 24 {
			t.Errorf("%d fetches in 10 minutes, want from 14 to 24", got)
		}
		r.want(t, r.olderToken, nil, 0)
	}, func(c *core.Config) { c.RefetchCooldown = time.Millisecond })
	keysTest(t, "made-up kids don't make others wait", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Minute)
		r.endpoint.hang()
		var stranger keysAnswer
		var strangers sync.WaitGroup
		token := keysMadeUp(0)
		strangers.Go(func() { stranger = r.verify(t.Context(), token) })
		r.wantTraffic(t, keysTimeout+time.Second, 10*time.Millisecond, keysSame(r.olderToken), nil)
		strangers.Wait()
		if !errors.Is(stranger.err, core.ErrUnknownKey) || stranger.waited != keysTimeout {
			t.Errorf("the stranger got %v after %v, want %v after %v", stranger.err, stranger.waited, core.ErrUnknownKey, keysTimeout)
		}
	})
	keysTest(t, "a failed fetch is in the error's text", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Minute)
		r.endpoint.fail(http.StatusBadGateway)
		err := r.want(t, r.newerToken, core.ErrUnknownKey, 0).err
		if !strings.Contains(err.Error(), "status 502") {
			t.Errorf("error %q doesn't say what failed", err)
		}
	})
}

// A fetch that was under way when a token came may have read the keys of before.
func TestKeysJoinedFetch(t *testing.T) {
	// begin has a refresh of the older key begin, which takes this long; a
	// second later the key is rotated, and the next fetch takes that long.
	begin := func(t *testing.T, r *keysRig, this, that time.Duration) {
		t.Helper()
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.slow(this)
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Second)
		r.endpoint.publish(r.older, r.newer)
		r.endpoint.slow(that)
	}
	keysTest(t, "it is not the answer: one more fetch is", func(t *testing.T, r *keysRig) {
		begin(t, r, 3*time.Second, time.Second)
		r.wantCrowd(t, 100, keysSame(r.newerToken), nil, 3*time.Second)
		r.wantFetches(t, 3)
	})
	keysTest(t, "it is the answer if it has the key", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.publish(r.older, r.newer)
		r.endpoint.slow(3 * time.Second)
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Second)
		r.want(t, r.newerToken, nil, 2*time.Second)
		r.wantFetches(t, 2)
	})
	// Two fetches in a row could take twice FetchTimeout.
	keysTest(t, "both together take FetchTimeout at most", func(t *testing.T, r *keysRig) {
		begin(t, r, 4*time.Second-1, 2*time.Second)
		r.want(t, r.newerToken, core.ErrUnknownKey, keysTimeout)
		r.wantFetches(t, 3)
		time.Sleep(time.Second) // now that fetch has ended, too
		r.want(t, r.newerToken, nil, 0)
	})
	keysTest(t, "both together take FetchTimeout at most, from the very first", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(4*time.Second - 1)
		go r.verify(t.Context(), r.olderToken)
		time.Sleep(time.Second)
		r.endpoint.hang()
		r.want(t, r.newerToken, core.ErrUnknownKey, keysTimeout)
		r.wantFetches(t, 2)
	})
}

// A request waits for keys once, however many tokens it brings.
func TestKeysSeveralCookies(t *testing.T) {
	keysTest(t, "four made-up kids take FetchTimeout at most", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		// A slow refresh is under way when the request comes, and is no answer
		// to it; the fetch after it would take too long.
		r.endpoint.slow(keysTimeout - time.Second)
		time.Sleep(keysInterval)
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Second)
		var cookies []string
		for i := range 4 {
			cookies = append(cookies, core.TokenCookie+"="+keysMadeUp(i))
		}
		arrived := time.Now()
		ctx := context.WithValue(t.Context(), keysAnswerKey{}, &keysAnswer{})
		_, err := r.Authenticate(ctx, http.Header{"Cookie": {strings.Join(cookies, "; ")}})
		if !errors.Is(err, core.ErrUnknownKey) {
			t.Errorf("got %v", err)
		}
		if waited := time.Since(arrived); waited > keysTimeout {
			t.Errorf("waited %v, want %v at most", waited, keysTimeout)
		}
	}, func(c *core.Config) { c.RefetchCooldown = time.Millisecond })
}
