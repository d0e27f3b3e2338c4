package core

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// No value is a default, so that a test fails where a field has no effect.
const (
	identityTTL      = 3 * time.Minute
	identityMaxStale = 40 * time.Minute
	identityTimeout  = 4 * time.Second
)

func identityTimes(c *Config) {
	c.IdentityTTL, c.IdentityMaxStale, c.FetchTimeout = identityTTL, identityMaxStale, identityTimeout
}

// A person is whom a token names.
type person struct{ Email, Sub string }

// identityAnswer is how Access answers get-identity.
type identityAnswer func(r *http.Request, p person) (*http.Response, error)

// answerWith returns an answer of this status, type and body.
func answerWith(status int, mediaType, body string, header ...string) identityAnswer {
	return func(r *http.Request, _ person) (*http.Response, error) {
		h := http.Header{"Content-Type": {mediaType}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
}

// answerGroups answers as Access does, for a person in these groups.
func answerGroups(groups ...string) identityAnswer {
	return func(r *http.Request, p person) (*http.Response, error) {
		document, err := json.Marshal(object{"email": p.Email, "user_uuid": p.Sub, "groups": groups})
		if err != nil {
			return nil, err
		}
		return answerWith(http.StatusOK, "application/json", string(document))(r, p)
	}
}

// answerDown is Access in an outage.
var answerDown = answerWith(http.StatusInternalServerError, "text/html", "<html>")

// identityEndpoint is get-identity without a socket.
type identityEndpoint struct {
	mu            sync.Mutex // guards the fields below
	answer        identityAnswer
	delay         time.Duration
	isDeaf        bool // goes on when nobody waits any more
	asked         []time.Time
	last          *http.Request
	waiting, most int // requests without an answer, now and at most
}

// set changes how requests are answered from now on.
func (e *identityEndpoint) set(answer identityAnswer, delay time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer, e.delay = answer, delay
}

// calls returns when each request so far came.
func (e *identityEndpoint) calls() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

// RoundTrip implements http.RoundTripper.
func (e *identityEndpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	e.asked, e.last = append(e.asked, time.Now()), r
	e.waiting++
	e.most = max(e.most, e.waiting)
	answer, delay, done := e.answer, e.delay, r.Context().Done()
	if e.isDeaf {
		done = nil
	}
	e.mu.Unlock()
	defer func() { e.mu.Lock(); e.waiting--; e.mu.Unlock() }()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-done:
			return nil, r.Context().Err()
		}
	}
	cookie, err := r.Cookie(TokenCookie)
	if err != nil {
		return nil, err
	}
	var p person
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(cookie.Value, ".")[1])
	if err == nil {
		err = json.Unmarshal(payload, &p)
	}
	if err != nil {
		return nil, err
	}
	return answer(r, p)
}

// identityRig is a rig with get-identity too.
type identityRig struct {
	*rig
	access *identityEndpoint
}

// withIdentities has the rig's transport answer get-identity by this endpoint.
func withIdentities(access *identityEndpoint) func(*Config) {
	return func(c *Config) {
		certs := c.HTTPClient.Transport
		c.HTTPClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == identityPath {
				return access.RoundTrip(r)
			}
			return certs.RoundTrip(r)
		})}
	}
}

func newIdentityRig(t testing.TB, changes ...func(*Config)) *identityRig {
	t.Helper()
	access := &identityEndpoint{answer: answerGroups("engineering")}
	return &identityRig{newRig(t, append([]func(*Config){withIdentities(access), identityTimes}, changes...)...), access}
}

// identityTest runs a subtest in a bubble. Everybody is in the group
// engineering, until the test says otherwise.
func identityTest(t *testing.T, name string, test func(t *testing.T, r *identityRig), changes ...func(*Config)) {
	t.Helper()
	access := &identityEndpoint{answer: answerGroups("engineering")}
	bubble(t, name, func(t *testing.T, r *rig) {
		test(t, &identityRig{r, access})
		access.mu.Lock()
		defer access.mu.Unlock()
		if access.most > identityFetches {
			t.Errorf("%d identity fetches at once", access.most)
		}
	}, append([]func(*Config){withIdentities(access), identityTimes}, changes...)...)
}

// person returns the verified claims of a person.
func (r *identityRig) person(t testing.TB, email string) *Claims {
	t.Helper()
	return verified(t, r.rig, team.SignUser(testAudience, email))
}

// session returns the claims of a person as if their token had verified: that
// takes less time.
func (r *identityRig) session(i int) *Claims {
	email := fmt.Sprintf("user%d@example.com", i)
	token := "e30." + encodeSegment(fmt.Appendf(nil, `{"email":%q,"x":%q}`, email, strings.Repeat("x", 500))) + fmt.Sprintf(".%032d", i)
	c := &Claims{Email: email, token: &token, verifier: r.Verifier}
	c.ExpiresAt = jwt.NewNumericDate(time.Now().Add(24 * time.Hour))
	return c
}

// sessions returns the claims of n people.
func (r *identityRig) sessions(n int) []*Claims {
	all := make([]*Claims, n)
	for i := range all {
		all[i] = r.session(i)
	}
	return all
}

// want asks for an identity, and fails the test unless this comes of it after
// exactly this long.
func (r *identityRig) want(t testing.TB, c *Claims, want error, wait time.Duration) *Identity {
	t.Helper()
	arrived := time.Now()
	identity, err := c.Identity(t.Context())
	wantClass(t, err, want)
	if waited := time.Since(arrived); waited != wait {
		t.Errorf("waited %v, want %v", waited, wait)
	}
	if (identity == nil) != (want != nil) {
		t.Fatalf("identity %v with error %v", identity, err)
	}
	return identity
}

// wantGroup fails the test unless Groups allows the person that group at once.
func (r *identityRig) wantGroup(t testing.TB, c *Claims, group string) {
	t.Helper()
	arrived := time.Now()
	if err := Groups(group)(t.Context(), c); err != nil || time.Since(arrived) > 0 {
		t.Fatalf("group %q: %v after %v", group, err, time.Since(arrived))
	}
}

// wantCalls fails the test unless Access was called so often so far.
func (r *identityRig) wantCalls(t testing.TB, want int) {
	t.Helper()
	synctest.Wait()
	if got := len(r.access.calls()); got != want {
		t.Fatalf("%d calls to Access, want %d", got, want)
	}
}

// TestIdentityCache has the rows of the design's table that end well.
func TestIdentityCache(t *testing.T) {
	identityTest(t, "younger than the TTL: no call", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.want(t, ada, nil, 0)
		time.Sleep(identityTTL - 1)
		r.want(t, ada, nil, 0)
		r.wantCalls(t, 1)
	})
	identityTest(t, "first time: a hundred requests share one call", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.access.set(answerGroups("engineering"), 2*time.Second)
		var requests sync.WaitGroup
		for range 100 {
			requests.Go(func() { r.want(t, ada, nil, 2*time.Second) })
		}
		requests.Wait()
		r.wantCalls(t, 1)
	})
	identityTest(t, "first time: each token has a call", func(t *testing.T, r *identityRig) {
		r.want(t, r.person(t, "ada@example.com"), nil, 0)
		r.want(t, verified(t, r.rig, signUser(withClaim("iat", time.Now().Unix()-1))), nil, 0)
		r.wantCalls(t, 2)
	})
	identityTest(t, "first time, without an answer: FetchTimeout", func(t *testing.T, r *identityRig) {
		r.access.set(answerGroups(), forever)
		r.want(t, r.person(t, "ada@example.com"), ErrPolicyUnavailable, identityTimeout)
	})
	identityTest(t, "first time, the transport ignores its context: FetchTimeout", func(t *testing.T, r *identityRig) {
		r.access.isDeaf = true
		r.access.set(answerGroups("engineering"), time.Minute)
		ada := r.person(t, "ada@example.com")
		r.want(t, ada, ErrPolicyUnavailable, identityTimeout)
		r.want(t, ada, ErrPolicyUnavailable, identityTimeout)
		time.Sleep(time.Minute)
		r.wantGroup(t, ada, "engineering")
		r.wantCalls(t, 1)
	})
	identityTest(t, "first time, a request's context ends: the others go on", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.access.set(answerGroups("engineering"), 3*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var other sync.WaitGroup
		other.Go(func() { time.Sleep(time.Nanosecond); r.want(t, ada, nil, 3*time.Second-1) })
		arrived := time.Now()
		_, err := ada.Identity(ctx)
		wantClass(t, err, ErrPolicyUnavailable)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(arrived) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(arrived))
		}
		other.Wait()
		r.wantCalls(t, 1)
	})
	identityTest(t, "older than the TTL: served, while one call runs in the background", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.want(t, ada, nil, 0)
		r.access.set(answerGroups("security"), 2*time.Second)
		time.Sleep(identityTTL)
		for range 10 {
			r.wantGroup(t, ada, "engineering")
		}
		r.wantCalls(t, 2)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.wantGroup(t, ada, "security")
		r.wantCalls(t, 2)
	})
	identityTest(t, "an identity's age counts from the beginning of its call", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.access.set(answerGroups("engineering"), 2*time.Second)
		r.want(t, ada, nil, 2*time.Second)
		time.Sleep(identityTTL - 2*time.Second)
		r.wantGroup(t, ada, "engineering")
		r.wantCalls(t, 2)
	})
	identityTest(t, "1 ns before twice the TTL: served", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.want(t, ada, nil, 0)
		r.access.set(answerGroups("security"), time.Second)
		time.Sleep(2*identityTTL - 1)
		r.wantGroup(t, ada, "engineering")
	})
	identityTest(t, "twice the TTL: waits", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.want(t, ada, nil, 0)
		r.access.set(answerGroups("security"), time.Second)
		time.Sleep(2 * identityTTL)
		if got := r.want(t, ada, nil, time.Second); got.Groups[0].Name != "security" {
			t.Errorf("groups %v", got.Groups)
		}
		r.wantCalls(t, 2)
	})
	identityTest(t, "twice the TTL, and the call fails: waits once, then the old one serves", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.want(t, ada, nil, 0)
		r.access.set(answerGroups(), forever)
		time.Sleep(2 * identityTTL)
		r.want(t, ada, nil, identityTimeout)
		for range 100 {
			r.wantGroup(t, ada, "engineering")
			time.Sleep(time.Second)
		}
	})
	identityTest(t, "idle for a TTL after a failed call: waits", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.want(t, ada, nil, 0)
		time.Sleep(identityTTL)
		r.access.set(answerDown, 0)
		r.wantGroup(t, ada, "engineering")
		synctest.Wait()
		r.access.set(answerGroups("security"), time.Second)
		time.Sleep(identityTTL + 2*time.Second)
		if got := r.want(t, ada, nil, time.Second); got.Groups[0].Name != "security" {
			t.Errorf("groups %v", got.Groups)
		}
	})
	identityTest(t, "tokens with the same end", func(t *testing.T, r *identityRig) {
		ada, eve := r.session(1), r.session(2)
		for _, c := range []*Claims{ada, eve} {
			token := (*c.token)[:len(*c.token)-32] + strings.Repeat("x", 32)
			c.token = &token
		}
		for range 2 {
			for _, c := range []*Claims{ada, eve} {
				if got := r.want(t, c, nil, 0); got.Email != c.Email {
					t.Errorf("%s got the identity of %s", c.Email, got.Email)
				}
			}
		}
	})
	identityTest(t, "the call that is made", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.want(t, ada, nil, 0)
		got := r.access.last
		if url := got.URL.String(); got.Method != http.MethodGet || url != testIssuer+identityPath || got.Body != nil {
			t.Errorf("%s %s", got.Method, url)
		}
		if cookie := got.Header.Get("Cookie"); cookie != TokenCookie+"="+ada.Token() || got.Header.Get("Accept") != "application/json" || got.Close {
			t.Errorf("Header %v, Close %v", got.Header, got.Close)
		}
	})
	identityTest(t, "no token cache, an identity cache all the same", func(t *testing.T, r *identityRig) {
		token := signUser()
		for range 3 {
			r.want(t, verified(t, r.rig, token), nil, 0)
		}
		r.wantCalls(t, 1)
	}, noCache)
}

// TestIdentityRefused is the row in which Access says no, or speaks of another
// person.
func TestIdentityRefused(t *testing.T) {
	for name, answer := range map[string]identityAnswer{
		"400":            answerWith(http.StatusBadRequest, "application/json", `{"err":"no app token set"}`),
		"401":            answerWith(http.StatusUnauthorized, "application/json; charset=utf-8", `{"err":"expired"}`),
		"403":            answerWith(http.StatusForbidden, "application/json", `{"err":"session revoked"}`),
		"404":            answerWith(http.StatusNotFound, "application/json", `{"err":"unknown"}`),
		"another email":  answerWith(http.StatusOK, "application/json", `{"email":"eve@example.com","groups":["engineering"]}`),
		"another uuid":   answerWith(http.StatusOK, "application/json", `{"user_uuid":"1","groups":["engineering"]}`),
		"the uuid alone": answerWith(http.StatusOK, "application/json", `{"email":"ada@example.com","user_uuid":"1","groups":["engineering"]}`),
	} {
		identityTest(t, name+": refused, and not asked again for 10 s", func(t *testing.T, r *identityRig) {
			r.access.set(answer, 0)
			ada := r.person(t, "ada@example.com")
			for range 100 {
				r.want(t, ada, ErrForbidden, 0)
				time.Sleep(99 * time.Millisecond)
			}
			r.wantCalls(t, 1)
			r.access.set(answerGroups("engineering"), time.Second)
			time.Sleep(100 * time.Millisecond)
			r.want(t, ada, nil, time.Second)
			r.wantCalls(t, 2)
		})
		identityTest(t, name+": the identity known before is gone", func(t *testing.T, r *identityRig) {
			ada := r.person(t, "ada@example.com")
			r.want(t, ada, nil, 0)
			r.access.set(answer, 0)
			time.Sleep(identityTTL)
			r.wantGroup(t, ada, "engineering")
			synctest.Wait()
			r.want(t, ada, ErrForbidden, 0)
			// It doesn't come back in an outage, nor does the refusal last.
			r.access.set(answerDown, 0)
			time.Sleep(deniedFor)
			r.want(t, ada, ErrPolicyUnavailable, 0)
		})
	}
	identityTest(t, "a refusal ends with its time in an outage too", func(t *testing.T, r *identityRig) {
		all := r.sessions(outageFailures)
		ada := r.person(t, "ada@example.com")
		r.access.set(answerWith(http.StatusBadRequest, "application/json", `{"err":"no"}`), 0)
		r.want(t, ada, ErrForbidden, 0)
		r.access.set(answerDown, 0)
		for _, c := range all {
			r.want(t, c, ErrPolicyUnavailable, 0)
		}
		time.Sleep(deniedFor)
		r.want(t, ada, ErrPolicyUnavailable, 0)
	})
	identityTest(t, "a refusal ends with its time where the transport hangs too", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.access.set(answerWith(http.StatusBadRequest, "application/json", `{"err":"no"}`), 0)
		r.want(t, ada, ErrForbidden, 0)
		r.access.isDeaf = true
		r.access.set(answerDown, time.Minute)
		time.Sleep(deniedFor)
		r.want(t, ada, ErrPolicyUnavailable, identityTimeout)
	})
	identityTest(t, "refusals are no outage", func(t *testing.T, r *identityRig) {
		r.access.set(answerWith(http.StatusBadRequest, "application/json", `{"err":"no"}`), 0)
		for _, c := range r.sessions(2 * outageFailures) {
			r.want(t, c, ErrForbidden, 0)
		}
		r.access.set(answerGroups("engineering"), 0)
		r.want(t, r.person(t, "ada@example.com"), nil, 0)
	})
}

// TestIdentityWithoutCall is the row of callers about whom Access isn't asked.
func TestIdentityWithoutCall(t *testing.T) {
	policy := Groups("engineering")
	identityTest(t, "a service token", func(t *testing.T, r *identityRig) {
		bot := verified(t, r.rig, signService())
		r.want(t, bot, ErrForbidden, 0)
		ctx := NewContext(t.Context(), bot)
		_, err := Require(ctx, policy)
		wantClass(t, err, ErrForbidden)
		_, err = Require(ctx, Not(policy))
		wantClass(t, err, nil)
		r.wantCalls(t, 0)
	})
	identityTest(t, "claims of a test", func(t *testing.T, r *identityRig) {
		r.want(t, &Claims{Email: "ada@example.com"}, ErrPolicyUnavailable, 0)
		_, err := Require(NewContext(t.Context(), &Claims{Email: "ada@example.com"}), policy)
		wantClass(t, err, ErrPolicyUnavailable)
		r.wantCalls(t, 0)
	})
	identityTest(t, "a token that doesn't verify", func(t *testing.T, r *identityRig) {
		for _, token := range []string{
			"", "x", madeUp(1), signUser(forged), signUser(withExpiry(time.Now().Add(-time.Hour))), signUser(withClaim("type", "org")),
			team.SignUser(otherAudience, "ada@example.com"), signUser(withClaim("iss", "https://x.cloudflareaccess.com")),
		} {
			for _, headers := range []http.Header{inHeader(token), inCookies(token)} {
				if _, err := r.Admit(t.Context(), headers, Rule{Policy: policy}); err == nil {
					t.Errorf("%q passed", token)
				}
			}
		}
		r.wantCalls(t, 0)
	})
	identityTest(t, "a token that has expired since", func(t *testing.T, r *identityRig) {
		ada := verified(t, r.rig, signUser(withExpiry(time.Now().Add(time.Minute))))
		r.want(t, ada, nil, 0)
		time.Sleep(90*time.Second - 1) // the leeway is 30 s
		r.wantGroup(t, ada, "engineering")
		if r.identities.entries.EstimatedSize() != 1 {
			t.Error("no identity in the cache")
		}
		time.Sleep(time.Nanosecond)
		r.want(t, ada, ErrForbidden, 0)
		r.wantCalls(t, 1)
		if r.identities.entries.EstimatedSize() != 0 {
			t.Error("the identity outlasts its token")
		}
	})
}

// TestIdentityFetchesAtATime: a crowd of new sessions queues for slots, and
// nobody whose identity is known waits behind it.
func TestIdentityFetchesAtATime(t *testing.T) {
	identityTest(t, "new sessions queue", func(t *testing.T, r *identityRig) {
		all := r.sessions(10 * identityFetches)
		r.access.set(answerGroups("engineering"), 100*time.Millisecond)
		arrived := time.Now()
		var requests sync.WaitGroup
		for _, c := range all {
			requests.Go(func() { wantErr(t, Groups("engineering")(t.Context(), c), nil) })
		}
		requests.Wait()
		if waited := time.Since(arrived); waited != time.Second || r.access.most != identityFetches {
			t.Errorf("took %v with %d calls at a time, want 1s and %d", waited, r.access.most, identityFetches)
		}
	})
	identityTest(t, "the queue is no outage", func(t *testing.T, r *identityRig) {
		all := r.sessions(5 * identityFetches)
		r.access.set(answerGroups("engineering"), identityTimeout-1)
		var requests sync.WaitGroup
		for _, c := range all {
			requests.Go(func() {
				if err := Groups("engineering")(t.Context(), c); err != nil {
					wantErr(t, err, ErrPolicyUnavailable)
				}
			})
		}
		requests.Wait()
		r.access.set(answerGroups("engineering"), 0)
		time.Sleep(identityTimeout)
		for _, c := range all {
			r.want(t, c, nil, 0)
		}
		for _, e := range r.fetched {
			if e.Err != nil {
				t.Errorf("reported %v", e.Err)
			}
		}
	})
	identityTest(t, "active sessions don't wait for a slow Access", func(t *testing.T, r *identityRig) {
		all := r.sessions(1000)
		for _, c := range all {
			r.want(t, c, nil, 0)
		}
		r.access.set(answerGroups("engineering"), identityTimeout-1)
		// Each of them is back every ten seconds. That is too much for Access,
		// which renews 4 a second.
		for range 60 {
			time.Sleep(10 * time.Second)
			for _, c := range all {
				r.wantGroup(t, c, "engineering")
			}
		}
	})
}

// wantErr is wantClass for goroutines.
func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// TestIdentityReports: the hook and the log.
func TestIdentityReports(t *testing.T) {
	identityTest(t, "Fetched", func(t *testing.T, r *identityRig) {
		ada, eve := r.person(t, "ada@example.com"), r.person(t, "eve@example.com")
		r.set(func() { r.fetched = nil })
		r.access.set(answerGroups("engineering"), time.Second)
		r.want(t, ada, nil, time.Second)
		r.want(t, ada, nil, 0)
		r.access.set(answerDown, 2*time.Second)
		r.want(t, eve, ErrPolicyUnavailable, 2*time.Second)
		want := []Fetch{{Reason: ReasonIdentity, Duration: time.Second}, {Reason: ReasonIdentity, Duration: 2 * time.Second}}
		if len(r.fetched) != 2 || r.fetched[0] != want[0] || r.fetched[1].Err == nil || r.fetched[1].Reason != ReasonIdentity || r.fetched[1].Duration != 2*time.Second {
			t.Errorf("got %+v, want %+v, the second with an error", r.fetched, want)
		}
	})
	identityTest(t, "the log says what failed, and no token", func(t *testing.T, r *identityRig) {
		r.access.set(answerDown, 0)
		for _, c := range r.sessions(20) {
			_, err := Require(NewContext(t.Context(), c), Groups("engineering"))
			wantText(t, err, testIssuer+identityPath+`: status 500, "text/html"`)
			if strings.Contains(err.Error(), c.Token()) {
				t.Error("a token in an error")
			}
		}
		log := r.logged()
		if n := strings.Count(log, `level=WARN msg="cfaccess: fetching an identity failed"`); n != outageFailures {
			t.Errorf("%d lines in\n%s", n, log)
		}
		if strings.Contains(log, "eyJ") {
			t.Errorf("a token in the log\n%s", log)
		}
	})
}

// Policies that can't decide: see the design.
func TestGroupsUnavailable(t *testing.T) {
	groups, refuse, allow := Groups("engineering"), answer(errTest), answer(nil)
	identityTest(t, "Access is down", func(t *testing.T, r *identityRig) {
		r.access.set(answerDown, 0)
		ada := r.person(t, "ada@example.com")
		for name, test := range map[string]struct {
			policy Policy
			want   error
		}{
			"Groups":                  {groups, ErrPolicyUnavailable},
			"Groups of none":          {Groups(), ErrPolicyUnavailable},
			"Not(Groups)":             {Not(groups), ErrPolicyUnavailable},
			"AnyOf(Groups, refuse)":   {AnyOf(groups, refuse), ErrPolicyUnavailable},
			"AnyOf(Groups, allow)":    {AnyOf(groups, allow), nil},
			"AllOf(Groups, refuse)":   {AllOf(groups, refuse), ErrForbidden},
			"AllOf(Groups, allow)":    {AllOf(groups, allow), ErrPolicyUnavailable},
			"AllOf(allow, Not(…))":    {AllOf(allow, Not(groups)), ErrPolicyUnavailable},
			"AnyOf(Not(Groups), …)":   {AnyOf(Not(groups), refuse), ErrPolicyUnavailable},
			"Not(Not(Groups))":        {Not(Not(groups)), ErrPolicyUnavailable},
			"Not(AllOf(Groups, Any))": {Not(AllOf(groups, allow)), ErrPolicyUnavailable},
		} {
			_, err := Require(NewContext(t.Context(), ada), test.policy)
			if !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", name, err, test.want)
			}
			wantClass(t, err, test.want)
		}
	})
	identityTest(t, "the context has ended", func(t *testing.T, r *identityRig) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.access.set(answerGroups(), time.Second)
		for _, policy := range []Policy{groups, Not(groups)} {
			_, err := Require(NewContext(ctx, r.person(t, "ada@example.com")), policy)
			wantClass(t, err, ErrPolicyUnavailable)
		}
	})
	identityTest(t, "in Admit", func(t *testing.T, r *identityRig) {
		r.access.set(answerDown, 0)
		for _, optional := range []bool{false, true} {
			_, err := r.Admit(t.Context(), inCookies(signUser()), Rule{Optional: optional, Policy: groups})
			wantClass(t, err, ErrPolicyUnavailable)
		}
	})
}

// Ten thousand sessions: the heap grows by twice the cache at most.
func TestIdentityMemory(t *testing.T) {
	groups := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,{"id":"7335d417-61da-459d-899c-0a01c76%05d","name":"group-%d","email":"group-%d@example.com"}`, i, i, i)
		}
		return `"groups":[` + strings.TrimPrefix(b.String(), ",") + `]`
	}
	for name, test := range map[string]struct {
		members  string
		sessions int // more than there is room for
	}{
		"ordinary":      {groups(10) + `,"devicePosture":{"a":{"type":"disk_encryption","success":true}},"oidc_fields":{"department":"research"}`, 10_000},
		"1,000 groups":  {groups(1000), 100},
		"short groups":  {`"groups":[` + strings.Repeat(`"a",`, 2000) + `"b"]`, 200},
		"nested custom": {groups(1) + `,"custom":{"a":[` + strings.Repeat(`{"a":{}},`, 500) + `1]}`, 100},
		"no groups":     {`"groups":[]`, 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			r := newIdentityRig(t, quiet)
			identities := r.identities
			r.access.answer = func(req *http.Request, p person) (*http.Response, error) {
				return answerWith(http.StatusOK, "application/json", fmt.Sprintf(`{"email":%q,%s}`, p.Email, test.members))(req, p)
			}
			before := heap()
			for i := range test.sessions {
				if _, err := r.session(i).Identity(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			grown := heap() - before
			t.Logf("%d sessions: %d identities of %d bytes in the cache, the heap grew by %.1f MiB", test.sessions, identities.entries.EstimatedSize(),
				len(test.members), float64(grown)/(1<<20))
			if grown > 2*identityCacheBytes {
				t.Errorf("the heap grew by %d bytes, want %d at most", grown, 2*identityCacheBytes)
			}
			if len(identities.flights) > 0 {
				t.Errorf("%d fetches are left", len(identities.flights))
			}
			runtime.KeepAlive(r)
		})
	}
}

// The connection to Access is kept, but not for long.
func TestIdentityKeepAlive(t *testing.T) {
	var connections sync.Map
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == certsPath {
			_, _ = w.Write(team.Certs())
			return
		}
		connections.Store(r.RemoteAddr, true)
		r.URL.Host = r.Host
		team.ServeHTTP(w, r)
	}))
	defer server.Close()
	v, err := New(Config{Team: "acme", Audiences: []string{testAudience}, Endpoint: server.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		c, err := v.Verify(t.Context(), team.SignUser(testAudience, fmt.Sprintf("user%d@example.com", i)))
		if err == nil {
			_, err = c.Identity(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	connections.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections for five identities", n)
	}
	if idle := v.identities.cfg.HTTPClient.Transport.(*http.Transport).IdleConnTimeout; idle != 30*time.Second {
		t.Errorf("idle connections are kept for %v", idle)
	}
}

// BenchmarkGroups is a decision about a person whose identity is cached.
func BenchmarkGroups(b *testing.B) {
	r := newIdentityRig(b, quiet)
	ada, policy := r.person(b, "ada@example.com"), Groups("security", "engineering")
	wantClass(b, policy(b.Context(), ada), nil)
	b.ReportAllocs()
	for b.Loop() {
		_ = policy(context.Background(), ada)
	}
}
