package core_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// lifeTest is keysTest on the defaults, with the older key fetched at the start
// and tokens that last for a month.
func lifeTest(t *testing.T, name string, test func(t *testing.T, r *keysRig)) {
	t.Helper()
	keysTest(t, name, func(t *testing.T, r *keysRig) {
		month := accesstest.WithExpiry(time.Now().Add(30 * lifeDay))
		r.olderToken = certsTeam().SignUser(keysAudience, "ada@example.com", accesstest.SignedByPreviousKey(), month)
		r.newerToken = certsTeam().SignUser(keysAudience, "bob@example.com", month)
		r.want(t, r.olderToken, nil, 0)
		test(t, r)
	}, lifeDefaults)
}

func TestLifeOfAKey(t *testing.T) {
	lifeTest(t, "in the 7 days after a rotation both keys serve", func(t *testing.T, r *keysRig) {
		time.Sleep(20 * time.Minute)
		r.endpoint.publish(r.older, r.newer)
		both := []string{r.newerToken, r.olderToken} // the newer one causes a fetch
		r.wantTraffic(t, 7*lifeDay, 10*time.Minute, func(i int) string { return both[i%2] }, nil)
		r.wantFetches(t, 1+7*24) // one for the rotation, and 167 hours after that
	})
	lifeTest(t, "withdrawn, its sessions end with the next refresh", func(t *testing.T, r *keysRig) {
		time.Sleep(20 * time.Minute)
		r.endpoint.publish(r.newer)
		r.wantTraffic(t, 40*time.Minute, time.Minute, keysSame(r.olderToken), nil)
		if a := r.want(t, r.olderToken, nil, 0); !a.remembered { // the refresh is behind this one
			t.Error("the session wasn't remembered, so this tests nothing")
		}
		synctest.Wait()
		r.want(t, r.olderToken, core.ErrUnknownKey, 0)
		r.want(t, r.newerToken, nil, 0)
		r.wantFetches(t, 2)
	})
}

// Everybody signs in at the moment of a rotation.
func TestLifeStorm(t *testing.T) {
	lifeTest(t, "500 with the new key: one fetch, all accepted", func(t *testing.T, r *keysRig) {
		time.Sleep(time.Second)
		r.endpoint.publish(r.older, r.newer)
		r.endpoint.slow(lifeDelay)
		r.wantCrowd(t, 500, keysSame(r.newerToken), nil, lifeDelay)
		r.wantFetches(t, 2)
	})
	lifeTest(t, "while an older refresh is under way: one more fetch, after it", func(t *testing.T, r *keysRig) {
		time.Sleep(lifeInterval)
		r.endpoint.slow(2 * time.Second)
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Second)
		r.endpoint.publish(r.older, r.newer)
		r.wantCrowd(t, 500, keysSame(r.newerToken), nil, 3*time.Second)
		r.wantFetches(t, 3)
	})
	lifeTest(t, "if that one hangs, both take FetchTimeout at most", func(t *testing.T, r *keysRig) {
		time.Sleep(lifeInterval)
		r.endpoint.slow(lifeTimeout - 1)
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Second)
		r.endpoint.hang()
		r.want(t, r.newerToken, core.ErrUnknownKey, lifeTimeout)
		r.wantFetches(t, 3)
	})
	lifeTest(t, "made-up kids just before: all accepted when the cooldown is over", func(t *testing.T, r *keysRig) {
		time.Sleep(time.Minute)
		r.wantCrowd(t, 200, keysMadeUp, core.ErrUnknownKey, 0)
		cool := time.Now().Add(lifeCooldown - 199) // since the first of the 200
		r.wantFetches(t, 2)
		r.endpoint.publish(r.older, r.newer)
		r.wantCrowd(t, 500, keysSame(r.newerToken), core.ErrUnknownKey, 0)
		r.wantTraffic(t, lifeCooldown-2*time.Second, time.Second, keysMadeUp, core.ErrUnknownKey)
		time.Sleep(time.Until(cool) - 1)
		r.want(t, r.newerToken, core.ErrUnknownKey, 0)
		r.wantFetches(t, 2)
		time.Sleep(time.Nanosecond)
		r.endpoint.slow(lifeDelay)
		r.wantCrowd(t, 500, keysSame(r.newerToken), nil, lifeDelay)
		r.wantFetches(t, 3)
	})
	lifeTest(t, "made-up kids all the time: the fetch that they cause is everybody's", func(t *testing.T, r *keysRig) {
		time.Sleep(time.Minute)
		r.wantTraffic(t, 5*time.Second, time.Second, keysMadeUp, core.ErrUnknownKey)
		r.endpoint.publish(r.older, r.newer)
		r.wantTraffic(t, 4*time.Second, time.Second, keysMadeUp, core.ErrUnknownKey)
		time.Sleep(time.Second - 1)
		r.want(t, r.newerToken, core.ErrUnknownKey, 0)
		time.Sleep(time.Nanosecond)
		r.want(t, keysMadeUp(0), core.ErrUnknownKey, 0)
		r.want(t, r.newerToken, nil, 0)
		r.wantFetches(t, 3)
	})
}
