package core_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

func TestRefresh(t *testing.T) {
	keysTest(t, "warms up", func(t *testing.T, r *keysRig) {
		if err := r.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.endpoint.hang()
		r.want(t, r.olderToken, nil, 0)
		r.wantFetches(t, 1)
	})
	keysTest(t, "fetches however young the keys are", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		r.endpoint.publish(r.older, r.newer)
		if err := r.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.endpoint.hang()
		r.want(t, r.newerToken, nil, 0)
		r.wantFetches(t, 2)
		time.Sleep(keysInterval - 1) // of the new keys
		r.want(t, r.newerToken, nil, 0)
		r.wantFetches(t, 2)
	})
	keysTest(t, "says what failed, and the old keys serve", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		r.endpoint.fail(http.StatusNotFound) // as a mistyped team is answered
		err := r.Refresh(t.Context())
		keysWantUnavailable(t, err)
		for _, text := range []string{"status 404", "https://acme.cloudflareaccess.com/cdn-cgi/access/certs"} {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("error %q doesn't say %q", err, text)
			}
		}
		r.want(t, r.olderToken, nil, 0)
	})
	keysTest(t, "ends after FetchTimeout", func(t *testing.T, r *keysRig) {
		r.endpoint.hang()
		began := time.Now()
		err := r.Refresh(t.Context())
		keysWantUnavailable(t, err)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
		}
		if got := time.Since(began); got != keysTimeout {
			t.Errorf("took %v, want %v", got, keysTimeout)
		}
	})
	keysTest(t, "ends a second later where the transport is deaf to its context", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(time.Minute)
		began := time.Now()
		err := r.Refresh(t.Context())
		keysWantUnavailable(t, err)
		if got := time.Since(began); got != keysTimeout+time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v after %v, want %v after %v", err, got, context.DeadlineExceeded, keysTimeout+time.Second)
		}
		time.Sleep(time.Minute)
	}, func(c *core.Config) { c.HTTPClient.Transport = keysDeaf{c.HTTPClient.Transport} })
	keysTest(t, "shares a fetch that is under way", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(2 * time.Second)
		go r.verify(t.Context(), r.olderToken)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				time.Sleep(time.Second)
				began := time.Now()
				if err := r.Refresh(t.Context()); err != nil || time.Since(began) != time.Second {
					t.Errorf("got %v after %v, want no error after 1s", err, time.Since(began))
				}
			})
		}
		all.Wait()
		r.wantFetches(t, 1)
	})
	keysTest(t, "ends with its context; the fetch goes on", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(2 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := r.Refresh(ctx)
		keysWantUnavailable(t, err)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("got %v after %v, want %v after 1s", err, time.Since(began), context.DeadlineExceeded)
		}
		r.want(t, r.olderToken, nil, time.Second)
		r.wantFetches(t, 1)
	})
}

func TestHookFetched(t *testing.T) {
	keysTest(t, "tells every fetch, before those who wait go on", func(t *testing.T, r *keysRig) {
		expect := func(reason string, keys int, failure string, duration time.Duration) {
			t.Helper()
			r.mu.Lock()
			defer r.mu.Unlock()
			if len(r.fetched) != 1 {
				t.Fatalf("%d calls, want 1: %v", len(r.fetched), r.fetched)
			}
			e := r.fetched[0]
			r.fetched = nil
			if e.Reason != reason || e.Keys != keys || e.Duration != duration {
				t.Errorf("got %+v, want reason %q, %d keys, %v", e, reason, keys, duration)
			}
			if failure == "" && e.Err != nil || failure != "" && (e.Err == nil || !strings.Contains(e.Err.Error(), failure)) {
				t.Errorf("got error %v, want one that says %q", e.Err, failure)
			}
		}
		r.endpoint.slow(time.Second)
		r.endpoint.fail(http.StatusBadGateway)
		next := keysWantUnavailable(t, r.want(t, r.olderToken, core.ErrKeysUnavailable, time.Second).err)
		expect(core.ReasonFirst, 0, "status 502", time.Second)

		time.Sleep(next)
		r.endpoint.publish(r.older)
		r.want(t, r.olderToken, nil, time.Second)
		expect(core.ReasonFirst, 1, "", time.Second)

		r.endpoint.publish(r.older, r.newer)
		r.want(t, r.newerToken, nil, time.Second)
		expect(core.ReasonUnknownKid, 2, "", time.Second)

		time.Sleep(2 * keysInterval)
		r.want(t, r.newerToken, nil, time.Second)
		expect(core.ReasonRefresh, 2, "", time.Second)

		if err := r.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		expect(core.ReasonAsked, 2, "", time.Second)

		r.endpoint.hang()
		if err := r.Refresh(t.Context()); err == nil {
			t.Error("Refresh succeeded")
		}
		expect(core.ReasonAsked, 0, "deadline exceeded", keysTimeout)
	})
	// A request's context must not travel with a fetch that outlives it.
	certsTeam()
	synctest.Test(t, func(t *testing.T) {
		endpoint := &certsEndpoint{}
		type key struct{}
		var seen any
		v, err := core.New(core.Config{
			Team:       "acme",
			Audiences:  []string{keysAudience},
			HTTPClient: &http.Client{Transport: endpoint},
			Logger:     slog.New(slog.DiscardHandler),
			Hooks:      core.Hooks{Fetched: func(ctx context.Context, _ core.Fetch) { seen = ctx.Value(key{}) }},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(context.WithValue(t.Context(), key{}, "a request's"), keysMadeUp(0))
		keysWantUnavailable(t, err)
		if seen != nil {
			t.Errorf("the hook's context holds %v", seen)
		}
	})
}

func TestKeysLog(t *testing.T) {
	keysTest(t, "a warning for each failed fetch, and no token", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		if got := r.log.String(); got != "" {
			t.Errorf("logged, with nothing wrong: %s", got)
		}
		r.endpoint.fail(http.StatusBadGateway)
		time.Sleep(keysMaxStale + 1)
		r.want(t, r.olderToken, core.ErrKeysUnavailable, 0)
		time.Sleep(2 * time.Second)
		r.want(t, r.newerToken, core.ErrKeysUnavailable, 0)
		time.Sleep(4 * time.Second)
		r.endpoint.publish(r.older)
		r.want(t, r.newerToken, core.ErrUnknownKey, 0)
		r.want(t, r.olderToken, nil, 0)
		synctest.Wait()

		log := r.log.String()
		var warnings int
		for line := range strings.Lines(log) {
			if !strings.Contains(line, "level=WARN") {
				continue
			}
			warnings++
			for _, text := range []string{"reason=refresh", "status 502", "retry="} {
				if !strings.Contains(line, text) {
					t.Errorf("warning doesn't say %q: %s", text, line)
				}
			}
		}
		if warnings != 2 {
			t.Errorf("%d warnings, want 2:\n%s", warnings, log)
		}
		for _, token := range []string{r.olderToken, r.newerToken} {
			for _, part := range strings.Split(token, ".") {
				if strings.Contains(log, part) {
					t.Errorf("logged a part of a token: %s", part)
				}
			}
		}
	})
}

func TestKeysCallerGoesAway(t *testing.T) {
	situations := map[string]func(t *testing.T, r *keysRig) (token string){
		"from the first fetch": func(_ *testing.T, r *keysRig) string {
			return r.olderToken
		},
		"after idling": func(t *testing.T, r *keysRig) string {
			r.want(t, r.olderToken, nil, 0)
			time.Sleep(2 * keysInterval)
			return r.olderToken
		},
		"with an unknown kid": func(t *testing.T, r *keysRig) string {
			r.want(t, r.olderToken, nil, 0)
			time.Sleep(time.Minute)
			r.endpoint.publish(r.older, r.newer)
			return r.newerToken
		},
	}
	for name, arrange := range situations {
		for _, test := range []struct {
			name string
			ctx  func(context.Context) (context.Context, context.CancelFunc)
			want error
		}{
			{"cancelled", func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, context.Canceled},
			{"out of time", func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			}, context.DeadlineExceeded},
		} {
			keysTest(t, test.name+" "+name, func(t *testing.T, r *keysRig) {
				token := arrange(t, r)
				before := len(r.endpoint.requests())
				r.endpoint.slow(3 * time.Second)
				ctx, cancel := test.ctx(t.Context())
				defer cancel()

				var others sync.WaitGroup
				for _, later := range []time.Duration{time.Millisecond, 2 * time.Second} {
					others.Go(func() {
						time.Sleep(later) // the fetch is the impatient one's
						a := r.verify(t.Context(), token)
						if a.err != nil || a.waited != 3*time.Second-later {
							t.Errorf("%v later: got %v after %v, want to be served by the same fetch", later, a.err, a.waited)
						}
					})
				}
				a := r.verify(ctx, token)
				if !errors.Is(a.err, test.want) || a.waited != time.Second {
					t.Errorf("got %v after %v, want %v after 1s", a.err, a.waited, test.want)
				}
				keysWantUnavailable(t, a.err)
				others.Wait()
				r.wantFetches(t, before+1)
			})
		}
	}
	keysTest(t, "no matter where nobody waits", func(t *testing.T, r *keysRig) {
		r.want(t, r.olderToken, nil, 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if a := r.verify(ctx, r.olderToken); a.err != nil {
			t.Errorf("got error %v, want none", a.err)
		}
	})
	keysTest(t, "gone before it came", func(t *testing.T, r *keysRig) {
		r.endpoint.hang()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if a := r.verify(ctx, r.olderToken); !errors.Is(a.err, context.Canceled) || a.waited != 0 {
			t.Errorf("got %v after %v, want %v at once", a.err, a.waited, context.Canceled)
		}
	})
}

// A start-up loop that asks without pause must not lock out those who come
// once the endpoint is back.
func TestRefreshDoesNotPutOffTheNextFetch(t *testing.T) {
	keysTest(t, "a hundred times in vain", func(t *testing.T, r *keysRig) {
		r.endpoint.fail(http.StatusInternalServerError)
		for range 100 {
			if err := r.Refresh(t.Context()); !errors.Is(err, core.ErrKeysUnavailable) {
				t.Fatal(err)
			}
		}
		r.endpoint.publish(r.older)
		time.Sleep(2 * time.Second) // the first backoff is no longer
		r.want(t, r.olderToken, nil, 0)
	})
}
