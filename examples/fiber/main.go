// Fiber is the smallest real server behind Cloudflare Access with fiber. It reads
// the variables that Cloudflare's own samples use:
//
//	TEAM_DOMAIN=https://acme.cloudflareaccess.com POLICY_AUD=<AUD tag> go run ./examples/fiber
//
// ADMIN_DOMAIN is the email domain whose people may see /admin; without it
// nobody may. ADDR, or the flag -addr, is where it listens.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/recover"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/fiberaccess"
)

// drainTime is how long requests under way may take once the server stops.
const drainTime = 10 * time.Second

func main() {
	addr := flag.String("addr", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:8080"), "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C doesn't wait for requests

	cfg, err := core.ConfigFromEnv()
	if err == nil {
		err = run(ctx, cfg, *addr, os.Getenv("ADMIN_DOMAIN"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fiber:", err)
		os.Exit(1)
	}
}

// run serves on addr until ctx ends.
func run(ctx context.Context, cfg core.Config, addr, adminDomain string) error {
	verifier, err := core.New(cfg)
	if err != nil {
		return err
	}
	// Config.FetchTimeout, five seconds here, is the limit of this.
	if err := verifier.Refresh(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped meanwhile: the team is not to blame
		}
		return fmt.Errorf("can't get the signing keys of %s: check the spelling of TEAM_DOMAIN, and that this machine can reach it over https: %w", verifier.Issuer(), err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	slog.Info("serving", "url", "http://"+listener.Addr().String(), "team", verifier.Issuer())
	return serve(ctx, listener, routes(verifier, adminDomain))
}

// routes returns the whole server. What is public is registered before
// fiberaccess; everything else, unknown paths too, is behind it.
func routes(verifier *core.Verifier, adminDomain string) *fiber.App {
	app := fiber.New(fiber.Config{
		// A token comes twice, in a header and in a cookie; 4 KiB is the default.
		ReadBufferSize: 16 << 10,
		// Of headers and body. A silent connection delays the drain as long.
		ReadTimeout:           5 * time.Second,
		WriteTimeout:          30 * time.Second,
		IdleTimeout:           2 * time.Minute,
		CaseSensitive:         true, // with StrictRouting: /Healthz/ is not public
		StrictRouting:         true,
		DisableStartupMessage: true,
		ErrorHandler:          answerError,
	})
	// Nothing below fiber recovers: without this a panic ends the process.
	app.Use(recover.New(recover.Config{EnableStackTrace: true}))
	app.Get("/healthz", healthy)

	app.Use(fiberaccess.New(verifier))
	app.Get("/", greet)
	admins := app.Group("/admin")
	// "/*" ends the name: a guard of the group itself covers /administrator too.
	admins.Use("/*", fiberaccess.Require(core.EmailDomains(adminDomain)))
	admins.All("/*", admin)
	app.Use(notFound) // last: no route matched
	return app
}

func healthy(c *fiber.Ctx) error { return c.SendString("ok\n") }
func admin(c *fiber.Ctx) error   { return c.SendString("You are an administrator.\n") }
func notFound(*fiber.Ctx) error  { return fiber.NewError(fiber.StatusNotFound, "404 page not found") }

func greet(c *fiber.Ctx) error {
	claims, ok := fiberaccess.Claims(c)
	switch {
	case !ok: // greet is not behind fiberaccess.New
		return c.Status(fiber.StatusInternalServerError).SendString("who are you?\n")
	case claims.IsService():
		return c.SendString(fmt.Sprintf("You are the service %s.\n", claims.CommonName))
	default:
		return c.SendString(fmt.Sprintf("You are %s.\n", claims.Email))
	}
}

// answerError answers for fiber's own handler, which shows the client the text
// of any error and any panic.
func answerError(c *fiber.Ctx, err error) error {
	public := fiber.ErrInternalServerError
	if !errors.As(err, &public) {
		slog.Error("request failed", "error", err)
	}
	return c.Status(public.Code).SendString(public.Message + "\n")
}

// serve answers requests until ctx ends, and those under way to their end.
func serve(ctx context.Context, listener net.Listener, app *fiber.App) error {
	defer listener.Close() // a shutdown before Listener runs doesn't know of it
	failed := make(chan error, 1)
	go func() { failed <- app.Listener(listener) }()
	select {
	case err := <-failed: // nil for a listener that was closed
		return fmt.Errorf("serving: %w", cmp.Or(err, net.ErrClosed))
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := app.ShutdownWithContext(drain); err != nil {
		return fmt.Errorf("requests were cut after %v: %w", drainTime, err)
	}
	return nil
}
