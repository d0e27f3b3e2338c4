package main

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/examples/internal/alike"
)

func TestAnswers(t *testing.T) {
	alike.Answers(t, run, alike.Own{EscapedLetter: 403, EscapedSlash: 403, DoubleSlash: 404, RareMethod: 404})
}

func TestStarts(t *testing.T) {
	alike.Starts(t, run)
}

func TestServes(t *testing.T) {
	alike.Serves(t, func(ctx context.Context, listener net.Listener, wait func()) error {
		router := gin.New()
		router.GET("/", func(c *gin.Context) {
			wait()
			c.String(http.StatusOK, "done")
		})
		return serve(ctx, listener, router)
	})
}

func TestGreetWithoutMiddleware(t *testing.T) {
	router := gin.New()
	router.GET("/", greet)
	recorder := httptest.NewRecorder()
	router.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != http.StatusInternalServerError {
		t.Errorf("got %d %q, want 500", recorder.Code, recorder.Body)
	}
}

func TestPanicDoesNotPrintToken(t *testing.T) {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{"aud"}, Endpoint: team.URL})
	if err != nil {
		t.Fatal(err)
	}
	token := team.SignUser("aud", "ada@example.com")

	for name, test := range map[string]struct {
		mode  string
		cause any
	}{
		"debug":                      {gin.DebugMode, "a mistake"},
		"release":                    {gin.ReleaseMode, "a mistake"},
		"release, broken connection": {gin.ReleaseMode, http.ErrAbortHandler},
	} {
		t.Run(name, func(t *testing.T) {
			printed := capture(t)
			gin.SetMode(test.mode)
			router := routes(verifier, "example.com")
			router.GET("/panic", func(*gin.Context) { panic(test.cause) })
			request := httptest.NewRequest(http.MethodGet, "/panic", nil)
			request.Header.Set(core.TokenHeader, token)
			router.ServeHTTP(httptest.NewRecorder(), request)
			if strings.Contains(printed.String(), token) {
				t.Errorf("the token was printed: %s", printed)
			}
		})
	}
}

// capture returns what gin and slog print until the test ends.
func capture(t *testing.T) *bytes.Buffer {
	printed := &bytes.Buffer{}
	logger, out, errOut := slog.Default(), gin.DefaultWriter, gin.DefaultErrorWriter
	t.Cleanup(func() {
		slog.SetDefault(logger)
		gin.DefaultWriter, gin.DefaultErrorWriter = out, errOut
		gin.SetMode(gin.TestMode)
	})
	slog.SetDefault(slog.New(slog.NewTextHandler(printed, nil)))
	gin.DefaultWriter, gin.DefaultErrorWriter = printed, printed
	return printed
}
