package core

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// unavailableAnswers are all that leave open who somebody is.
func unavailableAnswers() map[string]identityAnswer {
	good := answerGroups("security")
	return map[string]identityAnswer{
		"500":                        answerDown,
		"502 with JSON":              answerWith(http.StatusBadGateway, "application/json", `{"err":"no app token set"}`),
		"429":                        answerWith(http.StatusTooManyRequests, "application/json", `{"err":"slow down"}`),
		"200 with HTML":              answerWith(http.StatusOK, "text/html; charset=utf-8", "<html>"),
		"200 with JSON named HTML":   answerWith(http.StatusOK, "text/html", `{"email":"ada@example.com","groups":["security"]}`),
		"404 with HTML":              answerWith(http.StatusNotFound, "text/html", "<html>"),
		"403 with HTML":              answerWith(http.StatusForbidden, "text/html", "<html>"),
		"400 with JSON without err":  answerWith(http.StatusBadRequest, "application/json", `{"error":"no"}`),
		"400 with half of JSON":      answerWith(http.StatusBadRequest, "application/json", `{"err":"no`),
		"204":                        answerWith(http.StatusNoContent, "application/json", ""),
		"a redirect":                 answerWith(http.StatusFound, "text/html", "", "Location", "https://evil.example"+identityPath),
		"truncated":                  answerWith(http.StatusOK, "application/json", `{"email":"ada@example.com","groups":["security"`),
		"an err with 200":            answerWith(http.StatusOK, "application/json", `{"err":"no app token set"}`),
		"an empty object":            answerWith(http.StatusOK, "application/json", `{}`),
		"groups of another type":     answerWith(http.StatusOK, "application/json", `{"email":"ada@example.com","groups":{"security":true}}`),
		"over 1 MiB":                 answerWith(http.StatusOK, "application/json", `{"email":"ada@example.com","groups":["security"]}`+strings.Repeat(" ", 1<<20)),
		"4 MiB in memory":            answerWith(http.StatusOK, "application/json", `{"email":"ada@example.com","groups":["security"],"custom":{"a":[`+strings.Repeat(`{"a":1},`, 1<<13)+`1]}}`),
		"a connection that is reset": func(*http.Request, person) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
		"a body that is reset": func(r *http.Request, p person) (*http.Response, error) {
			response, err := good(r, p)
			response.Body = io.NopCloser(io.MultiReader(response.Body, errorReader{}))
			return response, err
		},
		"another URL": func(r *http.Request, p person) (*http.Response, error) {
			return good(httptest.NewRequest(http.MethodGet, "https://evil.example"+identityPath, nil), p)
		},
	}
}

// countingReader reads spaces.
type countingReader struct{ left int }

func (r *countingReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), r.left)]
	for i := range p {
		p[i] = ' '
	}
	r.left -= len(p)
	return len(p), nil
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestIdentityUnavailable is the row in which Access can't be asked.
func TestIdentityUnavailable(t *testing.T) {
	for name, answer := range unavailableAnswers() {
		identityTest(t, name+", nothing known", func(t *testing.T, r *identityRig) {
			r.access.set(answer, 0)
			ada := r.person(t, "ada@example.com")
			_, err := Require(NewContext(t.Context(), ada), Groups("security"))
			wantClass(t, err, ErrPolicyUnavailable)
			r.wantCalls(t, 1)
			if refusal := Refuse(err); refusal.Status != http.StatusServiceUnavailable || refusal.Code != "policy_unavailable" || refusal.RetryAfter <= 0 {
				t.Errorf("got %+v", refusal)
			}
			r.access.set(answerGroups("security"), 0)
			time.Sleep(2 * time.Second) // the first retry's backoff at most
			r.wantGroup(t, ada, "security")
		})
		identityTest(t, name+", the last identity serves", func(t *testing.T, r *identityRig) {
			ada := r.person(t, "ada@example.com")
			r.want(t, ada, nil, 0)
			fetched := time.Now()
			r.access.set(answer, 0)
			for time.Since(fetched) < identityMaxStale {
				r.wantGroup(t, ada, "engineering")
				time.Sleep(10 * time.Second)
			}
			r.wantGroup(t, ada, "engineering")
			time.Sleep(time.Nanosecond)
			r.want(t, ada, ErrPolicyUnavailable, 0)
			r.access.set(answerGroups("security"), 0)
			time.Sleep(time.Minute) // the longest backoff
			r.wantGroup(t, ada, "security")
		})
	}
	identityTest(t, "no answer in time, the last identity serves at once", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.want(t, ada, nil, 0)
		fetched := time.Now()
		r.access.set(answerGroups(), forever)
		for time.Since(fetched) < identityMaxStale {
			r.wantGroup(t, ada, "engineering")
			time.Sleep(10 * time.Second)
		}
	})
	identityTest(t, "a body without end is not read to its end", func(t *testing.T, r *identityRig) {
		body := &countingReader{left: 8 << 20}
		r.access.set(func(req *http.Request, p person) (*http.Response, error) {
			response, err := answerGroups("engineering")(req, p)
			response.Body = io.NopCloser(body)
			return response, err
		}, 0)
		r.want(t, r.person(t, "ada@example.com"), ErrPolicyUnavailable, 0)
		if read := 8<<20 - body.left; read > 2*maxDocument {
			t.Errorf("%d bytes were read", read)
		}
	})
	identityTest(t, "MaxStale over, a slow answer: waits", func(t *testing.T, r *identityRig) {
		ada := r.person(t, "ada@example.com")
		r.want(t, ada, nil, 0)
		r.access.set(answerGroups(), forever)
		time.Sleep(identityMaxStale + 1)
		r.want(t, ada, ErrPolicyUnavailable, identityTimeout)
	})
}

// TestIdentityRetries: with backoff of 1 s to 1 min, and as Retry-After says.
func TestIdentityRetries(t *testing.T) {
	const late = 2 * time.Second // an attempt may be put off for that long
	// wantGaps has the same person ask for an hour, and checks the time between calls.
	wantGaps := func(t *testing.T, r *identityRig, ada *Claims, first, last [2]time.Duration) {
		t.Helper()
		for range 36_000 {
			_, _ = ada.Identity(t.Context())
			time.Sleep(100 * time.Millisecond)
		}
		calls := r.access.calls()
		gap := func(i int) time.Duration { return calls[i].Sub(calls[i-1]) }
		for name, test := range map[string]struct {
			gap  time.Duration
			want [2]time.Duration
		}{"first": {gap(1), first}, "last": {gap(len(calls) - 1), last}} {
			if test.gap < test.want[0] || test.gap > test.want[1]+late {
				t.Errorf("%s gap is %v, want %v", name, test.gap, test.want)
			}
		}
		for i := range calls[1:] {
			if got := gap(i + 1); got < time.Second || got > max(time.Minute, last[1])+late {
				t.Errorf("%v between two calls", got)
			}
		}
	}
	ordinary, longest := [2]time.Duration{time.Second, 2 * time.Second}, [2]time.Duration{30 * time.Second, time.Minute}
	identityTest(t, "backoff", func(t *testing.T, r *identityRig) {
		r.access.set(answerDown, 0)
		wantGaps(t, r, r.person(t, "ada@example.com"), ordinary, longest)
	})
	identityTest(t, "backoff in an outage", func(t *testing.T, r *identityRig) {
		r.access.set(answerDown, 0)
		for _, c := range r.sessions(outageFailures) {
			r.want(t, c, ErrPolicyUnavailable, 0)
		}
		r.access.asked = nil
		wantGaps(t, r, r.person(t, "ada@example.com"), [2]time.Duration{time.Second, 8 * time.Second}, longest)
	})
	identityTest(t, "Retry-After", func(t *testing.T, r *identityRig) {
		r.access.set(answerWith(http.StatusTooManyRequests, "text/html", "", "Retry-After", "90"), 0)
		exactly := [2]time.Duration{90 * time.Second, 90 * time.Second}
		wantGaps(t, r, r.person(t, "ada@example.com"), exactly, exactly)
	})
	identityTest(t, "Retry-After in an outage holds for everybody", func(t *testing.T, r *identityRig) {
		r.access.set(answerWith(http.StatusServiceUnavailable, "text/html", "", "Retry-After", "90"), 0)
		for _, c := range r.sessions(outageFailures) {
			r.want(t, c, ErrPolicyUnavailable, 0)
		}
		ada := r.person(t, "ada@example.com")
		time.Sleep(90*time.Second - 1)
		r.want(t, ada, ErrPolicyUnavailable, 0)
		r.wantCalls(t, outageFailures)
	})
	for _, value := range []string{"86400", "9999999999999"} {
		identityTest(t, "Retry-After "+value+": a TTL at most", func(t *testing.T, r *identityRig) {
			r.access.set(answerWith(http.StatusServiceUnavailable, "text/html", "", "Retry-After", value), 0)
			ada := r.person(t, "ada@example.com")
			r.want(t, ada, ErrPolicyUnavailable, 0)
			r.access.set(answerGroups("engineering"), 0)
			time.Sleep(identityTTL)
			r.wantGroup(t, ada, "engineering")
		})
	}
	for _, value := range []string{"-5", "soon", "0", "Fri, 31 Dec 1999 23:59:59 GMT"} {
		identityTest(t, "Retry-After "+value+" changes nothing", func(t *testing.T, r *identityRig) {
			r.access.set(answerWith(http.StatusServiceUnavailable, "text/html", "", "Retry-After", value), 0)
			wantGaps(t, r, r.person(t, "ada@example.com"), ordinary, longest)
		})
	}
}

// TestIdentityOutage: Access is down for half an hour. See the issue's
// acceptance.
func TestIdentityOutage(t *testing.T) {
	const outage = 30 * time.Minute
	for name, down := range map[string]struct {
		answer identityAnswer
		delay  time.Duration
	}{"refuses": {answerDown, 0}, "hangs": {answerDown, forever}} {
		identityTest(t, name, func(t *testing.T, r *identityRig) {
			const active, idle = 100, 10
			all := r.sessions(active + 2*idle)
			regular, irregular, strangers := all[:active], all[active:active+idle], all[active+idle:]
			for _, c := range all[:active+idle] {
				r.want(t, c, nil, 0)
			}
			// visitUntil has the regular ones come at random. No request waits.
			visitUntil := func(end time.Time) {
				for time.Now().Before(end) {
					r.wantGroup(t, regular[rand.N(active)], "engineering")
					time.Sleep(100 * time.Millisecond)
				}
			}
			began := time.Now().Add(outage)
			visitUntil(began)
			r.access.set(down.answer, down.delay)
			before := len(r.access.calls())
			visitUntil(began.Add(outage / 2))
			for _, c := range strangers {
				_, err := c.Identity(t.Context())
				wantClass(t, err, ErrPolicyUnavailable)
			}
			visitUntil(began.Add(outage - time.Second))
			if calls := len(r.access.calls()) - before; calls > identityFetches+90 {
				t.Errorf("%d calls in the outage", calls)
			}
			for _, c := range irregular {
				r.wantGroup(t, c, "engineering") // fetched an hour ago, and not used since
			}
			visitUntil(began.Add(outage))

			r.access.set(answerGroups("engineering", "back"), 50*time.Millisecond)
			visitUntil(began.Add(outage + 5*time.Minute))
			for _, c := range regular {
				r.wantGroup(t, c, "back")
			}
			var requests sync.WaitGroup
			for _, c := range strangers {
				requests.Go(func() { r.want(t, c, nil, 50*time.Millisecond) })
			}
			requests.Wait()
		}, func(c *Config) { c.IdentityTTL, c.IdentityMaxStale = 0, 0 }) // the defaults
	}
	identityTest(t, "one attempt at a time", func(t *testing.T, r *identityRig) {
		all := r.sessions(150)
		r.access.set(answerDown, time.Second)
		for _, c := range all[:outageFailures] {
			r.want(t, c, ErrPolicyUnavailable, time.Second)
		}
		r.access.most = 0
		before := len(r.access.calls())
		for range 600 {
			var requests sync.WaitGroup
			for _, c := range all[outageFailures:] {
				requests.Go(func() { _, err := c.Identity(t.Context()); wantErr(t, err, ErrPolicyUnavailable) })
			}
			requests.Wait()
			time.Sleep(time.Second)
		}
		if calls := len(r.access.calls()) - before; r.access.most > 1 || calls < 10 || calls > 60 {
			t.Errorf("%d calls, %d at a time", calls, r.access.most)
		}
	})
	identityTest(t, "one person's failures are not an outage", func(t *testing.T, r *identityRig) {
		good, broken := answerGroups("engineering"), r.session(0)
		r.access.set(func(req *http.Request, p person) (*http.Response, error) {
			if p.Email == broken.Email {
				return answerDown(req, p)
			}
			return good(req, p)
		}, 0)
		for i := range 3600 {
			r.want(t, broken, ErrPolicyUnavailable, 0)
			if i%300 == 299 {
				r.want(t, r.session(i), nil, 0)
			}
			time.Sleep(time.Second)
		}
	})
}
