package fiber3access_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/cache"
	"github.com/gofiber/fiber/v3/middleware/static"
	"github.com/valyala/fasthttp"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/fiber3access"
)

const audience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"

func newVerifier(t testing.TB) (*core.Verifier, *accesstest.Team) {
	t.Helper()
	v, team, _ := newCountingVerifier(t)
	return v, team
}

// newCountingVerifier returns a verifier that counts its decisions.
func newCountingVerifier(t testing.TB) (*core.Verifier, *accesstest.Team, *atomic.Int64) {
	t.Helper()
	team := accesstest.NewTeam("acme")
	t.Cleanup(team.Close)
	decided := new(atomic.Int64)
	v, err := core.New(core.Config{
		Team: "acme", Audiences: []string{audience}, Endpoint: team.URL,
		Logger: slog.New(slog.DiscardHandler),
		Hooks:  core.Hooks{Decided: func(context.Context, core.Decision) { decided.Add(1) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v, team, decided
}

func get(t *testing.T, app *fiber.App, token string) (status int, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if token != "" {
		r.Header.Set(core.TokenHeader, token)
	}
	response, err := app.Test(r, fiber.TestConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// listen serves the app on loopback and returns its address.
func listen(t *testing.T, app *fiber.App) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() { _ = app.Shutdown() })
	return listener.Addr().String()
}

// send sends requests on one connection, as they stand, and returns the answers.
func send(t *testing.T, address string, requests ...string) []*http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	var answers []*http.Response
	for _, request := range requests {
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(reader, nil)
		if err == nil && answer.StatusCode == fiber.StatusContinue {
			answer, err = http.ReadResponse(reader, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body = io.NopCloser(strings.NewReader(string(body)))
		answers = append(answers, answer)
	}
	return answers
}

// emails returns every value of the email header in any spelling.
func emails(c fiber.Ctx) (values []string) {
	for name, value := range c.Request().Header.All() {
		if core.IsEmailHeader(string(name)) {
			values = append(values, string(value))
		}
	}
	return values
}

// ErrorHandler that returns its error hands the refusal to the app's own: with
// the status, core's error, and a text that is safe to show, whatever error of
// fiber's a policy returns.
func TestErrorHandlerHandsOver(t *testing.T) {
	v, team := newVerifier(t)
	var got error
	app := fiber.New(fiber.Config{ErrorHandler: func(c fiber.Ctx, err error) error {
		got = err
		return fiber.DefaultErrorHandler(c, err)
	}})
	app.Use(fiber3access.New(v, fiber3access.Config{
		Rule: core.Rule{Policy: func(_ context.Context, c *core.Claims) error {
			if c.Email == "eve@example.com" {
				return fiber.NewError(fiber.StatusTeapot, "eve is under investigation")
			}
			return nil
		}},
		ErrorHandler: func(_ fiber.Ctx, err error) error { return err },
	}))
	app.Get("/", fiber3access.Require(core.Services()), func(fiber.Ctx) error { t.Error("the handler ran"); return nil })

	for name, test := range map[string]struct {
		token  string
		want   error
		status int
	}{
		"no token":  {"", core.ErrNoToken, fiber.StatusUnauthorized},
		"bad token": {"x", core.ErrMalformed, fiber.StatusUnauthorized},
		"policy":    {team.SignUser(audience, "eve@example.com"), core.ErrForbidden, fiber.StatusForbidden},
		"Require":   {team.SignUser(audience, "ada@example.com"), core.ErrForbidden, fiber.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := get(t, app, test.token)
			var public *fiber.Error
			var refusal *core.Refusal
			if !errors.As(got, &public) || public.Code != test.status || !errors.Is(got, test.want) || !errors.As(got, &refusal) {
				t.Errorf("got %v", got)
			}
			if detail := core.Refuse(test.want).Detail; status != test.status || body != detail || public.Message != detail {
				t.Errorf("the client got %d %q, want %q", status, body, detail)
			}
		})
	}
}

// What fiber answers because it can't read a request runs Use middleware, with
// what there is of the request. Each is decided once, reaches no handler, and is
// answered by fiber's ErrorHandler.
func TestServerErrorsAreDecidedOnce(t *testing.T) {
	v, team, decided := newCountingVerifier(t)
	token := core.TokenHeader + ": " + team.SignUser(audience, "ada@example.com") + "\r\n"
	for name, rule := range map[string]core.Rule{"required": {}, "optional": {Optional: true}} {
		app := fiber.New(fiber.Config{BodyLimit: 10})
		app.Use(fiber3access.New(v, fiber3access.Config{Rule: rule}))
		var seen atomic.Value
		app.Use(func(c fiber.Ctx) error {
			claims, _ := fiber3access.Claims(c)
			seen.Store(claims != nil)
			return c.Next()
		})
		app.Post("/", func(c fiber.Ctx) error { return c.SendString("handled") })
		address := listen(t, app)

		const line = "POST / HTTP/1.1\r\nHost: x\r\n"
		for what, test := range map[string]struct {
			request string
			status  int
			claims  bool // for the middleware behind New
		}{
			"good":                    {line + token + "Content-Length: 1\r\n\r\nx", 200, true},
			"body too large":          {line + token + "Content-Length: 11\r\n\r\nxxxxxxxxxxx", 413, true},
			"body too large, unknown": {line + "Content-Length: 11\r\n\r\nxxxxxxxxxxx", 413, false},
			"chunk too large":         {line + token + "Transfer-Encoding: chunked\r\n\r\nb\r\nxxxxxxxxxxx\r\n0\r\n\r\n", 413, false},
			"header too large":        {line + token + "X: " + strings.Repeat("x", 4096) + "\r\n\r\n", 431, false},
			"bad header":              {line + token + "Content-Length: x\r\n\r\n", 400, false},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				before := decided.Load()
				// On a connection that ada has used: nothing of her is left.
				answers := send(t, address, line+token+"Content-Length: 1\r\n\r\nx", test.request)
				if got := decided.Load() - before; got != 2 {
					t.Errorf("%d decisions for two requests", got)
				}
				body, _ := io.ReadAll(answers[1].Body)
				if answers[1].StatusCode != test.status || test.status != 200 && strings.Contains(string(body), "handled") {
					t.Errorf("got %d %s, want %d", answers[1].StatusCode, body, test.status)
				}
				if what != "bad header" && name == "optional" && seen.Load() != test.claims {
					t.Errorf("the middleware behind New saw claims: %v, want %v", seen.Load(), test.claims)
				}
			})
		}
	}
}

// Without normalizing, fasthttp finds a header in one spelling only: a token in
// another goes unseen. Nothing passes then, also on a server of the user's own.
func TestHeaderNamesMustBeNormalized(t *testing.T) {
	v, team := newVerifier(t)
	const want = "fiber3access needs header names normalized"
	newApp := func(config fiber.Config) *fiber.App {
		app := fiber.New(config)
		app.Get("/", fiber3access.New(v), func(fiber.Ctx) error { t.Error("the handler ran"); return nil })
		return app
	}
	app := newApp(fiber.Config{DisableHeaderNormalizing: true})
	for _, token := range []string{"", team.SignUser(audience, "ada@example.com")} {
		if status, body := get(t, app, token); status != fiber.StatusInternalServerError || !strings.Contains(body, want) {
			t.Errorf("got %d %s", status, body)
		}
	}

	server := &fasthttp.Server{Handler: newApp(fiber.Config{}).Handler(), DisableHeaderNamesNormalizing: true}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Shutdown()
	for _, host := range []string{"Host", "host", "HOST"} {
		request := fmt.Sprintf("GET / HTTP/1.1\r\n%s: x\r\n%s: %s\r\n\r\n", host, core.TokenHeader, team.SignUser(audience, "ada@example.com"))
		answer := send(t, listener.Addr().String(), request)[0]
		if body, _ := io.ReadAll(answer.Body); answer.StatusCode != fiber.StatusInternalServerError || !strings.Contains(string(body), want) {
			t.Errorf("%s: got %d %s", host, answer.StatusCode, body)
		}
	}
}

// HTTP/1.0 needs no Host, by which New knows normalized names.
func TestNoHost(t *testing.T) {
	v, team := newVerifier(t)
	app := fiber.New()
	app.Get("/", fiber3access.New(v), func(c fiber.Ctx) error { return c.SendString(strings.Join(emails(c), ",")) })
	server := &fasthttp.Server{Handler: app.Handler(), DisableHeaderNamesNormalizing: true}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Shutdown()
	for _, address := range []string{listen(t, app), listener.Addr().String()} {
		request := fmt.Sprintf("GET / HTTP/1.0\r\n%s: %s\r\n%s: root@example.com\r\n\r\n", core.TokenHeader,
			team.SignUser(audience, "ada@example.com"), strings.ToLower(core.EmailHeader))
		answer := send(t, address, request)[0]
		if body, _ := io.ReadAll(answer.Body); answer.StatusCode != fiber.StatusOK || string(body) != "ada@example.com" {
			t.Errorf("got %d %s", answer.StatusCode, body)
		}
	}
}

// fasthttp keeps names that end in a space, as they were sent.
func TestNamesThatEndInASpace(t *testing.T) {
	v, team := newVerifier(t)
	app := fiber.New()
	app.Use(fiber3access.New(v))
	app.Get("/", func(c fiber.Ctx) error { return c.SendString(strings.Join(emails(c), ",")) })
	address := listen(t, app)
	for token, want := range map[string]string{
		team.SignUser(audience, "ada@example.com"): "ada@example.com",
		team.SignService(audience, "ci-bot"):       "",
	} {
		for _, name := range []string{
			core.EmailHeader + " ", core.EmailHeader + "  ", strings.ToLower(core.EmailHeader) + " ",
			strings.ReplaceAll(core.EmailHeader, "-", "_") + " ", strings.ToUpper(core.EmailHeader), "Cf_Access-Authenticated_User-Email",
		} {
			request := fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\n%s: %s\r\n%s: root@example.com\r\n%s:\r\n\r\n", core.TokenHeader, token, name, name)
			answer := send(t, address, request)[0]
			if body, _ := io.ReadAll(answer.Body); answer.StatusCode != fiber.StatusOK || string(body) != want {
				t.Errorf("%q: got %d %s, want %s", name, answer.StatusCode, body, want)
			}
		}
		request := fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\n%s : %s\r\n\r\n", core.TokenHeader, token)
		if answer := send(t, address, request)[0]; answer.StatusCode != fiber.StatusUnauthorized {
			t.Errorf("a token under a name that ends in a space: got %d", answer.StatusCode)
		}
	}
}

// The email header comes once, and is named nowhere: a reverse proxy behind New
// drops what Connection names on any of its lines, and fasthttp's client sends
// what Trailer names after the body.
func TestEmailHeaderComesOnce(t *testing.T) {
	v, team := newVerifier(t)
	app := fiber.New()
	app.Use(fiber3access.New(v))
	app.Get("/", func(c fiber.Ctx) error {
		return c.SendString(strings.Join(emails(c), ",") + "\n" + c.Request().Header.String())
	})
	address := listen(t, app)
	token := team.SignUser(audience, "ada@example.com")
	for _, lines := range []string{
		"Connection: " + core.EmailHeader,
		"Connection: keep-alive, cf-access-authenticated-user-email ,te",
		"Connection: keep-alive\r\nConnection: Cf_Access_Authenticated_User_Email",
		"Connection: " + core.EmailHeader + "\r\nConnection: close",
		"Trailer: Expires, " + core.EmailHeader,
		core.EmailHeader + ": ada@example.com\r\n" + core.EmailHeader + ": ada@example.com",
	} {
		request := fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\n%s\r\n%s: %s\r\n\r\n", lines, core.TokenHeader, token)
		answer := send(t, address, request)[0]
		body, _ := io.ReadAll(answer.Body)
		if n := strings.Count(strings.ToLower(strings.ReplaceAll(string(body), "_", "-")), strings.ToLower(core.EmailHeader)); n != 1 ||
			!strings.Contains(string(body), core.EmailHeader+": ada@example.com\r\n") {
			t.Errorf("%s: got %d %s", lines, answer.StatusCode, body)
		}
	}
	for lines, want := range map[string]string{
		"Connection: Upgrade, HTTP2-Settings, X-Of-Some-Length":                "Connection: Upgrade, HTTP2-Settings, X-Of-Some-Length\r\n",
		"Connection: X-Hop\r\nConnection: te," + core.EmailHeader + ",X-Other": "Connection: X-Hop,te,X-Other\r\n",
	} {
		request := fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\n%s\r\n%s: %s\r\n\r\n", lines, core.TokenHeader, token)
		if body, _ := io.ReadAll(send(t, address, request)[0].Body); !strings.Contains(string(body), want) {
			t.Errorf("%s: got %s", lines, body)
		}
	}
}

// While a chunked body is read, its trailers are added to the headers: after New
// has looked. Such a body isn't let in where it is streamed.
func TestTrailerForgesNoHeader(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignService(audience, "ci-bot")
	chunks := func(trailer string) string {
		return "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + trailer + "\r\n\r\n"
	}
	for name, test := range map[string]struct {
		streams bool
		body    string
		want    int
	}{
		"chunked, streamed":               {true, chunks(core.EmailHeader + ": root@example.com"), 411},
		"chunked, streamed, 100-continue": {true, "Expect: 100-continue\r\n" + chunks(core.EmailHeader+": root@example.com"), 411},
		"chunked":                         {false, chunks(core.EmailHeader + ": root@example.com"), 200},
		"chunked, announced":              {false, "Trailer: " + core.EmailHeader + "\r\n" + chunks(core.EmailHeader+": root@example.com"), 200},
		"chunked, underscores":            {false, chunks("cf_access_authenticated_user_email : root@example.com"), 200},
		"chunked, second token":           {false, chunks(core.TokenHeader + ": " + token), 401},
		"with length, streamed":           {true, "Content-Length: 1\r\n\r\nx", 200},
		"none, streamed":                  {true, "\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			app := fiber.New(fiber.Config{StreamRequestBody: test.streams})
			app.Use(fiber3access.New(v))
			app.Post("/", func(c fiber.Ctx) error {
				_ = c.Body()
				if got := emails(c); len(got) > 0 {
					t.Errorf("the handler takes the caller for %s", got)
				}
				return nil
			})
			request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s: %s\r\n%s", core.TokenHeader, token, test.body)
			answer := send(t, listen(t, app), request)[0]
			if answer.StatusCode != test.want {
				t.Errorf("got %d, want %d", answer.StatusCode, test.want)
			}
		})
	}
}

// Claims are where fiber's users look for values, in each kind of context.
func TestClaimsAreInEveryContext(t *testing.T) {
	v, team := newVerifier(t)
	app := fiber.New()
	app.Get("/", fiber3access.New(v), func(c fiber.Ctx) error {
		claims, ok := fiber3access.Claims(c)
		if !ok || claims.Email != "ada@example.com" || c.Locals("cfaccess") != claims {
			t.Errorf("Locals has %v; Claims %v, %v", c.Locals("cfaccess"), claims, ok)
		}
		for _, ctx := range []context.Context{c, c.Context(), c.RequestCtx()} {
			if found, _ := core.FromContext(ctx); found != claims {
				t.Errorf("core.FromContext finds %v in %T", found, ctx)
			}
		}
		return nil
	})
	if status, _ := get(t, app, team.SignUser(audience, "ada@example.com")); status != fiber.StatusOK {
		t.Errorf("status %d", status)
	}
}

type ownCtx struct{ fiber.DefaultCtx }

// Applications may have a Ctx of their own.
func TestCustomCtx(t *testing.T) {
	v, team := newVerifier(t)
	app := fiber.NewWithCustomCtx(func(app *fiber.App) fiber.CustomCtx { return &ownCtx{*fiber.NewDefaultCtx(app)} })
	app.Use(fiber3access.New(v))
	app.Get("/", func(c fiber.Ctx) error {
		claims, _ := fiber3access.Claims(c.(*ownCtx))
		return c.SendString(claims.Email)
	})
	if status, body := get(t, app, team.SignUser(audience, "ada@example.com")); status != fiber.StatusOK || body != "ada@example.com" {
		t.Errorf("got %d %s", status, body)
	}
	if status, _ := get(t, app, ""); status != fiber.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
}

// fiber uses a request's memory for the next one. What is kept of claims stays
// as it was, and a cached token is nobody else's.
func TestClaimsOutliveTheRequest(t *testing.T) {
	v, team := newVerifier(t)
	app := fiber.New()
	var kept []*core.Claims
	app.Get("/", fiber3access.New(v), func(c fiber.Ctx) error {
		claims, _ := fiber3access.Claims(c)
		kept = append(kept, claims)
		return nil
	})
	address := listen(t, app)
	var tokens, requests []string
	for i := range 50 {
		token := team.SignUser(audience, fmt.Sprintf("user%d@example.com", i))
		tokens = append(tokens, token)
		requests = append(requests, fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\n%s: %s\r\n\r\n", core.TokenHeader, token))
	}
	send(t, address, slices.Concat(requests, requests)...)
	for i, claims := range kept {
		if i %= 50; claims.Token() != tokens[i] || claims.Email != fmt.Sprintf("user%d@example.com", i) {
			t.Errorf("request %d has become %s", i, claims.Email)
		}
	}
	forged := strings.Replace(requests[0], tokens[0], tokens[0][:len(tokens[0])-4]+"AAAA", 1)
	if answer := send(t, address, forged)[0]; answer.StatusCode != fiber.StatusUnauthorized {
		t.Errorf("a forged token: got %d", answer.StatusCode)
	}
}

// A prefix doesn't protect files that are served without one: fiber matches the
// path as it was sent, and the file server cleans and decodes it.
func TestPrefixDoesNotProtectFiles(t *testing.T) {
	v, _ := newVerifier(t)
	files := static.New("", static.Config{FS: fstest.MapFS{"admin/secret": {Data: []byte("secret")}}})
	for name, test := range map[string]struct {
		prefix string
		want   map[string]int
	}{
		"prefix": {"/admin", map[string]int{
			"/administrator": 404, // v2 takes /admin for its prefix, v3 doesn't
			"/admin/secret":  401, "/ADMIN/secret": 401, "/%61dmin/secret": 200, "//admin/secret": 200, "/./admin/secret": 200, "/x/../admin/secret": 200,
		}},
		"everything": {"/", map[string]int{
			"/admin/secret": 401, "/ADMIN/secret": 401, "/%61dmin/secret": 401, "//admin/secret": 401, "/./admin/secret": 401, "/x/../admin/secret": 401,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			app := fiber.New()
			app.Use(test.prefix, fiber3access.New(v))
			app.Get("/*", files)
			address := listen(t, app)
			for path, want := range test.want {
				if answer := send(t, address, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")[0]; answer.StatusCode != want {
					t.Errorf("%s: got %d, want %d", path, answer.StatusCode, want)
				}
			}
		})
	}
}

// fiber's cache serves what it has to everybody, if New isn't in front of it.
func TestCacheInFrontOfNewIsAHole(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignUser(audience, "ada@example.com")
	protect := fiber3access.New(v)
	for name, test := range map[string]struct {
		first, second fiber.Handler
		want          int
	}{"cache first": {cache.New(), protect, 200}, "New first": {protect, cache.New(), 401}} {
		app := fiber.New()
		app.Use(test.first, test.second)
		app.Get("/", func(c fiber.Ctx) error { return c.SendString("secret") })
		if status, _ := get(t, app, token); status != fiber.StatusOK {
			t.Errorf("%s: got %d", name, status)
		}
		if status, body := get(t, app, ""); status != test.want {
			t.Errorf("%s: without a token: got %d %s, want %d", name, status, body, test.want)
		}
	}
}

// fiber decodes and cleans the path for its handlers, and ignores its case.
func TestSkipPathsComparesExactly(t *testing.T) {
	v, _ := newVerifier(t)
	app := fiber.New()
	app.Use(fiber3access.New(v, fiber3access.Config{Next: fiber3access.SkipPaths("/healthz")}))
	app.Get("/*", func(fiber.Ctx) error { return nil })
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/healthz?probe=1": http.StatusOK,
		"/healthz/": 401, "/healthz/../admin": 401, "/%68ealthz": 401, "//healthz": 401, "/HEALTHZ": 401, "/healthz;x": 401, "/healthz%2f..%2fadmin": 401,
	} {
		var ctx fasthttp.RequestCtx
		ctx.Request.SetRequestURI(path)
		app.Handler()(&ctx)
		if got := ctx.Response.StatusCode(); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}

func TestPanicsAtConstruction(t *testing.T) {
	for name, construct := range map[string]func(){
		"a nil Verifier": func() { fiber3access.New(nil) },
		"a nil Policy":   func() { fiber3access.Require(nil) },
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
