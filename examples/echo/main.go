// Echo is the smallest real server behind Cloudflare Access with echo. It reads
// the variables that Cloudflare's own samples use:
//
//	TEAM_DOMAIN=https://acme.cloudflareaccess.com POLICY_AUD=<AUD tag> go run ./examples/echo
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
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/echoaccess"
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
		fmt.Fprintln(os.Stderr, "echo:", err)
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

// routes returns the whole server. What is public is named; everything else,
// unknown paths too, is in the group behind Access.
func routes(verifier *core.Verifier, adminDomain string) *echo.Echo {
	read := []string{http.MethodGet, http.MethodHead} // echo's GET doesn't imply HEAD
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Use(middleware.Recover())
	e.Match(read, "/healthz", healthy)

	protected := e.Group("", echoaccess.New(verifier))
	protected.Match(read, "/", greet)
	protected.RouteNotFound("/*", notFound)
	admins := protected.Group("/admin", echoaccess.Require(core.EmailDomains(adminDomain)))
	admins.Any("", admin)
	admins.Any("/*", admin)
	return e
}

func healthy(c echo.Context) error  { return c.String(http.StatusOK, "ok\n") }
func admin(c echo.Context) error    { return c.String(http.StatusOK, "You are an administrator.\n") }
func notFound(c echo.Context) error { return c.String(http.StatusNotFound, "404 page not found\n") }

func greet(c echo.Context) error {
	claims, ok := echoaccess.Claims(c)
	switch {
	case !ok: // greet is not behind echoaccess.New
		return c.String(http.StatusInternalServerError, "who are you?\n")
	case claims.IsService():
		return c.String(http.StatusOK, fmt.Sprintf("You are the service %s.\n", claims.CommonName))
	default:
		return c.String(http.StatusOK, fmt.Sprintf("You are %s.\n", claims.Email))
	}
}

// serve answers requests until ctx ends, and those under way to their end.
func serve(ctx context.Context, listener net.Listener, e *echo.Echo) error {
	e.Listener = listener
	e.Server.ReadHeaderTimeout = 5 * time.Second
	e.Server.ReadTimeout = 30 * time.Second
	e.Server.WriteTimeout = 30 * time.Second
	e.Server.IdleTimeout = 2 * time.Minute
	failed := make(chan error, 1)
	go func() { failed <- e.Start("") }() // on e.Listener, not an address
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := e.Shutdown(drain); err != nil {
		return fmt.Errorf("requests were cut after %v: %w", drainTime, errors.Join(err, e.Close()))
	}
	return nil
}
