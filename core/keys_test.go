package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// No value is a default, so that a test fails where a field has no effect.
const (
	keysInterval = 10 * time.Minute
	keysMaxStale = 2 * time.Hour
	keysCooldown = 30 * time.Second
	keysTimeout  = 4 * time.Second
)

func keysTimes(c *Config) {
	c.RefreshInterval, c.MaxStale, c.RefetchCooldown, c.FetchTimeout = keysInterval, keysMaxStale, keysCooldown, keysTimeout
}

// keysRig is a rig whose endpoint publishes the previous key alone; the current
// one is there for a rotation.
type keysRig struct {
	*rig
	older, newer string // tokens by these keys
}

func keysTest(t *testing.T, name string, test func(t *testing.T, r *keysRig), changes ...func(*Config)) {
	t.Helper()
	bubble(t, name, func(t *testing.T, r *rig) {
		r.endpoint.publish(previousKey)
		test(t, &keysRig{r, signUser(byPreviousKey), signUser()})
	}, append([]func(*Config){keysTimes}, changes...)...)
}

// ask verifies a token, and returns how long it took.
func (r *keysRig) ask(ctx context.Context, token string) (waited time.Duration, err error) {
	arrived := time.Now()
	_, err = r.Verify(ctx, token)
	return time.Since(arrived), err
}

// want verifies a token and fails the test unless this comes of it, after
// exactly this long.
func (r *keysRig) want(t *testing.T, token string, want error, wait time.Duration) error {
	t.Helper()
	waited, err := r.ask(t.Context(), token)
	wantClass(t, err, want)
	if waited != wait {
		t.Errorf("waited %v, want %v", waited, wait)
	}
	return err
}

// wantMany has n requests come, a nanosecond after each other. Each has to end
// like this, and all at the same time, this long after the first one came.
func (r *keysRig) wantMany(t *testing.T, n int, token func(i int) string, want error, wait time.Duration) {
	t.Helper()
	var requests sync.WaitGroup
	for i := range n {
		token := token(i)
		requests.Go(func() {
			time.Sleep(time.Duration(i))
			waited, err := r.ask(t.Context(), token)
			if !errors.Is(err, want) {
				t.Errorf("request %d: got error %v, want %v", i, err, want)
			}
			if want := max(0, wait-time.Duration(i)); waited != want {
				t.Errorf("request %d waited %v, want %v", i, waited, want)
			}
		})
	}
	requests.Wait()
}

// wantTraffic verifies a token every so often for this long. The same has to
// come of it each time, at once.
func (r *keysRig) wantTraffic(t *testing.T, long, every time.Duration, token func(i int) string, want error) {
	t.Helper()
	for i := range int(long / every) {
		r.want(t, token(i), want, 0)
		if t.Failed() {
			t.Fatalf("that was request %d", i)
		}
		time.Sleep(every)
	}
}

// wantFetches fails the test unless so many fetches have begun so far.
func (r *keysRig) wantFetches(t *testing.T, least, most int) {
	t.Helper()
	synctest.Wait()
	if got := len(r.endpoint.requests()); got < least || got > most {
		t.Fatalf("%d fetches have begun, want from %d to %d", got, least, most)
	}
}

// wantUnavailable fails the test unless err becomes a 503 with a sensible
// Retry-After, which it returns.
func wantUnavailable(t *testing.T, err error) time.Duration {
	t.Helper()
	wantClass(t, err, ErrKeysUnavailable)
	refusal := Refuse(err)
	if refusal.Status != http.StatusServiceUnavailable || refusal.RetryAfter < time.Second || refusal.RetryAfter > time.Minute {
		t.Errorf("got %d after %v, want 503 and from 1s to 1m", refusal.Status, refusal.RetryAfter)
	}
	return refusal.RetryAfter
}

func TestKeysFirstToken(t *testing.T) {
	keysTest(t, "New fetches nothing", func(t *testing.T, r *keysRig) {
		time.Sleep(keysMaxStale)
		r.wantFetches(t, 0, 0)
	})
	keysTest(t, "one fetch, and everyone waits for that one fetch", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(time.Second)
		r.wantMany(t, 100, same(r.older), nil, time.Second)
		r.wantFetches(t, 1, 1)
	})
}

// A process that has never had keys answers 503, and its clients' retries don't
// become fetches.
func TestKeysNeverFetched(t *testing.T) {
	keysTest(t, "503 at once until the next fetch is due", func(t *testing.T, r *keysRig) {
		r.endpoint.fail(http.StatusInternalServerError)
		err := r.want(t, r.older, ErrKeysUnavailable, 0)
		wantText(t, err, "status 500")
		due := time.Now().Add(wantUnavailable(t, err))
		r.endpoint.publish(previousKey)
		r.endpoint.slow(time.Second)
		r.wantMany(t, 100, same(r.older), ErrKeysUnavailable, 0)
		time.Sleep(time.Until(due) - 1)
		r.want(t, r.older, ErrKeysUnavailable, 0)
		r.wantFetches(t, 1, 1)
		time.Sleep(time.Nanosecond)
		r.want(t, r.older, nil, time.Second)
		r.wantFetches(t, 2, 2)
	})
	keysTest(t, "an endpoint that hangs holds nobody longer than FetchTimeout", func(t *testing.T, r *keysRig) {
		r.endpoint.hang()
		r.wantMany(t, 100, same(r.older), ErrKeysUnavailable, keysTimeout)
		r.wantFetches(t, 1, 1)
		wantUnavailable(t, r.want(t, r.older, ErrKeysUnavailable, 0))
	})
	keysTest(t, "nor does a transport that ignores its context", func(t *testing.T, r *keysRig) {
		r.endpoint.ignoresContext = true
		r.endpoint.slow(time.Minute)
		for range 3 {
			wantUnavailable(t, r.want(t, r.older, ErrKeysUnavailable, keysTimeout))
		}
		r.endpoint.slow(0)
		time.Sleep(2 * time.Minute)
		r.want(t, r.older, nil, 0)
	})
	keysTest(t, "an unknown kid is no client's fault", func(t *testing.T, r *keysRig) {
		r.endpoint.fail(http.StatusInternalServerError)
		r.wantMany(t, 100, madeUp, ErrKeysUnavailable, 0)
		r.wantFetches(t, 1, 1)
	})
}

func TestKeysAge(t *testing.T) {
	const second = time.Second
	for name, test := range map[string]struct {
		age     time.Duration
		delay   time.Duration // of the second fetch
		fetches int
		waited  time.Duration
	}{
		"younger than RefreshInterval: no I/O":       {keysInterval - 1, forever, 1, 0},
		"RefreshInterval: in the background":         {keysInterval, forever, 2, 0},
		"just under twice: in the background":        {2*keysInterval - 1, forever, 2, 0},
		"2 × RefreshInterval: waits":                 {2 * keysInterval, second, 2, second},
		"2 × RefreshInterval, a slow answer":         {2 * keysInterval, keysTimeout - 1, 2, keysTimeout - 1},
		"2 × RefreshInterval, no answer: they serve": {2 * keysInterval, forever, 2, keysTimeout},
		"older than MaxStale, a fetch works":         {keysMaxStale + 1, second, 2, second},
	} {
		keysTest(t, name, func(t *testing.T, r *keysRig) {
			r.want(t, r.older, nil, 0)
			time.Sleep(test.age)
			r.endpoint.slow(test.delay)
			r.want(t, r.older, nil, test.waited)
			r.wantFetches(t, test.fetches, test.fetches)
		})
	}
	keysTest(t, "one background fetch for all, and nobody waits", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.hang()
		r.wantMany(t, 100, same(r.older), nil, 0)
		r.wantFetches(t, 2, 2)
	})
	// A document is as old as the request for it.
	keysTest(t, "counts from when the fetch began", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(3 * second)
		r.want(t, r.older, nil, 3*second)
		time.Sleep(keysInterval - 3*second - 1)
		r.want(t, r.older, nil, 0)
		r.wantFetches(t, 1, 1)
		time.Sleep(time.Nanosecond)
		r.want(t, r.older, nil, 0)
		r.wantFetches(t, 2, 2)
	})
}

// A process that was idle has keys of long ago: it fetches before it answers.
func TestKeysAfterIdling(t *testing.T) {
	for name, test := range map[string]struct {
		requests int
		publish  []jsonKey // nil: the fetch fails
		token    func(r *keysRig) string
		want     error
	}{
		"a key that came meanwhile is known":     {100, []jsonKey{previousKey, currentKey}, func(r *keysRig) string { return r.newer }, nil},
		"a key that went meanwhile is gone":      {1, []jsonKey{currentKey}, func(r *keysRig) string { return r.older }, ErrUnknownKey},
		"if the fetch fails, the old keys serve": {100, nil, func(r *keysRig) string { return r.older }, nil},
	} {
		keysTest(t, name, func(t *testing.T, r *keysRig) {
			r.want(t, r.older, nil, 0)
			time.Sleep(2 * keysInterval)
			r.endpoint.slow(time.Second)
			if r.endpoint.fail(http.StatusInternalServerError); test.publish != nil {
				r.endpoint.publish(test.publish...)
			}
			r.wantMany(t, test.requests, same(test.token(r)), test.want, time.Second)
			r.wantFetches(t, 2, 2)
		})
	}
	keysTest(t, "no answer: only the first request waits", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		r.endpoint.hang()
		time.Sleep(3 * keysInterval)
		r.want(t, r.older, nil, keysTimeout)
		r.wantTraffic(t, 5*keysInterval, time.Second, same(r.older), nil)
		r.wantFetches(t, 40, 95)
	})
}

// While a machine is suspended, its monotonic clock stands still. Times in a
// bubble have no monotonic reading, so this is outside.
func TestKeysSuspended(t *testing.T) {
	// before returns what a time that was read before the machine was suspended
	// is afterwards: the wall clock is behind by that long, the monotonic isn't.
	before := func(read time.Time, suspended time.Duration) time.Time {
		if !read.IsZero() {
			// The layout of time.Time with a monotonic reading: a flag, 33 bits
			// of seconds, 30 of nanoseconds; the reading is apart.
			*(*uint64)(unsafe.Pointer(&read)) -= uint64(suspended/time.Second) << 30
		}
		return read
	}
	t.Run("age is the larger of the monotonic and the wall clock's", func(t *testing.T) {
		now := time.Now()
		for _, test := range []struct{ running, suspended, want time.Duration }{
			{0, 0, 0}, {time.Hour, 0, time.Hour}, {0, time.Hour, time.Hour}, {time.Hour, time.Hour, 2 * time.Hour},
			{time.Hour, -time.Minute, time.Hour}, // somebody sets the clock back
		} {
			if got := since(now.Add(test.running), before(now, test.suspended)); got != test.want {
				t.Errorf("running for %v and suspended for %v: got %v, want %v", test.running, test.suspended, got, test.want)
			}
		}
	})
	for name, test := range map[string]struct {
		suspended time.Duration
		publish   []jsonKey // meanwhile; nil: fetching fails
		first     error     // what becomes of the older token at first
		then      error     // and after a fetch in the background, if there is one
	}{
		"shorter than RefreshInterval: no I/O": {keysInterval - time.Second, []jsonKey{currentKey}, nil, nil},
		"RefreshInterval: in the background":   {keysInterval, []jsonKey{currentKey}, nil, ErrUnknownKey},
		"2 × RefreshInterval: waits":           {2 * keysInterval, []jsonKey{currentKey}, ErrUnknownKey, ErrUnknownKey},
		"2 × RefreshInterval, fetching fails":  {2 * keysInterval, nil, nil, nil},
		"older than MaxStale, fetching fails":  {keysMaxStale + time.Second, nil, ErrKeysUnavailable, ErrKeysUnavailable},
		"older than MaxStale, a fetch works":   {keysMaxStale + time.Second, []jsonKey{previousKey}, nil, nil},
		"the wall clock is set back: no I/O":   {-time.Hour, []jsonKey{currentKey}, nil, nil},
	} {
		for _, cached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cached %v", name, cached), func(t *testing.T) {
				r := newRig(t, keysTimes, func(c *Config) { c.FetchTimeout = time.Minute })
				token := signUser(byPreviousKey)
				r.refresh(t)
				if cached {
					verified(t, r, token)
				}
				state := *r.keys.state.Load()
				for _, date := range []*time.Time{&state.fetched, &state.begun, &state.due, &state.fresh} {
					*date = before(*date, test.suspended)
				}
				r.keys.state.Store(&state)
				if r.endpoint.fail(http.StatusInternalServerError); test.publish != nil {
					r.endpoint.publish(test.publish...)
				}
				_, err := r.Verify(t.Context(), token)
				wantClass(t, err, test.first)
				for end := time.Now().Add(5 * time.Second); !errors.Is(err, test.then) && time.Now().Before(end); time.Sleep(time.Millisecond) {
					_, err = r.Verify(t.Context(), token)
				}
				wantClass(t, err, test.then)
			})
		}
	}
}

func TestKeysOutage(t *testing.T) {
	for name, test := range map[string]struct {
		age  time.Duration
		want error
	}{
		"before MaxStale the last good keys serve": {keysMaxStale - 1, nil},
		"at MaxStale the last good keys serve":     {keysMaxStale, nil},
		"older than MaxStale: 503":                 {keysMaxStale + 1, ErrKeysUnavailable},
	} {
		// Failed fetches don't make the keys any younger.
		for _, busy := range []bool{false, true} {
			keysTest(t, fmt.Sprintf("%s, busy %v", name, busy), func(t *testing.T, r *keysRig) {
				r.endpoint.slow(time.Second) // the keys' age counts from when the fetch began
				began := time.Now()
				r.want(t, r.older, nil, time.Second)
				r.endpoint.slow(0)
				r.endpoint.fail(http.StatusInternalServerError)
				if busy {
					r.wantTraffic(t, keysMaxStale-2*time.Second, time.Second, same(r.older), nil)
				}
				time.Sleep(time.Until(began.Add(test.age)))
				r.want(t, r.older, test.want, 0)
			})
		}
	}
	keysTest(t, "older than MaxStale: 503 until the endpoint recovers", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		r.endpoint.fail(http.StatusInternalServerError)
		time.Sleep(keysMaxStale + 1)
		err := r.want(t, r.older, ErrKeysUnavailable, 0)
		wantText(t, err, "status 500")
		retryAfter := wantUnavailable(t, err)
		r.endpoint.publish(previousKey)
		time.Sleep(retryAfter - 1)
		r.want(t, r.older, ErrKeysUnavailable, 0)
		r.wantFetches(t, 2, 2)
		time.Sleep(time.Nanosecond)
		r.want(t, r.older, nil, 0)
		if !r.cached() {
			t.Error("the outage emptied the cache")
		}
	})
	keysTest(t, "retries with backoff and jitter, 1 s to 1 min", func(t *testing.T, r *keysRig) {
		r.endpoint.fail(http.StatusInternalServerError)
		var all []time.Duration
		for i := range 12 {
			next := wantUnavailable(t, r.want(t, r.older, ErrKeysUnavailable, 0))
			if most := min(time.Minute, 2*time.Second<<i); next < most/2 || next > most {
				t.Errorf("backoff after %d failures is %v, want from %v to %v", i+1, next, most/2, most)
			}
			all = append(all, next)
			time.Sleep(next)
		}
		if tail := slices.Compact(all[6:]); len(tail) == 1 {
			t.Errorf("the backoffs are the same each time: %v", tail)
		}
	})
	// Traffic makes them no more frequent: with the shortest backoffs there are
	// 1 + 5 + 18 fetches in ten minutes, with the longest 1 + 5 + 8.
	for name, token := range map[string]func(i int) string{"good tokens": nil, "unknown kids": madeUp} {
		keysTest(t, "retries under traffic of "+name, func(t *testing.T, r *keysRig) {
			const every = 50 * time.Millisecond
			want := ErrUnknownKey
			if token == nil {
				token, want = same(r.older), nil
			}
			r.want(t, r.older, nil, 0)
			time.Sleep(keysInterval)
			r.endpoint.fail(http.StatusInternalServerError)
			r.wantTraffic(t, 10*time.Minute, every, token, want)
			r.wantFetches(t, 1+14, 1+24)
			requests := r.endpoint.requests()[1:]
			for i := 1; i < len(requests); i++ {
				if gap := requests[i].Sub(requests[i-1]); gap < time.Second || gap > time.Minute+every {
					t.Errorf("retry %d came %v after the fetch before, want from 1s to 1m", i, gap)
				}
			}
			r.want(t, r.older, nil, 0)
		}, func(c *Config) { c.RefetchCooldown = time.Millisecond })
	}
	keysTest(t, "a good fetch ends the backoff", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.fail(http.StatusInternalServerError)
		r.wantTraffic(t, 10*time.Minute, time.Second, same(r.older), nil)
		r.endpoint.publish(previousKey)
		time.Sleep(time.Minute)
		r.want(t, r.older, nil, 0)
		synctest.Wait()
		fetches := len(r.endpoint.requests())
		r.endpoint.fail(http.StatusInternalServerError)
		for i, pause := range []time.Duration{keysInterval - 1, 1, 2 * time.Second} { // the first backoff is no longer
			time.Sleep(pause)
			r.want(t, r.older, nil, 0)
			r.wantFetches(t, fetches+i, fetches+i)
		}
	})
	keysTest(t, "a warning for each failed fetch", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		r.endpoint.fail(http.StatusBadGateway)
		time.Sleep(keysInterval)
		r.want(t, r.older, nil, 0)
		synctest.Wait()
		log := r.logged()
		for _, text := range []string{"\n", "level=WARN", "reason=refresh", "status 502", "retry=", testIssuer + "/cdn-cgi/access/certs"} {
			if strings.Count(log, text) != 1 {
				t.Errorf("want one line that says %q, got:\n%s", text, log)
			}
		}
	})
}

func TestKeysFetchedAgain(t *testing.T) {
	const again = "cfaccess: fetching keys works again"
	for name, failures := range map[string]int{"no failure": 0, "one failure": 1, "several failures": 3} {
		keysTest(t, "one line at INFO after failures: "+name, func(t *testing.T, r *keysRig) {
			r.refresh(t)
			r.endpoint.fail(http.StatusBadGateway)
			for range failures {
				wantClass(t, r.Refresh(t.Context()), ErrKeysUnavailable)
			}
			if log := r.logged(); strings.Contains(log, again) {
				t.Errorf("logged in the outage:\n%s", log)
			}
			r.endpoint.publish(previousKey)
			r.refresh(t)
			r.refresh(t)
			log := r.logged()
			if lines := strings.Count(log, "\n"); lines != min(failures, 1) || strings.Count(log, "level=INFO msg=\""+again) != lines {
				t.Errorf("logged afterwards:\n%s", log)
			}
		})
	}
}

// The transport of a Config.HTTPClient may fail with an error of any class.
func TestErrorsOfTheHTTPClientHaveNoClass(t *testing.T) {
	for name, class := range sentinels {
		for place, answer := range map[string]transport{
			"no answer": func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("%w: %w", class, errTest) },
			"half an answer": func(r *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(iotest.ErrReader(fmt.Errorf("%w: %w", class, errTest))), Request: r}, nil
			},
		} {
			t.Run(name+", "+place, func(t *testing.T) {
				r := newRig(t)
				claims := verified(t, r, signUser())
				r.endpoint.set(func() { r.endpoint.instead = answer })
				for want, err := range map[error]error{
					ErrKeysUnavailable:   r.Refresh(t.Context()),
					ErrPolicyUnavailable: Groups("security")(t.Context(), claims),
				} {
					wantClass(t, err, want)
					if !errors.Is(err, errTest) {
						t.Errorf("error %q doesn't match its cause", err)
					}
				}
				_, err := r.Verify(t.Context(), madeUp(0))
				wantClass(t, err, ErrUnknownKey)
			})
		}
	}
}

// Requests go on at FetchTimeout where the hook takes longer, with the new keys.
func TestKeysUnderASlowHook(t *testing.T) {
	keysTest(t, "", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(time.Second)
		r.want(t, r.older, nil, keysTimeout)
		r.want(t, r.older, nil, 0)
		r.wantFetches(t, 1, 1)
	}, func(c *Config) { c.Hooks.Fetched = func(context.Context, Fetch) { time.Sleep(time.Minute) } })
}

func TestKeysUnknownKid(t *testing.T) {
	for name, test := range map[string]struct {
		since   time.Duration // the last fetch for an unknown kid
		delay   time.Duration
		want    error
		waited  time.Duration
		fetches int
	}{
		"within cooldown: ErrUnknownKey at once": {1, forever, ErrUnknownKey, 0, 2},
		"at its end: ErrUnknownKey at once":      {keysCooldown - 500, forever, ErrUnknownKey, 0, 2},
		"cooldown over: one fetch":               {keysCooldown, time.Second, nil, time.Second, 3},
	} {
		keysTest(t, name, func(t *testing.T, r *keysRig) {
			r.want(t, r.older, nil, 0)
			time.Sleep(time.Minute)
			r.want(t, madeUp(0), ErrUnknownKey, 0)
			r.wantFetches(t, 2, 2)
			r.endpoint.publish(previousKey, currentKey)
			r.endpoint.slow(test.delay)
			time.Sleep(test.since)
			r.wantMany(t, 500, same(r.newer), test.want, test.waited)
			r.wantFetches(t, test.fetches, test.fetches)
		})
	}
	// The cooldown is between fetches for unknown kids: another fetch just before
	// must not make a rotation wait.
	keysTest(t, "a rotation right after the first fetch: one fetch", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		time.Sleep(time.Nanosecond)
		r.endpoint.publish(previousKey, currentKey)
		r.want(t, r.newer, nil, 0)
		r.wantFetches(t, 2, 2)
	})
	keysTest(t, "the fetch is asked past caches", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		time.Sleep(time.Minute)
		r.want(t, madeUp(0), ErrUnknownKey, 0)
		r.wantFetches(t, 2, 2)
		if got := r.endpoint.last.Header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("Cache-Control is %q, want no-cache", got)
		}
	})
	// Others fetch again on each bad signature, in case the key has changed.
	keysTest(t, "200 forged signatures under a published kid cost no fetch", func(t *testing.T, r *keysRig) {
		r.endpoint.publish(previousKey, currentKey)
		r.want(t, r.newer, nil, 0)
		time.Sleep(time.Minute)
		r.wantMany(t, 200, same(signUser(forged)), ErrSignature, 0)
		r.wantFetches(t, 1, 1)
	})
	keysTest(t, "made-up kids for ten minutes cost a fetch per cooldown", func(t *testing.T, r *keysRig) {
		r.wantMany(t, 200, madeUp, ErrUnknownKey, 0)
		r.wantFetches(t, 2, 2) // one of them is the first ever
		time.Sleep(keysCooldown)
		r.wantTraffic(t, 10*time.Minute, 100*time.Millisecond, madeUp, ErrUnknownKey)
		fetches := 2 + int(10*time.Minute/keysCooldown)
		r.wantFetches(t, fetches, fetches)
	})
	keysTest(t, "made-up kids don't make others wait", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		time.Sleep(time.Minute)
		r.endpoint.hang()
		var other sync.WaitGroup
		other.Go(func() {
			if waited, err := r.ask(t.Context(), madeUp(0)); !errors.Is(err, ErrUnknownKey) || waited != keysTimeout {
				t.Errorf("the made-up kid got %v after %v, want %v after %v", err, waited, ErrUnknownKey, keysTimeout)
			}
		})
		r.wantTraffic(t, keysTimeout+time.Second, 10*time.Millisecond, same(r.older), nil)
		other.Wait()
	})
	keysTest(t, "a failed fetch is in the error's text", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		time.Sleep(time.Minute)
		r.endpoint.fail(http.StatusBadGateway)
		wantText(t, r.want(t, r.newer, ErrUnknownKey, 0), testIssuer, team.KeyID(), "status 502")
	})
}

// No fetch brings the key of another team's token. The text says whose it is.
func TestKeysOfAnotherIssuer(t *testing.T) {
	const other = "https://other.cloudflareaccess.com"
	header := encodeSegment([]byte(`{"alg":"RS256","kid":"another"}`))
	for name, test := range map[string]struct {
		payload string
		want    error
		fetches int
		text    string
	}{
		"another issuer":                 {`{"iss":"` + other + `"}`, ErrUnknownKey, 0, other},
		"another issuer, case":           {`{"iss":"HTTPS://ACME.cloudflareaccess.com"}`, ErrUnknownKey, 0, "HTTPS://ACME"},
		"our issuer":                     {`{"iss":"` + testIssuer + `"}`, ErrUnknownKey, 1, testIssuer},
		"no issuer":                      {`{}`, ErrUnknownKey, 1, testIssuer},
		"iss null":                       {`{"iss":null}`, ErrUnknownKey, 1, testIssuer},
		"iss a number":                   {`{"iss":7}`, ErrUnknownKey, 1, testIssuer},
		"iss an object":                  {`{"iss":{"iss":"` + other + `"}}`, ErrUnknownKey, 1, testIssuer},
		"iss twice, the first ours":      {`{"iss":"` + testIssuer + `","iss":"` + other + `"}`, ErrUnknownKey, 1, testIssuer},
		"iss twice, the first another's": {`{"iss":"` + other + `","iss":"` + testIssuer + `"}`, ErrUnknownKey, 0, other},
		"invalid UTF-8 elsewhere":        {`{"x":"` + "\xff" + `","iss":"` + other + `"}`, ErrUnknownKey, 0, other},
		"an array":                       {`[{"iss":"` + other + `"}]`, ErrUnknownKey, 1, testIssuer},
		"null":                           {`null`, ErrUnknownKey, 1, testIssuer},
		"not JSON":                       {`{"iss":`, ErrMalformed, 0, "malformed"},
	} {
		keysTest(t, name, func(t *testing.T, r *keysRig) {
			r.want(t, r.older, nil, 0)
			time.Sleep(time.Minute)
			err := r.want(t, header+"."+encodeSegment([]byte(test.payload))+".AAAA", test.want, 0)
			r.wantFetches(t, 1+test.fetches, 1+test.fetches)
			wantText(t, err, test.text)
			if names := strings.Contains(err.Error(), "the token names the issuer"); names != (test.text == other || test.text == "HTTPS://ACME") {
				t.Errorf("error %q", err)
			}
		})
	}
	foreign := signUser(withHeader("kid", "another"), withClaim("iss", other))
	for name, arrange := range map[string]func(t *testing.T, r *keysRig){
		"a fetch in the background": func(t *testing.T, r *keysRig) {
			time.Sleep(keysInterval)
			r.want(t, r.older, nil, 0)
		},
		"a fetch for an unknown kid": func(t *testing.T, r *keysRig) { go r.Verify(t.Context(), madeUp(0)) },
		"a Refresh":                  func(t *testing.T, r *keysRig) { go r.Refresh(t.Context()) },
		"a fetch after idling":       func(*testing.T, *keysRig) { time.Sleep(2 * keysInterval) }, // it starts that one
	} {
		keysTest(t, "it waits for no fetch while keys are known: "+name, func(t *testing.T, r *keysRig) {
			r.want(t, r.older, nil, 0)
			time.Sleep(time.Minute)
			r.endpoint.publish(previousKey, currentKey)
			r.endpoint.slow(time.Second)
			arrange(t, r)
			synctest.Wait()
			r.wantMany(t, 100, same(foreign), ErrUnknownKey, 0)
			r.wantFetches(t, 2, 2)
			r.want(t, r.newer, nil, time.Second-99) // which may be ours, and shares the fetch
			r.wantFetches(t, 2, 2)
		})
	}
	keysTest(t, "it waits for the first keys", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(time.Second)
		r.want(t, foreign, ErrUnknownKey, time.Second)
		r.wantFetches(t, 1, 1)
	})
	t.Run("its payload is scanned once, however often the error is read", func(t *testing.T) {
		err := &unknownKeyError{keyID: "k", issuer: testIssuer, payload: &unverified{json: []byte(`{"iss":"` + other + `"}`)}}
		var readers sync.WaitGroup
		for range 2 {
			readers.Go(func() { wantText(t, err, other) })
		}
		readers.Wait()
		err.payload.json = nil
		wantText(t, err, other)
	})
	keysTest(t, "it leaves the cooldown to others", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		time.Sleep(time.Minute)
		r.wantMany(t, 100, same(foreign), ErrUnknownKey, 0)
		r.endpoint.publish(previousKey, currentKey)
		r.want(t, r.newer, nil, 0)
		r.wantFetches(t, 2, 2)
	})
}

// A fetch that was under way when a token came may have read the keys of before.
func TestKeysJoinedFetch(t *testing.T) {
	// begin starts a background fetch of the previous key, which takes this
	// long. A second later the key is rotated, and the next fetch takes that long.
	begin := func(t *testing.T, r *keysRig, this, that time.Duration) {
		t.Helper()
		r.want(t, r.older, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.slow(this)
		r.want(t, r.older, nil, 0)
		time.Sleep(time.Second)
		r.endpoint.publish(previousKey, currentKey)
		r.endpoint.slow(that)
	}
	keysTest(t, "one more fetch follows", func(t *testing.T, r *keysRig) {
		begin(t, r, 3*time.Second, time.Second)
		r.wantMany(t, 100, same(r.newer), nil, 3*time.Second)
		r.wantFetches(t, 3, 3)
	})
	keysTest(t, "none follows if it has the key", func(t *testing.T, r *keysRig) {
		r.endpoint.publish(previousKey, currentKey)
		r.endpoint.slow(3 * time.Second)
		go r.Verify(t.Context(), r.older)
		time.Sleep(time.Second)
		r.want(t, r.newer, nil, 2*time.Second)
		r.wantFetches(t, 1, 1)
	})
	// Two fetches in a row could take twice FetchTimeout.
	keysTest(t, "both together take FetchTimeout at most", func(t *testing.T, r *keysRig) {
		begin(t, r, 4*time.Second-1, 2*time.Second)
		r.want(t, r.newer, ErrUnknownKey, keysTimeout)
		r.wantFetches(t, 3, 3)
		time.Sleep(time.Second) // that fetch has ended too
		r.want(t, r.newer, nil, 0)
	})
	// A request waits for keys once, however many tokens it brings.
	keysTest(t, "four cookies together take FetchTimeout at most", func(t *testing.T, r *keysRig) {
		begin(t, r, keysTimeout-time.Second, keysTimeout)
		arrived := time.Now()
		_, err := r.Authenticate(t.Context(), inCookies(madeUp(0), madeUp(1), madeUp(2), madeUp(3)))
		wantClass(t, err, ErrUnknownKey)
		if waited := time.Since(arrived); waited != keysTimeout {
			t.Errorf("waited %v, want %v", waited, keysTimeout)
		}
	}, func(c *Config) { c.RefetchCooldown = time.Millisecond })
	keysTest(t, "the second cookie is good, the first waited", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		time.Sleep(time.Minute)
		r.endpoint.publish(previousKey, currentKey)
		r.endpoint.slow(time.Second)
		if _, err := r.Authenticate(t.Context(), inCookies(madeUp(0), r.newer)); err != nil {
			t.Error(err)
		}
		r.wantFetches(t, 2, 2)
	})
}

func TestKeysReplaced(t *testing.T) {
	sameKid := func(key jsonKey) jsonKey {
		return jsonKey{"kid": previousKey["kid"], "kty": "RSA", "e": key["e"], "n": key["n"]}
	}
	for name, test := range map[string]struct {
		publish []jsonKey
		want    error
	}{
		"key gone: its tokens are refused":           {[]jsonKey{currentKey}, ErrUnknownKey},
		"another key of that kid: they don't verify": {[]jsonKey{sameKid(currentKey)}, ErrSignature},
		"the same key: they stay cached":             {[]jsonKey{previousKey}, nil},
		"the same key without alg: they stay cached": {[]jsonKey{sameKid(previousKey)}, nil},
		"the same key and another: they stay cached": {[]jsonKey{currentKey, previousKey}, nil},
	} {
		for _, how := range []string{"by Refresh", "in the background"} {
			keysTest(t, name+", "+how, func(t *testing.T, r *keysRig) {
				r.want(t, r.older, nil, 0)
				r.want(t, r.older, nil, 0)
				if !r.cached() {
					t.Fatal("the token isn't cached, so this tests nothing")
				}
				r.endpoint.publish(test.publish...)
				if how == "by Refresh" {
					r.refresh(t)
				} else {
					time.Sleep(keysInterval)
					r.want(t, r.older, nil, 0)
					synctest.Wait()
				}
				for range 2 { // nor does a refusal make it good again
					r.want(t, r.older, test.want, 0)
					if test.want == nil && !r.cached() {
						t.Error("it isn't cached any more")
					}
				}
				r.endpoint.publish(previousKey)
				r.refresh(t)
				r.want(t, r.older, nil, 0) // no refusal is kept, either
			})
		}
	}
	keysTest(t, "a token of another key of that kid: refused before, accepted after", func(t *testing.T, r *keysRig) {
		token := signUser(withHeader("kid", previousKey["kid"]))
		r.want(t, r.older, nil, 0)
		r.endpoint.publish(sameKid(currentKey))
		r.endpoint.slow(time.Second)
		go r.Refresh(t.Context())
		synctest.Wait()
		r.wantMany(t, 50, same(token), ErrSignature, 0)
		time.Sleep(2 * time.Second)
		r.wantMany(t, 50, same(token), nil, 0)
		r.want(t, r.older, ErrSignature, 0)
	})
}

func TestRefresh(t *testing.T) {
	keysTest(t, "fetches the first keys, and again however young they are", func(t *testing.T, r *keysRig) {
		r.refresh(t)
		r.endpoint.publish(previousKey, currentKey)
		r.refresh(t)
		r.endpoint.hang()
		time.Sleep(keysInterval - 1) // of the new keys
		r.want(t, r.newer, nil, 0)
		r.wantFetches(t, 2, 2)
	})
	keysTest(t, "says what failed, and the old keys serve", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		r.endpoint.fail(http.StatusNotFound) // as a mistyped team is answered
		err := r.Refresh(t.Context())
		wantUnavailable(t, err)
		wantText(t, err, "status 404", testIssuer+"/cdn-cgi/access/certs")
		r.want(t, r.older, nil, 0)
	})
	for name, test := range map[string]struct {
		ignoresContext bool
		want           time.Duration
	}{
		"takes FetchTimeout at most":                              {false, keysTimeout},
		"takes a second more where the transport ignores context": {true, keysTimeout + time.Second},
	} {
		keysTest(t, name, func(t *testing.T, r *keysRig) {
			r.endpoint.ignoresContext = test.ignoresContext
			r.endpoint.slow(time.Minute)
			began := time.Now()
			err := r.Refresh(t.Context())
			wantUnavailable(t, err)
			if took := time.Since(began); took != test.want || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v after %v, want %v after %v", err, took, context.DeadlineExceeded, test.want)
			}
		})
	}
	// The fetch under way may have read the keys of before.
	keysTest(t, "during a fetch that began before it: fetches once more", func(t *testing.T, r *keysRig) {
		r.want(t, r.older, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.slow(2 * time.Second)
		r.want(t, r.older, nil, 0)
		time.Sleep(time.Second)
		r.endpoint.publish(currentKey)
		r.endpoint.slow(3 * time.Second)
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				began := time.Now()
				if err := r.Refresh(t.Context()); err != nil || time.Since(began) != 4*time.Second {
					t.Errorf("got %v after %v, want no error after 4s", err, time.Since(began))
				}
			})
		}
		callers.Wait()
		r.wantFetches(t, 3, 3)
		r.endpoint.hang()
		r.want(t, r.older, ErrUnknownKey, keysTimeout)
	})
	keysTest(t, "ends with its context; the fetch goes on", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(2 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := r.Refresh(ctx)
		wantUnavailable(t, err)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("got %v after %v, want %v after 1s", err, time.Since(began), context.DeadlineExceeded)
		}
		r.want(t, r.older, nil, time.Second)
		r.wantFetches(t, 1, 1)
	})
	// A program that asks without pause must not lock out those who come once
	// the endpoint is back.
	keysTest(t, "a hundred times in vain: the next fetch isn't put off", func(t *testing.T, r *keysRig) {
		r.endpoint.fail(http.StatusInternalServerError)
		for range 100 {
			wantClass(t, r.Refresh(t.Context()), ErrKeysUnavailable)
		}
		r.endpoint.publish(previousKey)
		time.Sleep(2 * time.Second) // the first backoff is no longer
		r.want(t, r.older, nil, 0)
	})
}

func TestKeysCallersContextEnds(t *testing.T) {
	for name, arrange := range map[string]func(t *testing.T, r *keysRig) (token string){
		"the first fetch": func(_ *testing.T, r *keysRig) string { return r.older },
		"after idling": func(t *testing.T, r *keysRig) string {
			r.want(t, r.older, nil, 0)
			time.Sleep(2 * keysInterval)
			return r.older
		},
		"an unknown kid": func(t *testing.T, r *keysRig) string {
			r.want(t, r.older, nil, 0)
			time.Sleep(time.Minute)
			r.endpoint.publish(previousKey, currentKey)
			return r.newer
		},
	} {
		keysTest(t, name+": its error at once, the fetch goes on for the others", func(t *testing.T, r *keysRig) {
			token := arrange(t, r)
			before := len(r.endpoint.requests())
			r.endpoint.slow(3 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var others sync.WaitGroup
			for _, later := range []time.Duration{time.Millisecond, 2 * time.Second} {
				others.Go(func() {
					time.Sleep(later)
					if waited, err := r.ask(t.Context(), token); err != nil || waited != 3*time.Second-later {
						t.Errorf("%v later: got %v after %v, want to be served by the same fetch", later, err, waited)
					}
				})
			}
			waited, err := r.ask(ctx, token)
			wantUnavailable(t, err)
			if !errors.Is(err, context.DeadlineExceeded) || waited != time.Second {
				t.Errorf("got %v after %v, want %v after 1s", err, waited, context.DeadlineExceeded)
			}
			others.Wait()
			r.wantFetches(t, before+1, before+1)
		})
	}
	keysTest(t, "ended before it came", func(t *testing.T, r *keysRig) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.endpoint.slow(time.Second)
		if waited, err := r.ask(ctx, r.older); !errors.Is(err, context.Canceled) || waited != 0 {
			t.Errorf("got %v after %v, want %v at once", err, waited, context.Canceled)
		}
		r.want(t, r.older, nil, time.Second)
		if _, err := r.ask(ctx, r.older); err != nil {
			t.Errorf("got %v where nobody waits", err)
		}
	})
}

// Many callers at once, while tokens expire, keys rotate and are withdrawn,
// and the cache is far too small: each answer is right for its token and time.
func TestKeysConcurrent(t *testing.T) {
	const rotations, leeway = 6, 30 * time.Second
	type session struct {
		token, email string
		rotation     int64 // of its key
		expiry       time.Time
	}
	// Rotations alternate between two keys, each time under another kid.
	key := func(rotation int64) jsonKey {
		key := maps.Clone([]jsonKey{previousKey, currentKey}[rotation%2])
		key["kid"] = fmt.Sprintf("rotation-%d", rotation)
		return key
	}
	sign := func(rotation int64) (all []session) {
		for i := range 32 {
			expiry := time.Now().Add(time.Duration(1+rand.N(240)) * time.Second)
			options := []accesstest.Option{withExpiry(expiry), withHeader("kid", key(rotation)["kid"])}
			if rotation%2 == 0 {
				options = append(options, byPreviousKey)
			}
			email := fmt.Sprintf("user%d.%d@example.com", rotation, i)
			all = append(all, session{team.SignUser(testAudience, email, options...), email, rotation, expiry})
		}
		return all
	}
	bubble(t, "", func(t *testing.T, r *rig) {
		var (
			all               atomic.Pointer[[]session]
			withdrawn         atomic.Int64 // keys up to this rotation are gone, and the verifier knows
			accepted, refused atomic.Int64
			callers           sync.WaitGroup
		)
		publish := func(keys ...jsonKey) {
			r.endpoint.publish(keys...)
			r.refresh(t)
		}
		check := func(s session) {
			gone := s.rotation <= withdrawn.Load() // before, so that it holds meanwhile
			claims, err := r.Verify(t.Context(), s.token)
			late := !time.Now().Before(s.expiry.Truncate(time.Second).Add(leeway))
			switch {
			case err == nil && (claims.Email != s.email || gone || late):
				t.Errorf("%s was accepted as %s; key gone: %v, expired: %v", s.email, claims.Email, gone, late)
			case err == nil:
				accepted.Add(1)
			case errors.Is(err, ErrExpired) && late, errors.Is(err, ErrUnknownKey) && s.rotation <= withdrawn.Load()+1:
				refused.Add(1)
			default:
				t.Errorf("%s was refused: %v", s.email, err)
			}
		}
		withdrawn.Store(-1)
		sessions := sign(0)
		all.Store(&sessions)
		publish(key(0))
		ctx, stop := context.WithCancel(t.Context())
		for range 24 {
			callers.Go(func() {
				for ctx.Err() == nil {
					sessions := *all.Load()
					check(sessions[rand.N(len(sessions))])
					time.Sleep(rand.N(3 * time.Second))
				}
			})
		}
		for rotation := range int64(rotations) {
			time.Sleep(time.Minute)
			publish(key(rotation), key(rotation+1))
			more := append(slices.Clone(*all.Load()), sign(rotation+1)...)
			all.Store(&more)
			time.Sleep(time.Minute)
			publish(key(rotation + 1))
			withdrawn.Store(rotation)
		}
		stop()
		callers.Wait()
		if accepted.Load() == 0 || refused.Load() == 0 {
			t.Errorf("%d accepted, %d refused: the test did not see both", accepted.Load(), refused.Load())
		}
	}, func(c *Config) { c.TokenCacheBytes = leastTokenCacheBytes })
}

func TestStats(t *testing.T) {
	keysTest(t, "", func(t *testing.T, r *keysRig) {
		if got := r.Stats(); got != (Stats{}) {
			t.Errorf("before the first fetch: got %+v, want zero", got)
		}
		r.endpoint.slow(time.Second)
		began := time.Now()
		r.want(t, r.older, nil, time.Second)
		for range 2 {
			got := r.Stats()
			if !got.KeysFetched.Equal(began) || !got.KeysStale.Equal(began.Add(keysMaxStale)) {
				t.Errorf("got %+v, want keys of %v, stale %v later", got, began, keysMaxStale)
			}
			if got.Tokens != 1 || got.TokenBytes < int64(len(r.older)) || got.TokenBytes > 4<<10 {
				t.Errorf("got %+v, want 1 token of about 2 KiB", got)
			}
			// A failed fetch changes nothing.
			r.endpoint.fail(http.StatusInternalServerError)
			wantClass(t, r.Refresh(t.Context()), ErrKeysUnavailable)
		}
	})
	if got := newRig(t, noCache).Stats(); got != (Stats{}) {
		t.Errorf("without a cache: got %+v, want zero", got)
	}
}
