// Fiber3 is a fiber v3 server behind Cloudflare Access:
//
//	TEAM_DOMAIN=https://acme.cloudflareaccess.com POLICY_AUD=<AUD tag> go run ./examples/fiber3
package main

import (
	"cmp"
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/fiber3access"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	verifier, err := core.FromEnv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	app := newApp(verifier)
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() { stopped <- app.ShutdownWithTimeout(10 * time.Second) })
	if err := app.Listen("127.0.0.1:8080"); err != nil {
		log.Fatal(err)
	}
	if err := <-stopped; err != nil {
		log.Fatal(err)
	}
}

// newApp returns the whole server. Only the paths that SkipPaths names work
// without a token.
func newApp(verifier *core.Verifier) *fiber.App {
	app := fiber.New(fiber.Config{
		ReadBufferSize: 16 << 10,        // the token comes in a header and in a cookie
		ReadTimeout:    5 * time.Second, // a shutdown waits that long for idle connections
		WriteTimeout:   30 * time.Second,
	})
	app.Use(recover.New()) // without it, a panic ends the process
	app.Use(fiber3access.New(verifier, fiber3access.Config{Next: fiber3access.SkipPaths("/healthz", "/welcome")}))
	app.Get("/healthz", func(c fiber.Ctx) error { return c.SendString("ok\n") })
	app.Get("/welcome", fiber3access.New(verifier, fiber3access.Config{Rule: core.Rule{Optional: true}}), hello)
	app.Get("/", hello)
	admin := app.Group("/admin", fiber3access.Require(core.EmailDomains("example.com")))
	admin.Get("/", func(c fiber.Ctx) error { return c.SendString("hello administrator\n") })
	return app
}

func hello(c fiber.Ctx) error {
	name := "guest"
	if claims, ok := fiber3access.Claims(c); ok {
		name = cmp.Or(claims.Email, claims.CommonName) // a service token has no email
	}
	return c.SendString("hello " + name + "\n")
}
