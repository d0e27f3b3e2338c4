package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cfaccess/cfaccess/examples/internal/alike"
)

func TestAnswers(t *testing.T) {
	alike.Answers(t, run, alike.Own{EscapedLetter: 403, EscapedSlash: 404, DoubleSlash: 307, RareMethod: 403})
}

func TestStarts(t *testing.T) {
	alike.Starts(t, run)
}

func TestServes(t *testing.T) {
	alike.Serves(t, func(ctx context.Context, listener net.Listener, wait func()) error {
		return serve(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			wait()
			_, _ = io.WriteString(w, "done")
		}))
	})
}

func TestGreetWithoutMiddleware(t *testing.T) {
	recorder := httptest.NewRecorder()
	greet(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != http.StatusInternalServerError {
		t.Errorf("got %d %q, want 500", recorder.Code, recorder.Body)
	}
}
