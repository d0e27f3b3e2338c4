// Echo is an echo server behind Cloudflare Access:
//
//	TEAM_DOMAIN=https://acme.cloudflareaccess.com POLICY_AUD=<AUD tag> go run ./examples/echo
package main

import (
	"cmp"
	"context"
	"errors"
	"log"
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	verifier, err := core.FromEnv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	e := newEcho(verifier)
	e.Server.ReadTimeout, e.Server.WriteTimeout = 5*time.Second, 30*time.Second
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- e.Shutdown(drain)
	})
	if err := e.Start("127.0.0.1:8080"); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-stopped; err != nil {
		log.Fatal(err)
	}
}

// newEcho returns the whole server. Only the paths that SkipPaths names work
// without a token.
func newEcho(verifier *core.Verifier) *echo.Echo {
	e := echo.New()
	e.Use(middleware.Recover())
	e.Use(echoaccess.New(verifier, echoaccess.Config{Skipper: echoaccess.SkipPaths("/healthz", "/welcome")}))
	e.GET("/healthz", func(c echo.Context) error { return c.String(http.StatusOK, "ok\n") })
	e.GET("/welcome", hello, echoaccess.New(verifier, echoaccess.Config{Rule: core.Rule{Optional: true}}))
	e.GET("/", hello)
	admin := e.Group("/admin", echoaccess.Require(core.EmailDomains("example.com")))
	admin.GET("/", func(c echo.Context) error { return c.String(http.StatusOK, "hello administrator\n") })
	return e
}

func hello(c echo.Context) error {
	name := "guest"
	if claims, ok := echoaccess.Claims(c); ok {
		name = cmp.Or(claims.Email, claims.CommonName) // a service token has no email
	}
	return c.String(http.StatusOK, "hello "+name+"\n")
}
