package stdaccess_test

import (
	"errors"
	"io"
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

// whoAmI answers with the caller as its framework, its context and the
// unsigned header know them.
func whoAmI(w http.ResponseWriter, r *http.Request) {
	email := "nobody"
	claims, ok := stdaccess.Claims(r)
	if ok {
		email = claims.Email
	}
	if same, found := core.FromContext(r.Context()); same != claims || found != ok {
		email = "somebody else"
	}
	_, _ = io.WriteString(w, email+" "+r.Header.Get(core.EmailHeader))
}

func TestNew(t *testing.T) {
	v, team := newVerifier(t)
	good := team.SignUser(audience, "ada@example.com")
	forged := team.SignUser(audience, "eve@example.com", accesstest.SignedByStranger())
	health := stdaccess.Config{Skipper: func(r *http.Request) bool { return r.URL.Path == "/healthz" }}
	optional := stdaccess.Config{Rule: core.Rule{Optional: true}}

	tests := map[string]struct {
		config []stdaccess.Config
		path   string
		token  string
		status int
		body   string // of a status 200
	}{
		"good token":                      {nil, "/", good, 200, "ada@example.com ada@example.com"},
		"bad token":                       {nil, "/", forged, 401, ""},
		"no token":                        {nil, "/", "", 401, ""},
		"optional, good token":            {[]stdaccess.Config{optional}, "/", good, 200, "ada@example.com ada@example.com"},
		"optional, bad token":             {[]stdaccess.Config{optional}, "/", forged, 401, ""},
		"optional, no token":              {[]stdaccess.Config{optional}, "/", "", 200, "nobody "},
		"policy refuses":                  {[]stdaccess.Config{{Rule: core.Rule{Policy: core.Services()}}}, "/", good, 403, ""},
		"skipped, no token":               {[]stdaccess.Config{health}, "/healthz", "", 200, "nobody "},
		"skipped, a good token is unread": {[]stdaccess.Config{health}, "/healthz", good, 200, "nobody "},
		"not skipped":                     {[]stdaccess.Config{health}, "/", "", 401, ""},
		"the first Config counts":         {[]stdaccess.Config{{}, optional}, "/", "", 401, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, test.path, nil)
			r.Header.Set(core.EmailHeader, "root@example.com") // forged
			if test.token != "" {
				r.Header.Set(core.TokenHeader, test.token)
			}
			w := httptest.NewRecorder()
			stdaccess.New(v, test.config...)(http.HandlerFunc(whoAmI)).ServeHTTP(w, r)
			if w.Code != test.status {
				t.Errorf("status %d, want %d", w.Code, test.status)
			}
			if test.status == http.StatusOK && w.Body.String() != test.body {
				t.Errorf("got %q, want %q", w.Body, test.body)
			}
		})
	}
}

func TestRequire(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignUser(audience, "ada@example.com")
	protect := stdaccess.New(v)
	open := func(next http.Handler) http.Handler { return next }

	tests := map[string]struct {
		outer    func(http.Handler) http.Handler
		policies []core.Policy
		token    string
		status   int
	}{
		"every policy allows":       {protect, []core.Policy{core.Users(), core.Emails("ada@example.com")}, token, 200},
		"one policy refuses":        {protect, []core.Policy{core.Users(), core.Emails("bob@example.com")}, token, 403},
		"no policy":                 {protect, nil, token, 200},
		"without New, good token":   {open, nil, token, 401},
		"without New, no token":     {open, nil, "", 401},
		"anonymous behind Optional": {stdaccess.New(v, stdaccess.Config{Rule: core.Rule{Optional: true}}), nil, "", 401},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if test.token != "" {
				r.Header.Set(core.TokenHeader, test.token)
			}
			w := httptest.NewRecorder()
			test.outer(stdaccess.Require(test.policies...)(http.HandlerFunc(whoAmI))).ServeHTTP(w, r)
			if w.Code != test.status {
				t.Errorf("status %d, want %d", w.Code, test.status)
			}
		})
	}
}

// ErrorHandler answers for New, and for a Require behind it.
func TestErrorHandler(t *testing.T) {
	v, team := newVerifier(t)
	var got error
	protect := stdaccess.New(v, stdaccess.Config{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
		got = err
		w.WriteHeader(http.StatusTeapot)
	}})
	handler := protect(stdaccess.Require(core.Services())(http.HandlerFunc(whoAmI)))
	for name, test := range map[string]struct {
		token string
		want  error
	}{
		"New":     {"x", core.ErrMalformed},
		"Require": {team.SignUser(audience, "ada@example.com"), core.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set(core.TokenHeader, test.token)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != http.StatusTeapot || !errors.Is(got, test.want) {
				t.Errorf("status %d, error %v", w.Code, got)
			}
		})
	}
}

// The handler gets the very ResponseWriter, whatever else that can do.
func TestResponseWriterIsNotWrapped(t *testing.T) {
	v, team := newVerifier(t)
	w := httptest.NewRecorder()
	var got http.ResponseWriter
	handler := stdaccess.New(v)(stdaccess.Require()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { got = w })))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(core.TokenHeader, team.SignUser(audience, "ada@example.com"))
	handler.ServeHTTP(w, r)
	if got != w {
		t.Errorf("got a %T", got)
	}
}

func TestPanicsAtConstruction(t *testing.T) {
	for name, construct := range map[string]func(){
		"a nil Verifier": func() { stdaccess.New(nil) },
		"a nil Policy":   func() { stdaccess.Require(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			construct()
		})
	}
}

func TestSkipPathsComparesExactly(t *testing.T) {
	v, _ := newVerifier(t)
	handler := stdaccess.New(v, stdaccess.Config{Skipper: stdaccess.SkipPaths("/healthz")})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/healthz?probe=1": http.StatusOK,
		"/healthz/": 401, "/healthz/../admin": 401, "/%68ealthz": 401, "//healthz": 401, "/HEALTHZ": 401, "/healthz;x": 401, "/healthz%2f..%2fadmin": 401,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL, _ = url.ParseRequestURI(path)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if got := w.Code; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}

// A file server cleans the path after the middleware has looked at it. An exact
// path lets none of these through, where a prefix would.
func TestSkipPathsBeforeAFileServer(t *testing.T) {
	v, _ := newVerifier(t)
	files := http.FileServerFS(fstest.MapFS{"public": {Data: []byte("public")}, "secret": {Data: []byte("secret")}})
	handler := stdaccess.New(v, stdaccess.Config{Skipper: stdaccess.SkipPaths("/public")})(files)
	for _, path := range []string{"/public/../secret", "/public/..%2fsecret", "/secret", "/public/%2e%2e/secret"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL, _ = url.ParseRequestURI(path)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
	}
}
