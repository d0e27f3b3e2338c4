// Gin is a gin server behind Cloudflare Access:
//
//	TEAM_DOMAIN=https://acme.cloudflareaccess.com POLICY_AUD=<AUD tag> go run ./examples/gin
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

	"github.com/gin-gonic/gin"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/ginaccess"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	verifier, err := core.FromEnv(ctx)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: newRouter(verifier), ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(drain)
	})
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-stopped; err != nil {
		log.Fatal(err)
	}
}

// newRouter returns the whole server. Only the paths that SkipPaths names work
// without a token.
func newRouter(verifier *core.Verifier) *gin.Engine {
	router := gin.New()
	router.RedirectTrailingSlash = false // gin redirects before it runs any middleware
	router.Use(gin.Logger(), gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, cause any) {
		log.Println("panic:", cause)
		c.AbortWithStatus(http.StatusInternalServerError)
	}))
	router.Use(ginaccess.New(verifier, ginaccess.Config{Skipper: ginaccess.SkipPaths("/healthz", "/welcome")}))
	router.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	router.GET("/welcome", ginaccess.New(verifier, ginaccess.Config{Rule: core.Rule{Optional: true}}), hello)
	router.GET("/", hello)
	admin := router.Group("/admin", ginaccess.Require(core.EmailDomains("example.com")))
	admin.GET("/", func(c *gin.Context) { c.String(http.StatusOK, "hello administrator\n") })
	return router
}

func hello(c *gin.Context) {
	name := "guest"
	if claims, ok := ginaccess.Claims(c); ok {
		name = cmp.Or(claims.Email, claims.CommonName) // a service token has no email
	}
	c.String(http.StatusOK, "hello %s\n", name)
}
