// Gin is the smallest real server behind Cloudflare Access with gin. It reads
// the variables that Cloudflare's own samples use:
//
//	TEAM_DOMAIN=https://acme.cloudflareaccess.com POLICY_AUD=<AUD tag> go run ./examples/gin
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
	"runtime/debug"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/ginaccess"
)

// drainTime is how long requests under way may take once the server stops.
const drainTime = 10 * time.Second

func main() {
	addr := flag.String("addr", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:8080"), "address to listen on")
	flag.Parse()
	gin.SetMode(gin.ReleaseMode) // debug mode prints every route
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C doesn't wait for requests

	cfg, err := core.ConfigFromEnv()
	if err == nil {
		err = run(ctx, cfg, *addr, os.Getenv("ADMIN_DOMAIN"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gin:", err)
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
// ginaccess; everything else, unknown paths too, is behind it.
func routes(verifier *core.Verifier, adminDomain string) *gin.Engine {
	read := []string{http.MethodGet, http.MethodHead} // gin's GET doesn't imply HEAD
	router := gin.New()
	router.RedirectTrailingSlash = false // it redirects before any middleware is asked
	_ = router.SetTrustedProxies(nil)    // believe no X-Forwarded-For; nil can't be malformed
	router.Use(gin.CustomRecoveryWithWriter(nil, recovered))
	router.Match(read, "/healthz", healthy)

	router.Use(ginaccess.New(verifier))
	router.Match(read, "/", greet)
	router.NoRoute(notFound)
	admins := router.Group("/admin", ginaccess.Require(core.EmailDomains(adminDomain)))
	admins.Any("", admin)
	admins.Any("/*path", admin)
	return router
}

func healthy(c *gin.Context)  { c.String(http.StatusOK, "ok\n") }
func admin(c *gin.Context)    { c.String(http.StatusOK, "You are an administrator.\n") }
func notFound(c *gin.Context) { c.String(http.StatusNotFound, "404 page not found\n") }

func greet(c *gin.Context) {
	claims, ok := ginaccess.Claims(c)
	switch {
	case !ok: // greet is not behind ginaccess.New
		c.String(http.StatusInternalServerError, "who are you?\n")
	case claims.IsService():
		c.String(http.StatusOK, "You are the service %s.\n", claims.CommonName)
	default:
		c.String(http.StatusOK, "You are %s.\n", claims.Email)
	}
}

// recovered takes the place of gin's own report of a panic, which prints the
// request's headers, the token too: in debug mode, and of a broken connection
// in every mode.
func recovered(c *gin.Context, cause any) {
	slog.Error("panic", "cause", cause, "stack", string(debug.Stack()))
	c.AbortWithStatus(http.StatusInternalServerError)
}

// serve answers requests until ctx ends, and those under way to their end.
func serve(ctx context.Context, listener net.Listener, router *gin.Engine) error {
	server := &http.Server{
		Handler:           router,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return fmt.Errorf("requests were cut after %v: %w", drainTime, errors.Join(err, server.Close()))
	}
	return nil
}
