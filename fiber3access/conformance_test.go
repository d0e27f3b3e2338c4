package fiber3access_test

import (
	"bufio"
	"context"
	"net"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
	"github.com/cfaccess/cfaccess/fiber3access"
)

func newMiddleware(app conformance.App) fiber.Handler {
	config := fiber3access.Config{
		Rule: app.Rule,
		Next: func(c fiber.Ctx) bool { return app.Skips(c.Path()) },
	}
	if app.SkipPaths != nil {
		config.Next = fiber3access.SkipPaths(app.SkipPaths...)
	}
	switch {
	case app.HandlesErrors:
		config.ErrorHandler = func(c fiber.Ctx, err error) error {
			text := app.Handle(err, c.GetReqHeaders())
			if app.Silent {
				return nil
			}
			return c.Status(conformance.HandledStatus).SendString(text)
		}
	case app.ShowsErrors:
		config.ErrorHandler = func(_ fiber.Ctx, err error) error { return err } // for fiber's own
	}
	return fiber3access.New(app.Verifier, config)
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T, app conformance.App) string {
		if app.HTTP2 {
			return "" // fasthttp has none
		}
		protect, require := newMiddleware(app), fiber3access.Require(app.Policies...)
		inner, innerRequire := newMiddleware(app.Inner()), fiber3access.Require(app.Inner().Policies...)

		whoami := func(c fiber.Ctx) error {
			return c.Send(app.Report(conformance.View{
				Claims:   func() (*core.Claims, bool) { return fiber3access.Claims(c) },
				Contexts: []context.Context{c, c.Context(), c.RequestCtx()},
				Header:   c.GetReqHeaders(),
				Body:     c.Body(),
			}))
		}
		fail := func(fiber.Ctx) error {
			return fiber.NewError(conformance.FailureStatus, conformance.FailureMessage)
		}
		crash := func(fiber.Ctx) error { panic("a handler's own") }

		f := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
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
		f.Get(conformance.PathStream, protect, func(c fiber.Ctx) error {
			return c.SendStreamWriter(func(w *bufio.Writer) { app.Stream(w, w.Flush) })
		})
		f.Get(conformance.PathUpgrade, protect, func(c fiber.Ctx) error {
			c.Set(fiber.HeaderConnection, "Upgrade")
			c.Set(fiber.HeaderUpgrade, "websocket")
			c.RequestCtx().Hijack(func(conn net.Conn) { app.Converse(conn) })
			return c.SendStatus(fiber.StatusSwitchingProtocols)
		})

		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = f.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }() // ends with the listener
		t.Cleanup(func() { _ = f.Shutdown() })
		return "http://" + listener.Addr().String()
	})
}
