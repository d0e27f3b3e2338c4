package core

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Each call is decided once, whatever comes of it, and a refusal is one line of
// log.
func TestHookDecided(t *testing.T) {
	type key struct{}
	good, bad, expired := signUser(), signUser(forged), signUser(withExpiry(time.Now().Add(-time.Hour)))
	var callers []any // found in the hook's context
	r := newRig(t, func(c *Config) {
		c.Hooks = c.Hooks.Join(Hooks{Decided: func(ctx context.Context, _ Decision) { callers = append(callers, ctx.Value(key{})) }})
	})
	r.refresh(t)
	claims := verified(t, r, good)
	admit := func(h http.Header, rule Rule) func(context.Context) (*Claims, error) {
		return func(ctx context.Context) (*Claims, error) { return r.Admit(ctx, h, rule) }
	}
	require := func(c *Claims, policy Policy) func(context.Context) (*Claims, error) {
		return func(ctx context.Context) (*Claims, error) { return Require(NewContext(ctx, c), policy) }
	}
	for name, test := range map[string]struct {
		call func(context.Context) (*Claims, error)
		want []Decision
	}{
		"Verify: good, cached":               {func(ctx context.Context) (*Claims, error) { return r.Verify(ctx, good) }, []Decision{{Claims: claims, Cached: true}}},
		"Verify: bad":                        {func(ctx context.Context) (*Claims, error) { return r.Verify(ctx, bad) }, []Decision{{Err: ErrSignature}}},
		"Verify: empty":                      {func(ctx context.Context) (*Claims, error) { return r.Verify(ctx, "") }, []Decision{{Err: ErrNoToken}}},
		"Authenticate: no token":             {func(ctx context.Context) (*Claims, error) { return r.Authenticate(ctx, http.Header{}) }, []Decision{{Err: ErrNoToken}}},
		"Admit: good":                        {admit(inHeader(good), Rule{}), []Decision{{Claims: claims, Cached: true}}},
		"Admit: bad":                         {admit(inHeader(bad), Rule{Policy: answer(errTest)}), []Decision{{Err: ErrSignature}}},
		"Admit: no token":                    {admit(nil, Rule{Policy: Not(Users())}), []Decision{{Err: ErrNoToken}}},
		"Admit: two headers":                 {admit(inHeader(good, good), Rule{}), []Decision{{Err: ErrMalformed}}},
		"Admit: unknown kid":                 {admit(inHeader(madeUp(0)), Rule{}), []Decision{{Err: ErrUnknownKey}}},
		"Admit: several cookies, none good":  {admit(inCookies(expired, bad, "x"), Rule{}), []Decision{{Err: ErrExpired}}},
		"Admit: several cookies, one good":   {admit(inCookies(expired, bad, good), Rule{}), []Decision{{Claims: claims, Cached: true}}},
		"Admit: refused by the policy":       {admit(inHeader(good), Rule{Policy: Services()}), []Decision{{Claims: claims, Err: ErrForbidden, Cached: true}}},
		"Admit: policy unavailable":          {admit(inHeader(good), Rule{Policy: answer(errDown)}), []Decision{{Claims: claims, Err: ErrPolicyUnavailable, Cached: true}}},
		"Admit: anonymous":                   {admit(nil, Rule{Optional: true, Policy: Services()}), []Decision{{}}},
		"Admit: anonymous, with bad cookies": {admit(inCookies(expired, "x"), Rule{Optional: true}), []Decision{{}}},
		"Admit: optional, a bad header":      {admit(inHeader(bad), Rule{Optional: true}), []Decision{{Err: ErrSignature}}},
		"Require: allowed":                   {require(claims, Users()), []Decision{{Claims: claims, Required: true}}},
		"Require: no policy":                 {require(claims, nil), []Decision{{Claims: claims, Required: true}}},
		"Require: refused":                   {require(claims, Services()), []Decision{{Claims: claims, Err: ErrForbidden, Required: true}}},
		"Require: unavailable":               {require(claims, answer(errDown)), []Decision{{Claims: claims, Err: ErrPolicyUnavailable, Required: true}}},
		"Require: no claims":                 {require(nil, nil), nil},
		"Require: claims of no verifier":     {require(&Claims{}, Services()), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r.decided()
			r.logged()
			callers = nil
			_, err := test.call(context.WithValue(t.Context(), key{}, "the caller's"))
			got := r.decided()
			if len(got) != len(test.want) {
				t.Fatalf("%d decisions, want %d: %+v", len(got), len(test.want), got)
			}
			for i, want := range test.want {
				wantClass(t, got[i].Err, want.Err)
				if got[i].Claims != want.Claims || got[i].Cached != want.Cached || got[i].Required != want.Required || got[i].Duration <= 0 || got[i].Err != err {
					t.Errorf("got %+v, want %+v", got[i], want)
				}
				if callers[i] != "the caller's" {
					t.Error("the hook got another context")
				}
				lines := 0
				if want.Err != nil {
					lines = 1
				}
				if log := r.logged(); strings.Count(log, "\n") != lines || strings.Count(log, "level=DEBUG") != lines {
					t.Errorf("logged %q, want %d lines at DEBUG", log, lines)
				}
			}
		})
	}
}

func TestHookFetched(t *testing.T) {
	keysTest(t, "every fetch, before those who wait go on", func(t *testing.T, r *keysRig) {
		r.endpoint.slow(time.Second)
		verify := func(token string) error {
			_, err := r.Verify(t.Context(), token)
			return err
		}
		for _, step := range []struct {
			call func() error
			want Fetch
			text string // of its error
		}{
			{func() error { r.endpoint.fail(http.StatusBadGateway); return verify(r.older) }, Fetch{Reason: ReasonFirst}, "status 502"},
			{func() error { time.Sleep(time.Minute); r.endpoint.publish(previousKey); return verify(r.older) }, Fetch{Reason: ReasonFirst, Keys: 1}, ""},
			{func() error { r.endpoint.publish(previousKey, currentKey); return verify(r.newer) }, Fetch{Reason: ReasonUnknownKid, Keys: 2}, ""},
			{func() error { time.Sleep(2 * keysInterval); return verify(r.newer) }, Fetch{Reason: ReasonRefresh, Keys: 2}, ""},
			{func() error { return r.Refresh(t.Context()) }, Fetch{Reason: ReasonAsked, Keys: 2}, ""},
			{func() error { r.endpoint.slow(2 * keysTimeout); return r.Refresh(t.Context()) }, Fetch{Reason: ReasonAsked, Duration: keysTimeout}, "deadline exceeded"},
		} {
			err := step.call()
			if len(r.fetched) != 1 {
				t.Fatalf("%d calls, want 1: %v", len(r.fetched), r.fetched)
			}
			got := r.fetched[0]
			r.fetched = nil
			if step.text != "" {
				wantText(t, got.Err, step.text)
				wantText(t, err, step.text)
			} else if got.Err != nil || err != nil {
				t.Errorf("got errors %v and %v", got.Err, err)
			}
			step.want.Duration = cmp.Or(step.want.Duration, time.Second)
			if got.Err = nil; got != step.want {
				t.Errorf("got %+v, want %+v", got, step.want)
			}
		}
	})
	// A request's context must not travel with a fetch that outlives it.
	type key struct{}
	var seen any = "no call"
	r := newRig(t, func(c *Config) { c.Hooks.Fetched = func(ctx context.Context, _ Fetch) { seen = ctx.Value(key{}) } })
	_, _ = r.Verify(context.WithValue(t.Context(), key{}, "a request's"), signUser())
	if seen != nil {
		t.Errorf("the hook's context has %v", seen)
	}
}

func TestHooksJoin(t *testing.T) {
	var calls string
	hooks := func(name string) Hooks {
		return Hooks{
			Decided: func(_ context.Context, d Decision) { calls += fmt.Sprint(name, d.Cached, " ") },
			Fetched: func(_ context.Context, e Fetch) { calls += fmt.Sprint(name, e.Keys, " ") },
		}
	}
	onlyFetched := Hooks{Fetched: hooks("only ").Fetched}
	for name, test := range map[string]struct {
		hooks Hooks
		want  string
	}{
		"in order":      {hooks("a ").Join(hooks("b "), hooks("c ")), "a true b true c true a 2 b 2 c 2 "},
		"to none":       {Hooks{}.Join(hooks("a ")), "a true a 2 "},
		"none":          {hooks("a ").Join(), "a true a 2 "},
		"some are nil":  {hooks("a ").Join(Hooks{}, onlyFetched), "a true a 2 only 2 "},
		"the first nil": {onlyFetched.Join(hooks("a ")), "a true only 2 a 2 "},
	} {
		calls = ""
		test.hooks.Decided(t.Context(), Decision{Cached: true})
		test.hooks.Fetched(t.Context(), Fetch{Keys: 2})
		if calls != test.want {
			t.Errorf("%s: got %s, want %s", name, calls, test.want)
		}
	}
	if none := (Hooks{}).Join(Hooks{}); none.Decided != nil || none.Fetched != nil {
		t.Error("hooks of none aren't none")
	}
}
