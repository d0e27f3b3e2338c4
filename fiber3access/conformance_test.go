package fiber3access_test

import (
	"bufio"
	"net"
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
	"github.com/cfaccess/cfaccess/fiber3access"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T, site conformance.Site) string {
		config := fiber3access.Config{
			Rule: site.Rule,
			Next: func(c fiber.Ctx) bool { return c.Path() == conformance.PathSkipped },
		}
		if site.HandlesErrors {
			config.ErrorHandler = func(c fiber.Ctx, err error) error {
				if text := site.Handle(err, c.GetReqHeaders()); !site.Silent {
					return c.Status(conformance.HandledStatus).SendString(text)
				}
				return nil
			}
		}
		protect, require := fiber3access.New(site.Verifier, config), fiber3access.Require(site.Policies...)
		skip := fiber3access.New(site.Verifier, fiber3access.Config{Next: func(fiber.Ctx) bool { return true }})

		whoami := func(c fiber.Ctx) error {
			claims := func() (*core.Claims, bool) { return fiber3access.Claims(c) }
			return c.Send(site.Report(c.Context(), claims, c.GetReqHeaders(), c.Body()))
		}
		fail := func(fiber.Ctx) error {
			return fiber.NewError(conformance.FailureStatus, conformance.FailureMessage)
		}
		crash := func(fiber.Ctx) error { panic("a handler's own") }

		app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
		app.Use(recover.New())
		app.All(conformance.PathWhoAmI, protect, whoami)
		app.All(conformance.PathRequired, protect, require, whoami)
		app.All(conformance.PathRequireAlone, require, whoami)
		app.All(conformance.PathSkipped, protect, whoami)
		app.All(conformance.PathNested, protect, skip, whoami)
		app.Get(conformance.PathFailure, protect, fail)
		app.Get(conformance.PathBareFailure, fail)
		app.Get(conformance.PathPanic, protect, crash)
		app.Get(conformance.PathBarePanic, crash)
		app.Get(conformance.PathStream, protect, func(c fiber.Ctx) error {
			return c.SendStreamWriter(func(w *bufio.Writer) { site.Stream(w, w.Flush) })
		})
		app.Get(conformance.PathUpgrade, protect, func(c fiber.Ctx) error {
			c.Set(fiber.HeaderConnection, "Upgrade")
			c.Set(fiber.HeaderUpgrade, "websocket")
			c.RequestCtx().Hijack(func(conn net.Conn) { site.Converse(conn) })
			return c.SendStatus(fiber.StatusSwitchingProtocols)
		})

		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }() // ends with the listener
		t.Cleanup(func() { _ = app.Shutdown() })
		return "http://" + listener.Addr().String()
	})
}
