package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/cfaccess/cfaccess/examples/internal/alike"
)

func TestAnswers(t *testing.T) {
	alike.Answers(t, run, alike.Own{EscapedLetter: 404, EscapedSlash: 404, DoubleSlash: 404, RareMethod: 403})
}

func TestStarts(t *testing.T) {
	alike.Starts(t, run)
}

func TestServes(t *testing.T) {
	alike.Serves(t, func(ctx context.Context, listener net.Listener, wait func()) error {
		e := echo.New()
		e.HideBanner, e.HidePort = true, true
		e.GET("/", func(c echo.Context) error {
			wait()
			return c.String(http.StatusOK, "done")
		})
		return serve(ctx, listener, e)
	})
}

func TestGreetWithoutMiddleware(t *testing.T) {
	e := echo.New()
	e.GET("/", greet)
	recorder := httptest.NewRecorder()
	e.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != http.StatusInternalServerError {
		t.Errorf("got %d %q, want 500", recorder.Code, recorder.Body)
	}
}
