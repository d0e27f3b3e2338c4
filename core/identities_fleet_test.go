//go:build !race

package core

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The fleet. One origin doesn't influence another, so that a few are simulated
// and the calls of all are the more.
const (
	fleetOrigins   = 200
	fleetSimulated = 2
	fleetSessions  = 5000 // of an origin
	fleetRequests  = 500  // of an origin, in a second
)

// fleetOrigin is one server. A few of its sessions make most of the requests.
type fleetOrigin struct {
	*identityRig
	sessions []*Claims
	next     *rand.Zipf

	waits   chan time.Duration
	refused atomic.Int64
}

// newFleetOrigin returns an origin that has just started. Access takes 50 ms
// on average.
func newFleetOrigin(t *testing.T, n int) *fleetOrigin {
	r := newIdentityRig(t, quiet, func(c *Config) { c.IdentityTTL, c.IdentityMaxStale, c.FetchTimeout = 0, 0, 0 })
	good := answerGroups("engineering")
	r.access.answer = func(req *http.Request, p person) (*http.Response, error) {
		time.Sleep(20*time.Millisecond + time.Duration(rand.ExpFloat64()*float64(30*time.Millisecond)))
		return good(req, p)
	}
	random := rand.New(rand.NewPCG(uint64(n), 1))
	return &fleetOrigin{identityRig: r, sessions: r.sessions(fleetSessions), next: rand.NewZipf(random, 1.1, 1, fleetSessions-1),
		waits: make(chan time.Duration, 10*fleetSessions)}
}

// request is a request of a random session.
func (o *fleetOrigin) request(requests *sync.WaitGroup) {
	c := o.sessions[o.next.Uint64()]
	if entry := o.identities.entry(*c.token); entry != nil && entry.identity != nil && time.Now().Before(entry.due) {
		return // the answer is known, and costs no goroutine here
	}
	requests.Go(func() {
		arrived := time.Now()
		if _, err := o.identities.get(context.Background(), c); err != nil {
			o.refused.Add(1)
		}
		if waited := time.Since(arrived); waited > 0 {
			o.waits <- waited
		}
	})
}

// TestIdentityFleet prints how many calls a fleet makes to Access, for
// docs/operations.md, and holds their bounds.
func TestIdentityFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("a simulation of many requests")
	}
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(2 * time.Minute)
		origins := make([]*fleetOrigin, fleetSimulated)
		for n := range origins {
			origins[n] = newFleetOrigin(t, n)
		}
		for _, phase := range []struct {
			name string
			long time.Duration
			down bool

			mostCalls    int           // of an origin
			mostASecond  int           // of the fleet
			mostRefused  int64         // requests of an origin
			longestQueue time.Duration // 99 of 100 waits
		}{
			{"deploy", 5 * time.Minute, false, fleetSessions, 65_000, 0, 500 * time.Millisecond},
			{"the ten minutes after", 10 * time.Minute, false, 2 * fleetSessions, 15_000, 0, 500 * time.Millisecond},
			{"outage", 20 * time.Minute, true, 100, 5_000, 200, 5 * time.Second},
			{"after the outage", 15 * time.Minute, false, 3 * fleetSessions, 65_000, 20, 500 * time.Millisecond},
		} {
			for _, o := range origins {
				o.access.delay = map[bool]time.Duration{true: forever}[phase.down]
				o.access.asked = nil
			}
			began := time.Now()
			var requests sync.WaitGroup
			for time.Since(began) < phase.long {
				for _, o := range origins {
					for range fleetRequests / 10 {
						o.request(&requests)
					}
				}
				time.Sleep(time.Second / 10)
			}
			requests.Wait()

			const scale = fleetOrigins / fleetSimulated
			var waits []time.Duration
			var calls int
			var refused int64
			seconds := make([]int, int(phase.long/time.Second)+10)
			for _, o := range origins {
				for _, call := range o.access.calls() {
					seconds[call.Sub(began)/time.Second] += scale
					calls += scale
				}
				for range len(o.waits) {
					waits = append(waits, <-o.waits)
				}
				refused += o.refused.Swap(0)
			}
			slices.Sort(waits)
			slow := waits[len(waits)*99/100]
			peak := slices.Max(seconds)
			t.Logf("%s, %v: %d calls, %d a second on average, %d at most; %d of %d requests waited, 99 of 100 of those up to %v; %d were refused",
				phase.name, phase.long, calls, calls/int(phase.long/time.Second), peak,
				len(waits)*scale, fleetOrigins*fleetRequests*int(phase.long/time.Second), slow.Round(time.Millisecond), refused*scale)
			if calls > phase.mostCalls*fleetOrigins || peak > phase.mostASecond {
				t.Errorf("want %d calls at most, %d in a second", phase.mostCalls*fleetOrigins, phase.mostASecond)
			}
			if slow > phase.longestQueue || refused > phase.mostRefused*fleetSimulated {
				t.Errorf("want waits of %v, and %d refused", phase.longestQueue, phase.mostRefused*fleetOrigins)
			}
		}
	})
}
