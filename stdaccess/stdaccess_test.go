package stdaccess_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/fstest"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/stdaccess"
)

const audience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"

func newVerifier(t testing.TB) (*core.Verifier, *accesstest.Team) {
	t.Helper()
	team := accesstest.NewTeam("acme")
	t.Cleanup(team.Close)
	v, err := core.New(core.Config{
		Team: "acme", Audiences: []string{audience}, Endpoint: team.URL,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return v, team
}

// The handler gets the very ResponseWriter, whatever else that can do. Of several
// Configs the first counts: this Skipper would skip the request.
func TestHandlerGetsTheResponseWriter(t *testing.T) {
	v, team := newVerifier(t)
	skip := stdaccess.Config{Skipper: func(*http.Request) bool { return true }}
	w := httptest.NewRecorder()
	var got http.ResponseWriter
	handler := stdaccess.New(v, stdaccess.Config{}, skip)(stdaccess.Require()(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { got = w })))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(core.TokenHeader, team.SignUser(audience, "ada@example.com"))
	handler.ServeHTTP(w, r)
	if got != w {
		t.Errorf("got %T and %d", got, w.Code)
	}
}

// A file server cleans the path after the middleware has looked at it: an exact
// path lets none of these through, where a prefix would. StripPrefix comes first.
func TestSkipPathsBeforeAFileServer(t *testing.T) {
	v, _ := newVerifier(t)
	files := http.FileServerFS(fstest.MapFS{"public": {Data: []byte("public")}, "secret": {Data: []byte("secret")}})
	skip := stdaccess.Config{Skipper: stdaccess.SkipPaths("/public")}
	handler := http.StripPrefix("/files", stdaccess.New(v, skip)(files))
	for path, want := range map[string]int{
		"/files/public": 200, "/files/public/../secret": 401, "/files/public/..%2fsecret": 401, "/files/public/%2e%2e/secret": 401, "/files/secret": 401,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL, _ = url.ParseRequestURI(path)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: got %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}
