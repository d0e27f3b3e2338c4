package core_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// certsForever is a delay that outlasts every time limit.
const certsForever = 1000 * time.Hour

// certsTooMany requests at one moment are a tight loop. In a bubble, where an
// answer takes no time, it would go on for ever: the endpoint hangs, and the
// test goes red.
const certsTooMany = 1000

// certsTeam signs for all tests of the keys. It is closed and never changes:
// what is published is for each test's endpoint to say, and no test pays for a
// new key. Call it outside of a bubble, since it listens for a moment.
var certsTeam = sync.OnceValue(func() *accesstest.Team {
	team := accesstest.NewTeam("acme")
	team.Close()
	return team
})

// certsKey is a JSON Web Key.
type certsKey = map[string]any

// certsKeys returns the keys of certsTeam: the previous one, which stands for a
// key before a rotation, and the current one, which stands for the one after.
func certsKeys() (older, newer certsKey) { return certsKeysOf(certsTeam()) }

func certsKeysOf(team *accesstest.Team) (previous, current certsKey) {
	var document struct{ Keys []certsKey }
	if err := json.Unmarshal(team.Certs(), &document); err != nil {
		panic(err)
	}
	return document.Keys[0], document.Keys[1]
}

// certsEndpoint answers certs requests without a socket, so that it works in a
// bubble. At first it answers 404 at once.
type certsEndpoint struct {
	mu    sync.Mutex // guards the fields below
	asked []time.Time
	body  []byte // nil: answer with status alone
	// status is that of an answer without a body.
	status int
	delay  time.Duration
	// waiting requests have no answer yet; most is as many as ever were.
	waiting, most int
}

// publish has requests answered with a document of these keys.
func (e *certsEndpoint) publish(keys ...certsKey) {
	body, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		panic(err)
	}
	e.set(func() { e.body = body })
}

// fail has requests answered with this status.
func (e *certsEndpoint) fail(status int) {
	e.set(func() { e.body, e.status = nil, status })
}

// slow lets this time pass between a request and its answer. The answer is the
// one in force when the request came: a document is not news when it arrives.
func (e *certsEndpoint) slow(delay time.Duration) {
	e.set(func() { e.delay = delay })
}

// hang leaves requests unanswered until their time is up.
func (e *certsEndpoint) hang() { e.slow(certsForever) }

func (e *certsEndpoint) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// requests returns when each request so far came.
func (e *certsEndpoint) requests() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

// count returns how many requests came so far.
func (e *certsEndpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.asked)
}

// atOnce returns how many requests were under way at one time, at the most.
func (e *certsEndpoint) atOnce() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.most
}

// RoundTrip makes the endpoint the transport of an http.Client.
func (e *certsEndpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	now := time.Now()
	e.asked = append(e.asked, now)
	e.waiting++
	e.most = max(e.most, e.waiting)
	defer e.set(func() { e.waiting-- })
	status, body, delay := e.status, e.body, e.delay
	if n := len(e.asked) - certsTooMany; n > 0 && e.asked[n-1].Equal(now) {
		delay = certsForever
	}
	e.mu.Unlock()

	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	switch {
	case body != nil:
		status = http.StatusOK
	case status == 0:
		status = http.StatusNotFound
	}
	return &http.Response{
		StatusCode: status,
		Header:     make(http.Header),
		Body:       io.NopCloser(bytes.NewReader(body)),
		Request:    r,
	}, nil
}
