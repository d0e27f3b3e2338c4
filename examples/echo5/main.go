// Echo5 is an echo v5 server behind Cloudflare Access:
//
//	TEAM_DOMAIN=https://acme.cloudflareaccess.com POLICY_AUD=<AUD tag> go run ./examples/echo5
package main

import (
	"cmp"
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/echo5access"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	verifier, err := core.FromEnv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	server := echo.StartConfig{
		Address:         "127.0.0.1:8080",
		GracefulTimeout: 10 * time.Second,
		OnShutdownError: func(err error) { log.Fatal(err) },
		BeforeServeFunc: func(s *http.Server) error {
			s.ReadTimeout, s.WriteTimeout = 5*time.Second, 30*time.Second
			return nil
		},
	}
	if err := server.Start(ctx, newEcho(verifier)); err != nil {
		log.Fatal(err)
	}
}

// newEcho returns the whole server. Only the paths that SkipPaths names work
// without a token.
func newEcho(verifier *core.Verifier) *echo.Echo {
	e := echo.New()
	e.Use(middleware.Recover())
	e.Use(echo5access.New(verifier, echo5access.Config{Skipper: echo5access.SkipPaths("/healthz", "/welcome")}))
	e.GET("/healthz", func(c *echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/welcome", hello, echo5access.New(verifier, echo5access.Config{Rule: core.Rule{Optional: true}}))
	e.GET("/", hello)
	admin := e.Group("/admin", echo5access.Require(core.EmailDomains("example.com")))
	admin.GET("/", func(c *echo.Context) error { return c.String(http.StatusOK, "hello administrator\n") })
	return e
}

func hello(c *echo.Context) error {
	name := "guest"
	if claims, ok := echo5access.Claims(c); ok {
		name = cmp.Or(claims.Email, claims.CommonName) // a service token has no email
	}
	return c.String(http.StatusOK, "hello "+name+"\n")
}
