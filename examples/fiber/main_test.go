package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gofiber/fiber/v2"

	"github.com/cfaccess/cfaccess/examples/internal/alike"
)

func TestAnswers(t *testing.T) {
	alike.Answers(t, run, alike.Own{EscapedLetter: 404, EscapedSlash: 404, DoubleSlash: 404, RareMethod: 400})
}

func TestStarts(t *testing.T) {
	alike.Starts(t, run)
}

func TestServes(t *testing.T) {
	alike.Serves(t, func(ctx context.Context, listener net.Listener, wait func()) error {
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Get("/", func(c *fiber.Ctx) error {
			wait()
			return c.SendString("done")
		})
		return serve(ctx, listener, app)
	})
}

func TestHandlersAlone(t *testing.T) {
	for name, test := range map[string]struct {
		handler fiber.Handler
		status  int
		body    string
	}{
		"greet without New": {greet, 500, "who are you?\n"},
		"fiber's error":     {func(*fiber.Ctx) error { return fiber.ErrTeapot }, 418, "I'm a teapot\n"},
		"wrapped":           {func(*fiber.Ctx) error { return fmt.Errorf("secret: %w", fiber.ErrTeapot) }, 418, "I'm a teapot\n"},
		"any other error":   {func(*fiber.Ctx) error { return errors.New("secret") }, 500, "Internal Server Error\n"},
	} {
		t.Run(name, func(t *testing.T) {
			app := fiber.New(fiber.Config{ErrorHandler: answerError})
			app.Get("/", test.handler)
			response, err := app.Test(httptest.NewRequest(http.MethodGet, "/", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != test.status || string(body) != test.body {
				t.Errorf("got %d %q, %v, want %d %q", response.StatusCode, body, err, test.status, test.body)
			}
		})
	}
}
