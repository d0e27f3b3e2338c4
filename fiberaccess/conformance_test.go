package fiberaccess_test

import (
	"bufio"
	"context"
	"net"
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
	"github.com/cfaccess/cfaccess/fiberaccess"
)

func newMiddleware(app conformance.App) fiber.Handler {
	config := fiberaccess.Config{
		Rule: app.Rule,
		Next: func(c *fiber.Ctx) bool { return app.Skips(c.Path()) },
	}
	if app.SkipPaths != nil {
		config.Next = fiberaccess.SkipPaths(app.SkipPaths...)
	}
	switch {
	case app.HandlesErrors:
		config.ErrorHandler = func(c *fiber.Ctx, err error) error {
			text := app.Handle(err, c.GetReqHeaders())
			if app.Silent {
				return nil
			}
			return c.Status(conformance.HandledStatus).SendString(text)
		}
	case app.ShowsErrors:
		config.ErrorHandler = func(_ *fiber.Ctx, err error) error { return err } // for fiber's own
	}
	return fiberaccess.New(app.Verifier, config)
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T, app conformance.App) string {
		if app.HTTP2 {
			return "" // fasthttp has none
		}
		protect, require := newMiddleware(app), fiberaccess.Require(app.Policies...)
		inner, innerRequire := newMiddleware(app.Inner()), fiberaccess.Require(app.Inner().Policies...)

		whoami := func(c *fiber.Ctx) error {
			return c.Send(app.Report(conformance.View{
				Claims:   func() (*core.Claims, bool) { return fiberaccess.Claims(c) },
				Contexts: []context.Context{c.UserContext(), c.Context()},
				Header:   c.GetReqHeaders(),
				Body:     c.Body(),
			}))
		}
		fail := func(*fiber.Ctx) error {
			return fiber.NewError(conformance.FailureStatus, conformance.FailureMessage)
		}
		crash := func(*fiber.Ctx) error { panic("a handler's own") }

		f := fiber.New(fiber.Config{ReadBufferSize: 16 << 10, DisableStartupMessage: true})
		f.Use(recover.New())
		f.All(conformance.PathWhoAmI, protect, whoami)
		f.All(conformance.PathRequired, protect, require, whoami)
		f.All(conformance.PathRequireAlone, require, whoami)
		f.All(conformance.PathSkipped, protect, whoami)
		f.All(conformance.PathNested, protect, inner, innerRequire, whoami)
		f.All(conformance.PathNestedSkipped, protect, inner, whoami)
		f.Get(conformance.PathFailure, protect, fail)
		f.Get(conformance.PathBareFailure, fail)
		f.Get(conformance.PathPanic, protect, crash)
		f.Get(conformance.PathBarePanic, crash)
		f.Get(conformance.PathStream, protect, func(c *fiber.Ctx) error {
			c.Context().SetBodyStreamWriter(func(w *bufio.Writer) { app.Stream(w, w.Flush) })
			return nil
		})
		f.Get(conformance.PathUpgrade, protect, func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderConnection, "Upgrade")
			c.Set(fiber.HeaderUpgrade, "websocket")
			c.Context().Hijack(func(conn net.Conn) { app.Converse(conn) })
			return c.SendStatus(fiber.StatusSwitchingProtocols)
		})

		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = f.Listener(listener) }() // ends with the listener
		t.Cleanup(func() { _ = f.Shutdown() })
		return "http://" + listener.Addr().String()
	})
}
