package core_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// lifePace is how often somebody comes by, outage or not.
const lifePace = 5 * time.Second

// lifeOutages are the ways in which an endpoint is down.
var lifeOutages = map[string]struct {
	begin func(*certsEndpoint)
	wait  time.Duration // of a request for a fetch in vain
}{
	"answers 503": {func(e *certsEndpoint) { e.fail(http.StatusServiceUnavailable) }, 0},
	"hangs":       {func(e *certsEndpoint) { e.hang() }, lifeTimeout},
}

func TestLifeOutage(t *testing.T) {
	for name, outage := range lifeOutages {
		lifeTest(t, "for 23 hours nobody notices that it "+name, func(t *testing.T, r *keysRig) {
			time.Sleep(time.Second)
			r.endpoint.publish(r.older, r.newer)
			r.want(t, r.newerToken, nil, 0)
			time.Sleep(lifeInterval - time.Second)
			outage.begin(r.endpoint)
			r.wantTraffic(t, 23*time.Hour, lifePace, func(i int) string {
				if i%720 == 0 { // somebody signs in once an hour
					return certsTeam().SignUser(keysAudience, "eve@example.com")
				}
				return r.olderToken
			}, nil)
		})
		lifeTest(t, "after 24 hours it is 503, until it no longer "+name, func(t *testing.T, r *keysRig) {
			fetched := time.Now() // as old as the question is the answer
			r.endpoint.slow(lifeDelay)
			if err := r.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.endpoint.slow(0)
			outage.begin(r.endpoint)
			r.wantTraffic(t, lifeMaxStale-lifeDelay, lifePace, keysSame(r.olderToken), nil)
			time.Sleep(time.Until(fetched.Add(lifeMaxStale)))
			r.want(t, r.olderToken, nil, 0)
			time.Sleep(time.Nanosecond)
			// A fetch may be under way, and is waited for.
			a := r.verify(t.Context(), r.olderToken)
			keysWantUnavailable(t, a.err)
			if a.waited > outage.wait {
				t.Errorf("waited %v, want %v at most", a.waited, outage.wait)
			}
			// Told when to come again, a client finds a fetch due then.
			comeAgain := func() time.Duration {
				synctest.Wait()
				return keysWantUnavailable(t, r.want(t, r.olderToken, core.ErrKeysUnavailable, 0).err)
			}
			next := comeAgain()
			for time.Since(fetched) < 25*time.Hour {
				time.Sleep(next)
				r.want(t, r.olderToken, core.ErrKeysUnavailable, outage.wait)
				next = comeAgain()
			}
			r.endpoint.publish(r.older)
			r.endpoint.slow(0)
			time.Sleep(next - 1)
			r.want(t, r.olderToken, core.ErrKeysUnavailable, 0)
			time.Sleep(time.Nanosecond)
			if a := r.want(t, r.olderToken, nil, 0); !a.remembered {
				t.Error("the outage made a session pay for its signature again")
			}
		})
		lifeTest(t, "a rotation while it "+name+": new tokens wait for the recovery", func(t *testing.T, r *keysRig) {
			time.Sleep(lifeInterval / 2)
			outage.begin(r.endpoint)
			r.want(t, r.newerToken, core.ErrUnknownKey, outage.wait) // asks, in vain
			r.wantTraffic(t, 3*time.Hour, lifePace, keysSame(r.olderToken), nil)
			a := r.verify(t.Context(), r.newerToken)
			if !errors.Is(a.err, core.ErrUnknownKey) || a.waited > outage.wait {
				t.Errorf("got %v after %v, want %v after %v at most", a.err, a.waited, core.ErrUnknownKey, outage.wait)
			}
			// The two come all the time, a tenth of a second apart.
			r.endpoint.publish(r.older, r.newer)
			r.endpoint.slow(0)
			recovered, fetches := time.Now(), len(r.endpoint.requests())
			for r.verify(t.Context(), r.newerToken).err != nil {
				r.want(t, r.olderToken, nil, 0)
				time.Sleep(time.Second / 10)
			}
			if took := time.Since(recovered); took > time.Minute {
				t.Errorf("new tokens are good %v after the recovery, want a minute at most", took)
			}
			r.wantFetches(t, fetches+1)
		})
	}
}

// Origins that lost the endpoint at the same moment find it again one by one.
func TestLifeOfAFleet(t *testing.T) {
	lifeTest(t, "20 origins come back one by one", func(t *testing.T, _ *keysRig) {
		var first, last time.Duration
		for i := range 20 {
			r := newKeysRig(t, lifeDefaults)
			r.endpoint.fail(http.StatusServiceUnavailable)
			var back time.Duration // since the outage began
			for range 8 {
				next := keysWantUnavailable(t, r.want(t, r.olderToken, core.ErrKeysUnavailable, 0).err)
				back += next
				time.Sleep(next)
			}
			if i == 0 {
				first, last = back, back
			}
			first, last = min(first, back), max(last, back)
		}
		// The odds of 20 within a second of each other are 1 to 10^20 or more.
		if last-first < time.Second {
			t.Errorf("all came back from %v to %v after the outage began", first, last)
		}
	})
}

// For a day the endpoint is down for seven minutes in every twelve.
func TestLifeFlapping(t *testing.T) {
	lifeTest(t, "nobody notices", func(t *testing.T, r *keysRig) {
		time.Sleep(time.Second)
		r.endpoint.publish(r.older, r.newer)
		r.want(t, r.newerToken, nil, 0)
		for range lifeDay / (12 * time.Minute) {
			r.endpoint.fail(http.StatusBadGateway)
			r.wantTraffic(t, 7*time.Minute, lifePace, keysSame(r.olderToken), nil)
			r.endpoint.publish(r.older, r.newer)
			r.wantTraffic(t, 5*time.Minute, lifePace, keysSame(r.newerToken), nil)
		}
		synctest.Wait()
		var good, failed int
		for _, fetch := range r.fetched {
			if fetch.Err == nil {
				good++
			} else {
				failed++
			}
		}
		// Two at the start. Then each is an hour after the one before, or up to
		// 7 minutes of outage, a minute of backoff and a request's pace more.
		if least := 2 + int(lifeDay/(lifeInterval+8*time.Minute+lifePace)); good < least || good > 2+24 {
			t.Errorf("%d good fetches, want from %d to %d", good, least, 2+24)
		}
		// 7 minutes have room for 5 short backoffs and 14 of 30 s or more.
		if failed > 24*(5+14) {
			t.Errorf("%d fetches in vain, want %d at most", failed, 24*(5+14))
		}
	})
}

// A process that nobody asked anything of for a week.
func TestLifeIdle(t *testing.T) {
	lifeTest(t, "the first requests wait for one fetch", func(t *testing.T, r *keysRig) {
		time.Sleep(7 * lifeDay)
		r.endpoint.publish(r.older, r.newer)
		r.endpoint.slow(lifeDelay)
		tokens := []string{r.olderToken, r.newerToken}
		r.wantCrowd(t, 100, func(i int) string { return tokens[i%2] }, nil, lifeDelay)
		r.endpoint.hang()
		r.want(t, r.olderToken, nil, 0)
		r.wantFetches(t, 2)
	})
	lifeTest(t, "a key that went meanwhile is not good for one request more", func(t *testing.T, r *keysRig) {
		time.Sleep(7 * lifeDay)
		r.endpoint.publish(r.newer)
		r.endpoint.slow(lifeDelay)
		r.want(t, r.olderToken, core.ErrUnknownKey, lifeDelay)
		r.wantFetches(t, 2)
	})
	for name, outage := range lifeOutages {
		lifeTest(t, "503 if the endpoint "+name, func(t *testing.T, r *keysRig) {
			time.Sleep(7 * lifeDay)
			outage.begin(r.endpoint)
			r.wantCrowd(t, 100, keysSame(r.olderToken), core.ErrKeysUnavailable, outage.wait)
			r.wantFetches(t, 2)
		})
		lifeTest(t, "within MaxStale the old keys serve if the endpoint "+name, func(t *testing.T, r *keysRig) {
			time.Sleep(2 * lifeInterval)
			outage.begin(r.endpoint)
			r.wantCrowd(t, 100, keysSame(r.olderToken), nil, outage.wait)
			r.wantFetches(t, 2)
		})
		lifeTest(t, "less than two hours are not idle, though it "+name, func(t *testing.T, r *keysRig) {
			time.Sleep(2*lifeInterval - time.Microsecond)
			outage.begin(r.endpoint)
			r.wantCrowd(t, 100, keysSame(r.olderToken), nil, 0)
			r.wantFetches(t, 2)
		})
	}
}
