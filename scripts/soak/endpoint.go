package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/soak/instrument"
)

// An endpoint answers the certs fetches of a fake team, well or with a fault,
// and writes down what each server was served.
type endpoint struct {
	team     *accesstest.Team
	stranger *accesstest.Team // whom a redirect leads to
	logs     map[string]*fetchLog

	mu      sync.Mutex // guards the fields below
	fault   *fault     // whose answer is given; nil: the document
	changed chan struct{}
}

// newEndpoint takes the team's certs endpoint over.
func newEndpoint(team, stranger *accesstest.Team, logs map[string]*fetchLog) *endpoint {
	e := &endpoint{team: team, stranger: stranger, logs: logs, changed: make(chan struct{})}
	team.Handle(e)
	return e
}

// misbehave has the endpoint answer with the fault, or well if that is nil.
func (e *endpoint) misbehave(f *fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fault = f
	close(e.changed)
	e.changed = make(chan struct{})
}

// now returns the fault in force, and a channel that is closed with its end.
func (e *endpoint) now() (*fault, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fault, e.changed
}

// ServeHTTP answers a fetch.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{endpoint: e, w: w, r: r}
	x.number, _ = strconv.Atoi(r.Header.Get(instrument.FetchHeader)) // 0 is a fetch of nobody's
	f, changed := e.now()
	if f == nil || f.answer == nil {
		x.document("", nil)
		return
	}
	f.answer(x, f.name, changed)
}

// answerTakes is how long a good answer is under way, as over a network: those
// who wait for a fetch have to be many.
const answerTakes = 40 * time.Millisecond

// An exchange is a fetch and its answer.
type exchange struct {
	endpoint *endpoint
	w        http.ResponseWriter
	r        *http.Request
	number   int
}

// document answers with the document, changed or not, which a server has to take.
func (x *exchange) document(what string, change func([]byte) []byte) {
	timer := time.NewTimer(answerTakes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-x.r.Context().Done():
	}
	// The moment before: a key published later can't be in it, or may be.
	now := time.Now()
	body := x.endpoint.team.Certs()
	if change != nil {
		body = change(body)
	}
	x.note(what, kidsOf(body), now)
	x.w.Header().Set("Content-Type", "application/json")
	_, _ = x.w.Write(body) // the server is gone; its log says why
}

// bad notes that what is served brings no keys.
func (x *exchange) bad(what string) { x.note(what, nil, time.Now()) }

// note writes down what is served, before any of it is.
func (x *exchange) note(what string, kids []string, now time.Time) {
	if log := x.endpoint.logs[x.r.Header.Get(instrument.ServerHeader)]; log != nil {
		log.served(x.number, what, kids, now)
	}
}

// kidsOf returns the key ids of the RSA keys in a document.
func kidsOf(document []byte) []string {
	var certs struct {
		Keys []struct{ Kid, Kty string }
	}
	if err := json.Unmarshal(document, &certs); err != nil {
		return nil
	}
	var kids []string
	for _, key := range certs.Keys {
		if key.Kty == "RSA" && key.Kid != "" {
			kids = append(kids, key.Kid)
		}
	}
	return kids
}
