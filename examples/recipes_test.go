// Package examples_test holds the code of the recipes in README.md and docs,
// so that it compiles and runs.
package examples_test

import (
	"cmp"
	"context"
	"errors"
	"expvar"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/rs/zerolog"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/stdaccess"
)

const aud = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"

// newVerifier returns a verifier for the tokens of a fake team. The caller
// closes the team.
func newVerifier() (*core.Verifier, *accesstest.Team) {
	team := accesstest.NewTeam("acme")
	verifier, err := core.New(core.Config{
		Team: "acme", Audiences: []string{aud}, Endpoint: team.URL, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	return verifier, team
}

// get returns the response to a GET request. Header is a list of names and
// values; a name without a value is left out.
func get(handler http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	return response
}

// showEmail writes the email header that a handler sees.
func showEmail(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "email header %q", r.Header.Get(core.EmailHeader))
}

func Example_policy() {
	policy := core.AnyOf(
		core.EmailDomains("example.com"),
		core.Services("e367826f93b8d71185e03fe518aff3b4.access"), // a service token's Client ID
	)

	fmt.Println(policy(context.Background(), &core.Claims{Email: "ada@example.com"}))
	// Output: <nil>
}

func Example_ownPolicy() {
	onCall := func(context.Context) (email string, err error) { return "", errors.New("connection refused") }

	isOnCall := func(ctx context.Context, c *core.Claims) error {
		email, err := onCall(ctx)
		if err != nil {
			return fmt.Errorf("%w: on-call schedule: %w", core.ErrPolicyUnavailable, err)
		}
		if c.Email != email {
			return fmt.Errorf("%s is not on call", c.Email) // for the log
		}
		return nil
	}

	err := isOnCall(context.Background(), &core.Claims{Email: "ada@example.com"})
	fmt.Println(core.Refuse(err).Status)
	// Output: 503
}

func Example_custom() {
	policy := core.Custom("department", "research", "development")

	caller := &core.Claims{Email: "ada@example.com", Custom: map[string]any{"department": "research"}}
	fmt.Println(policy(context.Background(), caller))
	// Output: <nil>
}

func Example_optional() {
	verifier, team := newVerifier()
	defer team.Close()

	protect := stdaccess.New(verifier, stdaccess.Config{Rule: core.Rule{Optional: true}})

	home := protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, ok := stdaccess.Claims(r)
		fmt.Fprint(w, ok)
	}))
	fmt.Println(get(home, "/").Body)
	// Output: false
}

// A route outside the middleware keeps a forged email header. One that the
// Skipper names doesn't.
func Example_publicRoute() {
	verifier, team := newVerifier()
	defer team.Close()
	app := http.HandlerFunc(showEmail)

	protect := stdaccess.New(verifier, stdaccess.Config{Skipper: stdaccess.SkipPaths("/healthz")})

	handler := protect(app)
	fmt.Println(get(handler, "/healthz", core.EmailHeader, "forged@example.com").Body)
	fmt.Println(get(handler, "/admin", core.EmailHeader, "forged@example.com").Code)
	fmt.Println(get(handler, "/healthz/../admin", core.EmailHeader, "forged@example.com").Code)
	// Output:
	// email header ""
	// 401
	// 401
}

// A program that can't be changed, behind a reverse proxy.
func Example_reverseProxy() {
	verifier, team := newVerifier()
	defer team.Close()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		showEmail(w, r)
		fmt.Fprintf(w, ", token header %q, cookies %q", r.Header.Get(core.TokenHeader), r.Header.Get("Cookie"))
	}))
	defer upstream.Close()
	target, err := url.Parse(upstream.URL)
	if err != nil {
		panic(err)
	}

	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
		r.Out.Header.Del(core.TokenHeader)
		r.Out.Header.Del("Cookie")
		for _, cookie := range r.In.Cookies() {
			if cookie.Name != core.TokenCookie {
				r.Out.AddCookie(cookie)
			}
		}
	}}
	protect := stdaccess.New(verifier, stdaccess.Config{Rule: core.Rule{Policy: core.Users()}})
	handler := protect(proxy)

	token := team.SignUser(aud, "ada@example.com")
	fmt.Println(get(handler, "/", core.TokenHeader, token, "Cookie", "theme=dark; CF_Authorization="+token).Body)
	fmt.Println(get(handler, "/", core.TokenHeader, team.SignService(aud, "ci-bot")).Code)
	// Output:
	// email header "ada@example.com", token header "", cookies "theme=dark"
	// 403
}

// A stream of events that ends with the token.
func Example_stream() {
	verifier, team := newVerifier()
	defer team.Close()
	events := make(chan string)

	stream := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := stdaccess.Claims(r)
		ctx, cancel := context.WithDeadline(r.Context(), claims.ExpiresAt.Time)
		defer cancel()
		for {
			select {
			case <-ctx.Done(): // the token has expired, or the client is gone
				return
			case event := <-events:
				fmt.Fprintf(w, "data: %s\n\n", event)
				_ = http.NewResponseController(w).Flush()
			}
		}
	})

	// The leeway lets a token pass that has just expired.
	token := team.SignUser(aud, "ada@example.com", accesstest.WithExpiry(time.Now()))
	response := get(stdaccess.New(verifier)(stream), "/", core.TokenHeader, token)
	fmt.Println(response.Code, "the stream has ended")
	// Output: 200 the stream has ended
}

// A session of the application's own belongs to the caller who started it.
func Example_ownSession() {
	verifier, team := newVerifier()
	defer team.Close()
	owners := map[string]string{"session-of-ada": "ada's subject"} // by session id

	sessions := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := stdaccess.Claims(r)
		caller := cmp.Or(claims.Subject, claims.CommonName) // of a person, or of a service token
		cookie, err := r.Cookie("session")
		if err != nil || owners[cookie.Value] != caller {
			http.Error(w, "this session is not yours", http.StatusForbidden)
			return
		}
		fmt.Fprintln(w, "hello", claims.Email)
	})

	handler := stdaccess.New(verifier)(sessions)
	ada := team.SignUser(aud, "ada@example.com", accesstest.WithClaim("sub", "ada's subject"))
	eve := team.SignUser(aud, "eve@example.com", accesstest.WithClaim("sub", "eve's subject"))
	for _, token := range []string{ada, eve} {
		fmt.Print(get(handler, "/", core.TokenHeader, token, "Cookie", "session=session-of-ada").Body)
	}
	// Output:
	// hello ada@example.com
	// this session is not yours
}

func Example_logout() {
	verifier, team := newVerifier()
	defer team.Close()

	page := func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `<a href="/cdn-cgi/access/logout">Sign out of this application</a>`)
		fmt.Fprintf(w, `<a href="%s">Sign out of all applications</a>`, verifier.LogoutURL())
	}

	response := httptest.NewRecorder()
	page(response, nil)
	fmt.Println(strings.Contains(response.Body.String(), "/cdn-cgi/access/logout"))
	// Output: true
}

func Example_metrics() {
	var cfg core.Config

	fetches := expvar.NewMap("cfaccess_fetches")
	decisions := expvar.NewMap("cfaccess_decisions")
	cfg.Hooks = core.Hooks{
		Fetched: func(_ context.Context, f core.Fetch) {
			outcome := "ok"
			if f.Err != nil {
				outcome = "failed"
			}
			fetches.Add(outcome, 1)
		},
		Decided: func(_ context.Context, d core.Decision) {
			outcome := "allowed"
			if d.Err != nil {
				outcome = core.Refuse(d.Err).Code
			}
			decisions.Add(outcome, 1)
		},
	}

	team := accesstest.NewTeam("acme")
	defer team.Close()
	cfg.Team, cfg.Audiences, cfg.Endpoint, cfg.Logger = "acme", []string{aud}, team.URL, slog.New(slog.DiscardHandler)
	verifier, err := core.New(cfg)
	if err != nil {
		panic(err)
	}
	handler := stdaccess.New(verifier)(http.HandlerFunc(showEmail))
	get(handler, "/")
	get(handler, "/", core.TokenHeader, team.SignUser(aud, "ada@example.com"))
	fmt.Println(decisions, fetches)
	// Output: {"allowed": 1, "token_missing": 1} {"ok": 1}
}

func Example_logr() {
	var cfg core.Config
	logger := funcr.New(func(_, args string) { fmt.Println(args) }, funcr.Options{Verbosity: 4})

	cfg.Logger = slog.New(logr.ToSlogHandler(logger))

	cfg.Logger.Debug("cfaccess: refused", "error", core.ErrNoToken)
	// Output: "level"=4 "msg"="cfaccess: refused" "error"="cfaccess: no token"
}

func Example_zerolog() {
	var cfg core.Config
	var lines strings.Builder
	logger := zerolog.New(&lines).Level(zerolog.DebugLevel)

	cfg.Logger = slog.New(zerolog.NewSlogHandler(logger))

	cfg.Logger.Debug("cfaccess: refused", "error", core.ErrNoToken)
	fmt.Println(strings.HasPrefix(lines.String(), `{"level":"debug","error":"cfaccess: no token"`))
	// Output: true
}

// certsFile serves the certs document from a file instead of the network.
type certsFile string

func (name certsFile) RoundTrip(r *http.Request) (*http.Response, error) {
	file, err := os.Open(string(name))
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && time.Since(info.ModTime()) > 24*time.Hour {
		err = errors.New(string(name) + " is older than a day")
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: file, Request: r}, nil
}

func Example_keysFromFile() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "certs.json")
	if err := os.WriteFile(path, team.Certs(), 0o600); err != nil {
		panic(err)
	}
	cfg := core.Config{Team: "acme", Audiences: []string{aud}}

	cfg.HTTPClient = &http.Client{Transport: certsFile(path)}

	verifier, err := core.New(cfg)
	if err != nil {
		panic(err)
	}
	fmt.Println(verifier.Refresh(context.Background()))
	// Output: <nil>
}

// The test of a handler behind Access.
func Example_testing() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{aud}, Endpoint: team.URL})
	if err != nil {
		panic(err)
	}
	handler := stdaccess.New(verifier)(http.HandlerFunc(showEmail))
	fmt.Println(get(handler, "/", core.TokenHeader, team.SignUser(aud, "ada@example.com")).Body)
	// Output: email header "ada@example.com"
}
