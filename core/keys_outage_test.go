package core_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

func TestKeysOutage(t *testing.T) {
	for name, test := range map[string]struct {
		age  time.Duration
		want error
	}{
		"before MaxStale": {keysMaxStale - 1, nil},
		"at MaxStale":     {keysMaxStale, nil},
		"after MaxStale":  {keysMaxStale + 1, core.ErrKeysUnavailable},
	} {
		keysTest(t, name+", idle", func(t *testing.T, r *keysRig) {
			r.want(t, r.olderToken, nil, 0)
			r.endpoint.fail(http.StatusInternalServerError)
			time.Sleep(test.age)
			r.want(t, r.olderToken, test.want, 0)
			r.wantFetches(t, 2)
		})
		// Failed fetches must not make the keys any younger.
		keysTest(t, name+", busy", func(t *testing.T, r *keysRig) {
			fetched := time.Now()
			r.want(t, r.olderToken, nil, 0)
			r.endpoint.fail(http.StatusInternalServerError)
			r.wantTraffic(t, keysMaxStale-time.Second, time.Second, keysSame(r.olderToken), nil)
			time.Sleep(time.Until(fetched.Add(test.age)))
			r.want(t, r.olderToken, test.want, 0)
		})
	}

	keysTest(t, "MaxStale counts from when the fetch began", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(3 * time.Second)
		r.want(t, r.olderToken, nil, 3*time.Second)
		r.endpoint.slow(0)
		r.endpoint.fail(http.StatusInternalServerError)
		time.Sleep(keysMaxStale - 3*time.Second)
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Nanosecond)
		r.want(t, r.olderToken, core.ErrKeysUnavailable, 0)
	})

	keysTest(t, "past MaxStale it is 503, until the endpoint recovers", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		r.endpoint.fail(http.StatusInternalServerError)
		time.Sleep(keysMaxStale + 1)
		err := r.want(t, r.olderToken, core.ErrKeysUnavailable, 0).err
		if !strings.Contains(err.Error(), "status 500") {
			t.Errorf("error %q doesn't say what failed", err)
		}
		retryAfter := keysWantUnavailable(t, err)
		r.endpoint.publish(r.older)
		time.Sleep(retryAfter - 1)
		r.want(t, r.olderToken, core.ErrKeysUnavailable, 0)
		r.wantFetches(t, 2)
		time.Sleep(time.Nanosecond)
		if a := r.want(t, r.olderToken, nil, 0); !a.remembered {
			t.Error("the outage made a session pay for its signature again")
		}
	})
	keysTest(t, "past MaxStale and hanging it is 503 after FetchTimeout", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		r.endpoint.hang()
		time.Sleep(keysMaxStale + 1)
		r.wantCrowd(t, 100, keysSame(r.olderToken), core.ErrKeysUnavailable, keysTimeout)
		keysWantUnavailable(t, r.want(t, r.olderToken, core.ErrKeysUnavailable, 0).err)
		r.wantFetches(t, 2)
	})

	keysTest(t, "the backoff doubles from 1s to 1m, with jitter", func(t *testing.T, r *keysRig) {
		backoffs := func(r *keysRig) (all []time.Duration) {
			r.endpoint.fail(http.StatusInternalServerError)
			for range 12 {
				next := keysWantUnavailable(t, r.want(t, r.olderToken, core.ErrKeysUnavailable, 0).err)
				all = append(all, next)
				time.Sleep(next)
			}
			return all
		}
		first, second := backoffs(r), backoffs(newKeysRig(t))
		for i, backoff := range first {
			most := min(time.Minute, 2*time.Second<<i)
			if backoff < most/2 || backoff > most {
				t.Errorf("backoff after %d failures is %v, want from %v to %v", i+1, backoff, most/2, most)
			}
		}
		if slices.Equal(first, second) {
			t.Errorf("two origins retry in step: %v", first)
		}
	})
	keysTest(t, "no tight loop, however much traffic", func(t *testing.T, r *keysRig) {
		const every = 50 * time.Millisecond
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.fail(http.StatusInternalServerError)
		r.wantTraffic(t, 10*time.Minute, every, keysSame(r.olderToken), nil)
		requests := r.endpoint.requests()[1:]
		for i := 1; i < len(requests); i++ {
			if gap := requests[i].Sub(requests[i-1]); gap < time.Second || gap > time.Minute+every {
				t.Errorf("retry %d came %v after the fetch before, want from 1s to 1m", i, gap)
			}
		}
		// With the shortest backoffs 1 + 5 + 18, with the longest 1 + 5 + 8.
		if len(requests) < 14 || len(requests) > 24 {
			t.Errorf("%d fetches in 10 minutes, want from 14 to 24", len(requests))
		}
	})
	keysTest(t, "a good fetch ends the backoff", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.fail(http.StatusInternalServerError)
		r.wantTraffic(t, 10*time.Minute, time.Second, keysSame(r.olderToken), nil)
		r.endpoint.publish(r.older)
		time.Sleep(time.Minute)
		r.want(t, r.olderToken, nil, 0)
		synctest.Wait()
		fetched := len(r.endpoint.requests())
		time.Sleep(keysInterval - 1)
		r.endpoint.fail(http.StatusInternalServerError)
		r.want(t, r.olderToken, nil, 0)
		r.wantFetches(t, fetched)
		time.Sleep(time.Nanosecond)
		r.want(t, r.olderToken, nil, 0)
		r.wantFetches(t, fetched+1)
		time.Sleep(2 * time.Second)
		r.want(t, r.olderToken, nil, 0)
		r.wantFetches(t, fetched+2)
	})

	keysTest(t, "nobody waits for a retry", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		r.endpoint.hang()
		r.wantTraffic(t, 5*keysInterval, 500*time.Millisecond, keysSame(r.olderToken), nil)
		if got := len(r.endpoint.requests()); got < 30 || got > 60 {
			t.Errorf("%d fetches, want about one a minute", got)
		}
	})
	keysTest(t, "after idling only the first waits", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		r.endpoint.hang()
		time.Sleep(3 * keysInterval)
		r.want(t, r.olderToken, nil, keysTimeout)
		r.wantTraffic(t, 5*keysInterval, 500*time.Millisecond, keysSame(r.olderToken), nil)
	})
}
