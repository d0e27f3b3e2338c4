package echo5access_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/echo5access"
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

func get(e *echo.Echo, method, path, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if token != "" {
		r.Header.Set(core.TokenHeader, token)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

// secret is in errors of policies. Each is of a type that a handler of echo's
// looks for, and prints.
const secret = "mallory is under investigation"

func policies() map[string]core.Policy {
	refuse := func(err error) core.Policy {
		return func(context.Context, *core.Claims) error { return err }
	}
	return map[string]core.Policy{
		"an error":              refuse(errors.New(secret)),
		"an HTTPError":          refuse(echo.NewHTTPError(http.StatusTeapot, secret)),
		"a wrapped HTTPError":   refuse(fmt.Errorf("policy: %w", echo.NewHTTPError(http.StatusTeapot, secret).Wrap(errors.New(secret)))),
		"a ProblemError":        refuse(&echo.ProblemError{Status: http.StatusTeapot, Detail: secret}),
		"a json.Marshaler":      refuse(marshaler{}),
		"ErrPolicyUnavailable":  refuse(fmt.Errorf("%w: %s", core.ErrPolicyUnavailable, secret)),
		"unavailable HTTPError": refuse(fmt.Errorf("%w: %w", core.ErrPolicyUnavailable, echo.NewHTTPError(http.StatusTeapot, secret))),
	}
}

// marshaler is an error that knows its status and its JSON.
type marshaler struct{}

func (marshaler) Error() string                    { return secret }
func (marshaler) StatusCode() int                  { return http.StatusTeapot }
func (marshaler) MarshalJSON() ([]byte, error)     { return json.Marshal(secret) }
func (marshaler) ProblemError() *echo.ProblemError { return &echo.ProblemError{Detail: secret} }

// Through none of echo's error handlers does a client read more than the public
// detail. Its default handlers send the bytes that every adapter sends.
func TestErrorHandlersLeakNothing(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignUser(audience, "ada@example.com")
	handlers := map[string]struct {
		handler echo.HTTPErrorHandler
		same    bool // as everywhere
	}{
		"default":                     {echo.DefaultHTTPErrorHandler(false), true},
		"default that exposes":        {echo.DefaultHTTPErrorHandler(true), true},
		"problem details":             {echo.ProblemDetailsHTTPErrorHandler(false), false},
		"problem details that expose": {echo.ProblemDetailsHTTPErrorHandler(true), false},
		"the text": {func(c *echo.Context, err error) {
			_ = c.String(echo.StatusCode(err), err.Error())
		}, false},
		"the HTTPError": {func(c *echo.Context, err error) {
			var found *echo.HTTPError
			if !errors.As(err, &found) {
				t.Fatal("the error is no *echo.HTTPError")
			}
			_ = c.String(found.Code, fmt.Sprint(found, found.Message, found.Unwrap()))
		}, false},
		"the ProblemErrorer": {func(c *echo.Context, err error) {
			var found echo.ProblemErrorer
			if !errors.As(err, &found) {
				t.Fatal("the error is no echo.ProblemErrorer")
			}
			problem := found.ProblemError()
			_ = c.JSON(problem.Status, problem)
		}, false},
	}
	for name, test := range handlers {
		for reason, policy := range policies() {
			for place, config := range map[string]struct {
				rule    core.Rule
				require core.Policy
			}{"New": {core.Rule{Policy: policy}, core.Users()}, "Require": {core.Rule{}, policy}} {
				t.Run(name+"/"+reason+"/"+place, func(t *testing.T) {
					e := echo.New()
					e.HTTPErrorHandler = test.handler
					e.Any("/", func(*echo.Context) error { t.Error("the handler ran"); return nil },
						echo5access.New(v, echo5access.Config{Rule: config.rule}), echo5access.Require(config.require))
					want := core.Refuse(core.ErrForbidden)
					if strings.Contains(strings.ToLower(reason), "unavailable") {
						want = core.Refuse(core.ErrPolicyUnavailable)
					}
					w := get(e, http.MethodGet, "/", token)
					body := w.Body.String()
					if w.Code != want.Status || strings.Contains(body, secret) || !strings.Contains(body, want.Detail) {
						t.Errorf("got %d %s", w.Code, body)
					}
					if test.same && body != string(want.Body()) {
						t.Errorf("got %s, want %s", body, want.Body())
					}
					if got := w.Header().Get("Retry-After"); (got != "") != (want.RetryAfter > 0) || w.Header().Get("Cache-Control") != "no-store" {
						t.Errorf("headers %v", w.Header())
					}
					if w := get(e, http.MethodHead, "/", token); w.Code != want.Status || test.same && w.Body.Len() != 0 {
						t.Errorf("HEAD: got %d %s", w.Code, w.Body)
					}
				})
			}
		}
	}
}

// The app's own HTTPErrorHandler gets an error with a status, in which core's
// error and core's refusal are found.
func TestRefusalReachesTheErrorHandler(t *testing.T) {
	v, team := newVerifier(t)
	for name, test := range map[string]struct {
		token  string
		want   error
		status int
	}{
		"New":     {"", core.ErrNoToken, http.StatusUnauthorized},
		"Require": {team.SignUser(audience, "ada@example.com"), core.ErrForbidden, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			e := echo.New()
			var got error
			e.HTTPErrorHandler = func(_ *echo.Context, err error) { got = err }
			e.GET("/", func(*echo.Context) error { t.Error("the handler ran"); return nil },
				echo5access.New(v), echo5access.Require(core.Services()))
			get(e, http.MethodGet, "/", test.token)
			var refusal *core.Refusal
			if echo.StatusCode(got) != test.status || !errors.Is(got, test.want) ||
				!errors.As(got, &refusal) || got.Error() != refusal.Detail {
				t.Errorf("got %v", got)
			}
		})
	}
}

// Where ErrorHandler returns the error that it got, the default answer is sent,
// with its headers. Another error is echo's business.
func TestErrorHandlerHandsOver(t *testing.T) {
	v, _ := newVerifier(t)
	want := core.Refuse(core.ErrNoToken)
	for name, test := range map[string]struct {
		handle func(*echo.Context, error) error
		status int
		header http.Header
		body   string
	}{
		"its error": {
			func(_ *echo.Context, err error) error { return err },
			want.Status, want.Header(), string(want.Body()),
		},
		"nothing": {
			func(*echo.Context, error) error { return nil },
			want.Status, want.Header(), string(want.Body()),
		},
		"another error": {
			func(*echo.Context, error) error { return echo.ErrNotFound },
			http.StatusNotFound, http.Header{"Content-Type": {"application/json"}}, `{"message":"Not Found"}` + "\n",
		},
		"an answer": {
			func(c *echo.Context, err error) error { return c.String(http.StatusConflict, err.Error()) },
			http.StatusConflict, http.Header{"Content-Type": {"text/plain; charset=UTF-8"}}, want.Detail,
		},
		"an answer and its error": {
			func(c *echo.Context, err error) error {
				_ = c.NoContent(http.StatusNotFound)
				return err
			},
			http.StatusNotFound, http.Header{}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := echo.New()
			e.Use(echo5access.New(v, echo5access.Config{ErrorHandler: test.handle}))
			e.GET("/", func(*echo.Context) error { t.Error("the handler ran"); return nil })
			w := get(e, http.MethodGet, "/", "")
			header := w.Header()
			for _, values := range header {
				values[0] = strings.Replace(values[0], v.Issuer(), "Cloudflare Access", 1) // the realm
			}
			if w.Code != test.status || w.Body.String() != test.body || !maps.EqualFunc(header, test.header, slices.Equal) {
				t.Errorf("got %d %v %s", w.Code, header, w.Body)
			}
		})
	}
}

// middleware.RequestLogger calls the HTTPErrorHandler by itself, and echo calls
// it again. The log gets the public detail.
func TestRequestLogger(t *testing.T) {
	v, team := newVerifier(t)
	e := echo.New()
	var logged error
	e.Use(middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
		LogStatus: true, HandleError: true,
		LogValuesFunc: func(_ *echo.Context, values middleware.RequestLoggerValues) error {
			if logged = values.Error; values.Status != http.StatusForbidden {
				t.Errorf("the log has status %d", values.Status)
			}
			return nil
		},
	}))
	e.GET("/", func(*echo.Context) error { return nil }, echo5access.New(v), echo5access.Require(core.Services()))
	w := get(e, http.MethodGet, "/", team.SignUser(audience, "ada@example.com"))
	if want := string(core.Refuse(core.ErrForbidden).Body()); w.Body.String() != want {
		t.Errorf("the client got %s", w.Body)
	}
	if logged == nil || logged.Error() != core.Refuse(core.ErrForbidden).Detail || !errors.Is(logged, core.ErrForbidden) {
		t.Errorf("the log got %v", logged)
	}
}

// AutoHandleHEAD wraps the whole route, Require included.
func TestAutoHandleHEAD(t *testing.T) {
	v, team := newVerifier(t)
	e := echo.NewWithConfig(echo.Config{Router: echo.NewRouter(echo.RouterConfig{AutoHandleHEAD: true})})
	e.GET("/", func(c *echo.Context) error { return c.String(http.StatusOK, "hello") }, echo5access.New(v))
	for token, want := range map[string]int{team.SignUser(audience, "ada@example.com"): 200, "": 401} {
		if w := get(e, http.MethodHead, "/", token); w.Code != want || w.Body.Len() != 0 {
			t.Errorf("got %d %s, want %d", w.Code, w.Body, want)
		}
	}
}

// echo's context is pooled: nothing of a caller is left for the next one.
func TestNothingIsLeftInAPooledContext(t *testing.T) {
	v, team := newVerifier(t)
	e := echo.New()
	config := echo5access.Config{Rule: core.Rule{Optional: true}}
	e.GET("/", func(c *echo.Context) error {
		claims, ok := echo5access.Claims(c)
		stored, _ := c.Get("cfaccess").(*core.Claims)
		if ok != (claims != nil) || stored != claims {
			t.Errorf("Claims returns %v, %v, the context has %v", claims, ok, stored)
		}
		if !ok {
			return c.String(http.StatusOK, "nobody")
		}
		return c.String(http.StatusOK, claims.Email)
	}, echo5access.New(v, config))
	for range 100 {
		for want, token := range map[string]string{"ada@example.com": team.SignUser(audience, "ada@example.com"), "nobody": ""} {
			if got := get(e, http.MethodGet, "/", token).Body.String(); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	}
}

// Routes of a group get what Use knew when they were added.
func TestUseAfterARouteDoesNotProtectIt(t *testing.T) {
	v, _ := newVerifier(t)
	e := echo.New()
	g := e.Group("/group")
	handler := func(*echo.Context) error { return nil }
	g.GET("/before", handler)
	g.Use(echo5access.New(v))
	g.GET("/after", handler)
	for path, want := range map[string]int{"/group/before": 200, "/group/after": 401, "/group/nothing": 401} {
		if got := get(e, http.MethodGet, path, "").Code; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}

// A Skipper that compares a prefix lets paths pass that a file server cleans to
// others. echo's own refuses them; net/http's doesn't.
func TestPrefixSkipperIsAHole(t *testing.T) {
	v, _ := newVerifier(t)
	files := fstest.MapFS{"secret": {Data: []byte("secret")}, "public/logo": {Data: []byte("logo")}}
	prefix := func(c *echo.Context) bool { return strings.HasPrefix(c.Request().URL.Path, "/public/") }
	for name, test := range map[string]struct {
		handler echo.HandlerFunc
		skipper func(*echo.Context) bool
		want    map[string]int
	}{
		"http.FileServer": {echo.WrapHandler(http.FileServerFS(files)), prefix, map[string]int{
			"/public/logo": 200, "/secret": 401, "/public/../secret": 200, "/public/..%2fsecret": 200,
		}},
		"echo's": {echo.StaticDirectoryHandler(files, true), prefix, map[string]int{
			"/public/logo": 200, "/secret": 401, "/public/../secret": 404, "/public/..%2fsecret": 404,
		}},
		"SkipPaths": {echo.WrapHandler(http.FileServerFS(files)), echo5access.SkipPaths("/public/logo"), map[string]int{
			"/public/logo": 200, "/secret": 401, "/public/../secret": 401, "/public/..%2fsecret": 401, "/x/../public/logo": 401,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := echo.New()
			e.Use(echo5access.New(v, echo5access.Config{Skipper: test.skipper}))
			e.GET("/*", test.handler)
			for path, want := range test.want {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.URL, _ = url.ParseRequestURI(path)
				w := httptest.NewRecorder()
				e.ServeHTTP(w, r)
				if w.Code != want {
					t.Errorf("%s: got %d, want %d", path, w.Code, want)
				}
			}
		})
	}
}

// middleware.Static in Use answers before the middleware of a group runs.
func TestStaticInUsePassesAGroup(t *testing.T) {
	v, _ := newVerifier(t)
	e := echo.New()
	e.Use(middleware.StaticWithConfig(middleware.StaticConfig{
		Root: ".", Filesystem: fstest.MapFS{"admin/secret": {Data: []byte("secret")}},
	}))
	e.Group("/admin", echo5access.New(v)).GET("/:page", func(*echo.Context) error { return nil })
	for path, want := range map[string]int{"/admin/secret": 200, "/admin/nothing": 401} {
		if got := get(e, http.MethodGet, path, "").Code; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}

func TestSkipPathsComparesExactly(t *testing.T) {
	v, _ := newVerifier(t)
	e := echo.New()
	e.Use(echo5access.New(v, echo5access.Config{Skipper: echo5access.SkipPaths("/healthz")}))
	e.GET("/healthz", func(*echo.Context) error { return nil })
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/healthz?probe=1": http.StatusOK,
		"/healthz/": 401, "/healthz/../admin": 401, "/%68ealthz": 401, "//healthz": 401, "/HEALTHZ": 401, "/healthz;x": 401, "/healthz%2f..%2fadmin": 401,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL, _ = url.ParseRequestURI(path)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if got := w.Code; got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}

func TestPanicsAtConstruction(t *testing.T) {
	for name, construct := range map[string]func(){
		"a nil Verifier": func() { echo5access.New(nil) },
		"a nil Policy":   func() { echo5access.Require(nil) },
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
