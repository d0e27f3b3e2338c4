package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// None is a default, so that every field is seen to count.
const (
	keysInterval = 10 * time.Minute
	keysMaxStale = 2 * time.Hour
	keysCooldown = 30 * time.Second
	keysTimeout  = 4 * time.Second

	keysAudience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
)

// keysRig is a verifier with an endpoint of its own. The endpoint publishes the
// older key alone; the newer one is there for a rotation.
type keysRig struct {
	*core.Verifier
	endpoint               *certsEndpoint
	older, newer           certsKey
	olderToken, newerToken string
	log                    bytes.Buffer // read it after synctest.Wait

	mu      sync.Mutex // guards fetched
	fetched []core.Fetch
}

// keysTest runs a subtest in a bubble of its own.
func keysTest(t *testing.T, name string, test func(t *testing.T, r *keysRig), changes ...func(*core.Config)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		certsTeam()
		synctest.Test(t, func(t *testing.T) {
			// The clock stops with the test. By the end of this no fetch is
			// under way, and synctest.Test fails on a goroutine that is left.
			defer time.Sleep(2 * keysTimeout)
			r := newKeysRig(t, changes...)
			defer func() {
				if most := r.endpoint.atOnce(); most > 1 {
					t.Errorf("%d fetches at once", most)
				}
			}()
			test(t, r)
		})
	})
}

func newKeysRig(t *testing.T, changes ...func(*core.Config)) *keysRig {
	t.Helper()
	r := &keysRig{
		endpoint:   &certsEndpoint{},
		olderToken: certsTeam().SignUser(keysAudience, "ada@example.com", accesstest.SignedByPreviousKey()),
		newerToken: certsTeam().SignUser(keysAudience, "bob@example.com"),
	}
	r.older, r.newer = certsKeys()
	r.endpoint.publish(r.older)
	cfg := core.Config{
		Team:            "acme",
		Audiences:       []string{keysAudience},
		RefreshInterval: keysInterval,
		MaxStale:        keysMaxStale,
		RefetchCooldown: keysCooldown,
		FetchTimeout:    keysTimeout,
		HTTPClient:      &http.Client{Transport: r.endpoint},
		Logger:          slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Hooks: core.Hooks{
			Decided: func(ctx context.Context, e core.Decision) {
				ctx.Value(keysAnswerKey{}).(*keysAnswer).remembered = e.Cached
			},
			Fetched: func(_ context.Context, e core.Fetch) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.fetched = append(r.fetched, e)
			},
		},
	}
	for _, change := range changes {
		change(&cfg)
	}
	var err error
	if r.Verifier, err = core.New(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

// keysAnswer is what became of one Verify.
type keysAnswer struct {
	err        error
	remembered bool
	waited     time.Duration
}

type keysAnswerKey struct{}

func (r *keysRig) verify(ctx context.Context, token string) (a keysAnswer) {
	arrived := time.Now()
	_, a.err = r.Verify(context.WithValue(ctx, keysAnswerKey{}, &a), token)
	a.waited = time.Since(arrived)
	return a
}

// want verifies a token and fails the test unless this comes of it, after
// exactly this long.
func (r *keysRig) want(t *testing.T, token string, want error, waited time.Duration) keysAnswer {
	t.Helper()
	a := r.verify(t.Context(), token)
	if !errors.Is(a.err, want) {
		t.Fatalf("got error %v, want %v", a.err, want)
	}
	if a.waited != waited {
		t.Errorf("waited %v, want %v", a.waited, waited)
	}
	return a
}

// wantCrowd has n requests come, a nanosecond after each other. Each has to end
// like this, and all at the same time, this long after the first came.
func (r *keysRig) wantCrowd(t *testing.T, n int, token func(i int) string, want error, waited time.Duration) {
	t.Helper()
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = token(i)
	}
	answers := make([]keysAnswer, n)
	var crowd sync.WaitGroup
	for i := range answers {
		crowd.Go(func() {
			time.Sleep(time.Duration(i))
			answers[i] = r.verify(t.Context(), tokens[i])
		})
	}
	crowd.Wait()
	for i, a := range answers {
		if !errors.Is(a.err, want) {
			t.Fatalf("request %d: got error %v, want %v", i, a.err, want)
		}
		if want := max(0, waited-time.Duration(i)); a.waited != want {
			t.Fatalf("request %d waited %v, want %v", i, a.waited, want)
		}
	}
}

// wantTraffic verifies a token all the time for this long, and fails the test
// unless every time the same comes of it at once.
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
func (r *keysRig) wantFetches(t *testing.T, want int) {
	t.Helper()
	synctest.Wait()
	if got := len(r.endpoint.requests()); got != want {
		t.Fatalf("%d fetches have begun, want %d", got, want)
	}
}

// keysWantUnavailable fails the test unless err becomes a 503 with a sensible
// Retry-After, which it returns.
func keysWantUnavailable(t *testing.T, err error) time.Duration {
	t.Helper()
	if !errors.Is(err, core.ErrKeysUnavailable) {
		t.Fatalf("got error %v, want %v", err, core.ErrKeysUnavailable)
	}
	refusal := core.Refuse(err)
	if refusal.Status != http.StatusServiceUnavailable {
		t.Errorf("status is %d, want 503", refusal.Status)
	}
	if refusal.RetryAfter < time.Second || refusal.RetryAfter > time.Minute {
		t.Errorf("RetryAfter is %v, want from 1s to 1m", refusal.RetryAfter)
	}
	return refusal.RetryAfter
}

// keysSame is the same token for everybody.
func keysSame(token string) func(int) string { return func(int) string { return token } }

// keysMadeUp is a well-formed token that names a key of the caller's invention.
func keysMadeUp(i int) string { return keysMadeUps()[i%len(keysMadeUps())] }

// keysMadeUps signs once for all tests: nobody gets as far as the signature.
var keysMadeUps = sync.OnceValue(func() []string {
	tokens := make([]string, 200)
	for i := range tokens {
		tokens[i] = certsTeam().SignUser(keysAudience, "eve@example.com", accesstest.WithHeader("kid", fmt.Sprintf("made-up-%d", i)))
	}
	return tokens
})

// keysDeaf is a transport that goes on when nobody waits for it any more.
type keysDeaf struct{ http.RoundTripper }

func (d keysDeaf) RoundTrip(r *http.Request) (*http.Response, error) {
	return d.RoundTripper.RoundTrip(r.WithContext(context.WithoutCancel(r.Context())))
}

func TestKeysFirstToken(t *testing.T) {
	keysTest(t, "New fetches nothing", func(t *testing.T, r *keysRig) {
		time.Sleep(keysMaxStale)
		r.wantFetches(t, 0)
	})
	keysTest(t, "one fetch serves all who wait for it", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(time.Second)
		r.wantCrowd(t, 100, keysSame(r.olderToken), nil, time.Second)
		r.wantFetches(t, 1)
	})
	keysTest(t, "an answer within FetchTimeout is in time", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(keysTimeout - 1)
		r.want(t, r.olderToken, nil, keysTimeout-1)
	})
	keysTest(t, "an answer after FetchTimeout is not", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(keysTimeout + 1)
		keysWantUnavailable(t, r.want(t, r.olderToken, core.ErrKeysUnavailable, keysTimeout).err)
	})
}

// A process that has never had keys can judge nobody: it says so, and doesn't
// make its clients' retries its own.
func TestKeysNeverFetched(t *testing.T) {
	keysTest(t, "503 at once until the next fetch is due", func(t *testing.T, r *keysRig) {
		r.endpoint.fail(http.StatusInternalServerError)
		err := r.want(t, r.olderToken, core.ErrKeysUnavailable, 0).err
		if !strings.Contains(err.Error(), "status 500") {
			t.Errorf("error %q doesn't say what failed", err)
		}
		due := time.Now().Add(keysWantUnavailable(t, err))
		r.endpoint.publish(r.older)
		r.endpoint.slow(time.Second)
		r.wantCrowd(t, 1000, keysSame(r.olderToken), core.ErrKeysUnavailable, 0)
		time.Sleep(time.Until(due) - 1)
		r.want(t, r.olderToken, core.ErrKeysUnavailable, 0)
		r.wantFetches(t, 1)
		time.Sleep(time.Nanosecond)
		r.want(t, r.olderToken, nil, time.Second)
		r.wantFetches(t, 2)
	})
	keysTest(t, "an endpoint that hangs holds nobody longer than FetchTimeout", func(t *testing.T, r *keysRig) {
		r.endpoint.hang()
		r.wantCrowd(t, 100, keysSame(r.olderToken), core.ErrKeysUnavailable, keysTimeout)
		r.wantFetches(t, 1)
		keysWantUnavailable(t, r.want(t, r.olderToken, core.ErrKeysUnavailable, 0).err)
	})
	keysTest(t, "nor does a transport that is deaf to its context", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(time.Minute)
		for range 3 { // however many fetches they could wait for
			a := r.verify(t.Context(), r.olderToken)
			keysWantUnavailable(t, a.err)
			if a.waited > keysTimeout {
				t.Errorf("waited %v, want %v at most", a.waited, keysTimeout)
			}
		}
		r.endpoint.slow(0)
		time.Sleep(2 * time.Minute)
		r.want(t, r.olderToken, nil, 0)
	}, func(c *core.Config) { c.HTTPClient.Transport = keysDeaf{c.HTTPClient.Transport} })
	keysTest(t, "an unknown kid is no client's fault", func(t *testing.T, r *keysRig) {
		r.endpoint.fail(http.StatusInternalServerError)
		r.wantCrowd(t, 100, keysMadeUp, core.ErrKeysUnavailable, 0)
		r.wantFetches(t, 1)
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
		"before RefreshInterval":    {keysInterval - 1, certsForever, 1, 0},
		"at RefreshInterval":        {keysInterval, certsForever, 2, 0},
		"after RefreshInterval":     {keysInterval + 1, certsForever, 2, 0},
		"before twice that":         {2*keysInterval - 1, certsForever, 2, 0},
		"at twice that":             {2 * keysInterval, second, 2, second},
		"after twice that":          {2*keysInterval + 1, second, 2, second},
		"twice, and a slow answer":  {2 * keysInterval, keysTimeout - 1, 2, keysTimeout - 1},
		"twice, and no answer":      {2 * keysInterval, certsForever, 2, keysTimeout},
		"just within MaxStale":      {keysMaxStale, second, 2, second},
		"older than MaxStale":       {keysMaxStale + 1, second, 2, second},
		"far older than everything": {10 * keysMaxStale, second, 2, second},
	} {
		keysTest(t, name, func(t *testing.T, r *keysRig) {
			r.want(t, r.olderToken, nil, 0)
			time.Sleep(test.age)
			r.endpoint.slow(test.delay)
			r.want(t, r.olderToken, nil, test.waited)
			r.wantFetches(t, test.fetches)
		})
	}

	// A document is as old as the request for it.
	keysTest(t, "counts from when the fetch began", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(3 * time.Second)
		r.want(t, r.olderToken, nil, 3*time.Second)
		time.Sleep(keysInterval - 3*time.Second - 1)
		r.want(t, r.olderToken, nil, 0)
		r.wantFetches(t, 1)
		time.Sleep(time.Nanosecond)
		r.want(t, r.olderToken, nil, 0)
		r.wantFetches(t, 2)
	})
}

func TestKeysRefreshedBehindARequest(t *testing.T) {
	keysTest(t, "one fetch for all, and nobody waits", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.hang()
		r.wantCrowd(t, 100, keysSame(r.olderToken), nil, 0)
		r.wantFetches(t, 2)
	})
	keysTest(t, "its keys serve once it has ended", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.publish(r.newer)
		r.endpoint.slow(time.Second)
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(time.Second)
		synctest.Wait()
		r.want(t, r.newerToken, nil, 0)
		r.wantFetches(t, 2)
		time.Sleep(keysInterval - time.Second - 1)
		r.want(t, r.newerToken, nil, 0)
		r.wantFetches(t, 2)
		time.Sleep(time.Nanosecond)
		r.want(t, r.newerToken, nil, 0)
		r.wantFetches(t, 3)
	})
}

// A process that was idle has keys of long ago: it looks before it answers.
func TestKeysAfterIdling(t *testing.T) {
	keysTest(t, "a key that came meanwhile is known", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(2 * keysInterval)
		r.endpoint.publish(r.older, r.newer)
		r.endpoint.slow(time.Second)
		r.want(t, r.newerToken, nil, time.Second)
		r.wantFetches(t, 2)
	})
	keysTest(t, "a key that went meanwhile is gone", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(2 * keysInterval)
		r.endpoint.publish(r.newer)
		r.endpoint.slow(time.Second)
		r.want(t, r.olderToken, core.ErrUnknownKey, time.Second)
		r.wantFetches(t, 2) // the answer is new enough not to ask again
	})
	keysTest(t, "one fetch serves all who wait for it", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(2 * keysInterval)
		r.endpoint.slow(time.Second)
		r.wantCrowd(t, 100, keysSame(r.olderToken), nil, time.Second)
		r.wantFetches(t, 2)
	})
	keysTest(t, "the old keys serve if the fetch fails", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(2 * keysInterval)
		r.endpoint.slow(time.Second)
		r.endpoint.fail(http.StatusInternalServerError)
		r.wantCrowd(t, 100, keysSame(r.olderToken), nil, time.Second)
		r.want(t, r.olderToken, nil, 0)
		r.wantFetches(t, 2)
	})
}

func TestKeysReplaced(t *testing.T) {
	for name, test := range map[string]struct {
		publish func(r *keysRig) []certsKey
		want    error
	}{
		"withdrawn: its tokens are refused": {
			func(r *keysRig) []certsKey { return []certsKey{r.newer} }, core.ErrUnknownKey,
		},
		"another key of the same kid: its tokens don't verify": {
			func(r *keysRig) []certsKey {
				r.newer["kid"] = r.older["kid"]
				return []certsKey{r.newer}
			}, core.ErrSignature,
		},
		"the same key: its tokens stay remembered": {
			func(r *keysRig) []certsKey { return []certsKey{r.older} }, nil,
		},
		"the same key and another: its tokens stay remembered": {
			func(r *keysRig) []certsKey { return []certsKey{r.newer, r.older} }, nil,
		},
	} {
		keysTest(t, name, func(t *testing.T, r *keysRig) {
			r.want(t, r.olderToken, nil, 0)
			if a := r.want(t, r.olderToken, nil, 0); !a.remembered {
				t.Fatal("the token isn't remembered, so this tests nothing")
			}
			r.endpoint.publish(test.publish(r)...)
			if err := r.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 2 { // nor does being refused make it remembered
				if a := r.want(t, r.olderToken, test.want, 0); a.remembered != (test.want == nil) {
					t.Errorf("remembered is %v", a.remembered)
				}
			}
		})
	}
	keysTest(t, "withdrawn: refused as soon as a refresh behind a request ends", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		time.Sleep(keysInterval)
		r.endpoint.publish(r.newer)
		if a := r.want(t, r.olderToken, nil, 0); !a.remembered {
			t.Fatal("the token isn't remembered, so this tests nothing")
		}
		synctest.Wait()
		r.want(t, r.olderToken, core.ErrUnknownKey, 0)
	})
	keysTest(t, "many times over", func(t *testing.T, r *keysRig) {
		for range 10 {
			r.endpoint.publish(r.older)
			r.want(t, r.olderToken, nil, 0)
			time.Sleep(2 * keysInterval)
			r.endpoint.publish(r.newer)
			r.want(t, r.newerToken, nil, 0)
			r.want(t, r.olderToken, core.ErrUnknownKey, 0)
			time.Sleep(2 * keysInterval)
		}
	})
}

// An interval shorter than a fetch is a mistake, but no reason to go on fetching
// for the same request: one fetch that began after it came is enough.
func TestKeysIntervalShorterThanAFetch(t *testing.T) {
	shorter := func(c *core.Config) { c.RefreshInterval = time.Millisecond }
	keysTest(t, "each request waits for one fetch at most", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(time.Second)
		for i := range 3 {
			r.want(t, r.olderToken, nil, time.Second)
			r.wantFetches(t, 1+i)
			time.Sleep(time.Minute)
		}
	}, shorter)
	keysTest(t, "nor for the fetch of those who came later", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(time.Second)
		var crowd sync.WaitGroup
		crowd.Go(func() {
			if a := r.verify(t.Context(), r.olderToken); a.err != nil || a.waited != time.Second {
				t.Errorf("waited %v: %v", a.waited, a.err)
			}
		})
		time.Sleep(time.Second / 2)
		for range 50 {
			crowd.Go(func() { r.verify(t.Context(), r.olderToken) })
		}
		crowd.Wait()
	}, shorter)
}
