package accesstest

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Fetches returns how many certs requests the team has received so far, with GET
// or HEAD. One counts when it arrives, however it is answered.
func (t *Team) Fetches() int {
	return int(t.fetches.Load())
}

// Fail answers certs requests with status, until another mode is set. It panics
// if status isn't that of a final response, 200 to 999.
func (t *Team) Fail(status int) {
	if status < 200 || status > 999 {
		panic(fmt.Sprintf("accesstest: Fail with status %d", status))
	}
	t.setAnswer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, http.StatusText(status), status)
	}))
}

// Hang leaves certs requests unanswered until their client closes the connection
// or another mode is set, which then answers them.
func (t *Team) Hang() {
	t.setAnswer(nil)
}

// Serve answers certs requests with status 200 and body, until another mode is
// set. A body longer than a few kilobytes is sent without a Content-Length.
func (t *Team) Serve(body string) {
	t.setAnswer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body) // an error means that the client has gone
	}))
}

// Handle calls handler for certs requests, until another mode is set: to answer
// with a redirect, slowly, or with half of the document, which is in
// [Team.Certs]. Close doesn't wait for handler.
// Handle panics if handler is nil.
func (t *Team) Handle(handler http.Handler) {
	if handler == nil {
		panic("accesstest: Handle with a nil handler")
	}
	t.setAnswer(handler)
}

// Recover answers certs requests with the certs document again.
func (t *Team) Recover() {
	t.setAnswer(http.HandlerFunc(t.servePublished))
}

func (t *Team) serveCerts(w http.ResponseWriter, r *http.Request) {
	t.fetches.Add(1)
	answer := t.awaitAnswer(r.Context())
	if answer == nil {
		// For callers of ServeHTTP, to whom nothing written means success.
		http.Error(w, "client is gone", http.StatusServiceUnavailable)
		return
	}
	answer.ServeHTTP(w, r)
}

// awaitAnswer returns the answer of the mode in force. While that is Hang it
// waits, and returns nil if ctx ends meanwhile.
func (t *Team) awaitAnswer(ctx context.Context) http.Handler {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.answer == nil && ctx.Err() == nil {
		// Every request waits on a channel of its own, made by its own
		// goroutine: in a synctest bubble a channel of the whole team's, made
		// outside, would keep the clock from moving.
		changed, wake := context.WithCancel(ctx)
		t.hanging = append(t.hanging, wake)
		t.mu.Unlock()
		<-changed.Done()
		t.mu.Lock()
	}
	return t.answer
}

func (t *Team) setAnswer(answer http.Handler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answer = answer
	for _, wake := range t.hanging {
		wake()
	}
	t.hanging = nil
}
