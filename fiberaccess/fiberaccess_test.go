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

// Without normalizing, fasthttp finds a header in one spelling only: a forged one
// in another would reach the handler. Nothing passes then.
func TestDisableHeaderNormalizingFailsClosed(t *testing.T) {
	v, team := newVerifier(t)
	app := fiber.New(fiber.Config{DisableHeaderNormalizing: true})
	app.Get("/", fiberaccess.New(v), func(*fiber.Ctx) error { t.Error("the handler ran"); return nil })
	for _, token := range []string{"", team.SignUser(audience, "ada@example.com")} {
		if status, _ := get(t, app, token); status != fiber.StatusInternalServerError {
			t.Errorf("status %d", status)
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
		want    string
	}{
		"chunked, streamed":     {true, "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + core.EmailHeader + ": root@example.com\r\n\r\n", "411"},
		"chunked":               {false, "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + core.EmailHeader + ": root@example.com\r\n\r\n", "200"},
		"with length, streamed": {true, "Content-Length: 1\r\n\r\nx", "200"},
		"none, streamed":        {true, "\r\n", "200"},
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
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go func() { _ = app.Listener(listener) }()
			defer func() { _ = app.Shutdown() }()
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s: %s\r\n%s", core.TokenHeader, token, test.body)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.Contains(line, " "+test.want+" ") {
				t.Errorf("got %q, %v; want %s", line, err, test.want)
			}
		})
	}
}
