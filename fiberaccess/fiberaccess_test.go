package fiberaccess_test

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
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/fiberaccess"
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

func get(t *testing.T, app *fiber.App, token string) (status int, body string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set(core.TokenHeader, token)
	response, err := app.Test(r, -1)
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
	go func() { _ = app.Listener(listener) }()
	t.Cleanup(func() { _ = app.Shutdown() })
	return listener.Addr().String()
}

// send sends a request as it stands.
func send(t *testing.T, address, request string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// An ErrorHandler that returns its error hands the refusal to the app's own, with
// the status, core's error, and a text for clients. A policy's *fiber.Error is not
// the one that fiber finds in it.
func TestErrorHandlerHandsOver(t *testing.T) {
	v, team := newVerifier(t)
	user := team.SignUser(audience, "ada@example.com")
	own := func(context.Context, *core.Claims) error {
		return fiber.NewError(fiber.StatusTeapot, "not for clients")
	}
	for name, test := range map[string]struct {
		token  string
		policy core.Policy
		want   error
	}{
		"no token":         {"", core.Users(), core.ErrNoToken},
		"bad token":        {"x", core.Users(), core.ErrMalformed},
		"Require":          {user, core.Services(), core.ErrForbidden},
		"Require, its own": {user, own, core.ErrForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			app := fiber.New(fiber.Config{ErrorHandler: func(c *fiber.Ctx, err error) error {
				if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				return fiber.DefaultErrorHandler(c, err)
			}})
			app.Use(fiberaccess.New(v, fiberaccess.Config{
				ErrorHandler: func(_ *fiber.Ctx, err error) error { return err },
			}))
			app.Get("/", fiberaccess.Require(test.policy), func(*fiber.Ctx) error { t.Error("the handler ran"); return nil })
			status, body := get(t, app, test.token)
			if want := core.Refuse(test.want); status != want.Status || body != want.Detail {
				t.Errorf("the client got %d %q, want %d %q", status, body, want.Status, want.Detail)
			}
		})
	}
}

// Without normalizing, fasthttp finds a header in one spelling only: a token in
// another goes unseen. Nothing passes then, also on a server of the user's own.
func TestHeaderNamesMustBeNormalized(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignUser(audience, "ada@example.com")
	const want = "fiberaccess needs header names normalized"
	newApp := func(config fiber.Config) *fiber.App {
		app := fiber.New(config)
		app.Get("/", fiberaccess.New(v), func(*fiber.Ctx) error { t.Error("the handler ran"); return nil })
		return app
	}
	app := newApp(fiber.Config{DisableHeaderNormalizing: true})
	for _, token := range []string{"", token} {
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
		request := fmt.Sprintf("GET / HTTP/1.1\r\n%s: x\r\n%s: %s\r\n\r\n", host, core.TokenHeader, token)
		if status, body := send(t, listener.Addr().String(), request); status != fiber.StatusInternalServerError || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %s", host, status, body)
		}
	}
}

// HTTP/1.0 needs no Host, by which New knows normalized names.
func TestNoHost(t *testing.T) {
	v, team := newVerifier(t)
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/", fiberaccess.New(v), func(c *fiber.Ctx) error { return c.SendString(c.Request().Header.String()) })
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
		status, body := send(t, address, request)
		if status != fiber.StatusOK || !strings.Contains(body, core.EmailHeader+": ada@example.com") || strings.Contains(body, "root") {
			t.Errorf("got %d %s", status, body)
		}
	}
}

// The email header comes once, and is named nowhere: a reverse proxy behind New
// drops what Connection names on any of its lines, and fasthttp's client sends
// what Trailer names after the body.
func TestEmailHeaderComesOnce(t *testing.T) {
	v, team := newVerifier(t)
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(fiberaccess.New(v))
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString(c.Request().Header.String()) })
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
		status, body := send(t, address, request)
		if n := strings.Count(strings.ToLower(strings.ReplaceAll(body, "_", "-")), strings.ToLower(core.EmailHeader)); n != 1 ||
			!strings.Contains(body, core.EmailHeader+": ada@example.com\r\n") {
			t.Errorf("%s: got %d %s", lines, status, body)
		}
	}
	for lines, want := range map[string]string{
		"Connection: Upgrade, HTTP2-Settings, X-Of-Some-Length":                "Connection: Upgrade, HTTP2-Settings, X-Of-Some-Length\r\n",
		"Connection: X-Hop\r\nConnection: te," + core.EmailHeader + ",X-Other": "Connection: X-Hop,te,X-Other\r\n",
	} {
		request := fmt.Sprintf("GET / HTTP/1.1\r\nHost: x\r\n%s\r\n%s: %s\r\n\r\n", lines, core.TokenHeader, token)
		if _, body := send(t, address, request); !strings.Contains(body, want) {
			t.Errorf("%s: got %s", lines, body)
		}
	}
}

// While a chunked body is read, its trailers are added to the headers: after New
// has looked. Such a body isn't let in where it is streamed.
func TestTrailerForgesNoHeader(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignService(audience, "ci-bot")
	for name, test := range map[string]struct {
		streams bool
		body    string
		want    int
	}{
		"chunked, streamed":     {true, "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + core.EmailHeader + ": root@example.com\r\n\r\n", 411},
		"chunked":               {false, "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + core.EmailHeader + ": root@example.com\r\n\r\n", 200},
		"with length, streamed": {true, "Content-Length: 1\r\n\r\nx", 200},
		"none, streamed":        {true, "\r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			app := fiber.New(fiber.Config{StreamRequestBody: test.streams, DisableStartupMessage: true})
			app.Use(fiberaccess.New(v))
			app.Post("/", func(c *fiber.Ctx) error {
				_ = c.Body()
				if email := c.Get(core.EmailHeader); email != "" {
					t.Errorf("the handler takes the caller for %s", email)
				}
				return nil
			})
			request := fmt.Sprintf("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s: %s\r\n%s", core.TokenHeader, token, test.body)
			if status, body := send(t, listen(t, app), request); status != test.want {
				t.Errorf("got %d %s, want %d", status, body, test.want)
			}
		})
	}
}
