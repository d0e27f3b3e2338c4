package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/echo5access"
	"github.com/cfaccess/cfaccess/echoaccess"
	"github.com/cfaccess/cfaccess/fiber3access"
	"github.com/cfaccess/cfaccess/fiberaccess"
	"github.com/cfaccess/cfaccess/ginaccess"
	"github.com/cfaccess/cfaccess/stdaccess"
)

// frameworks end with the servers that are processes.
var frameworks = [...]string{"std", "gin", "echo", "echo5", "fiber", "fiber3", "gate", "nginx"}

// start starts a server in front of a handler that answers who is asking.
func (s *soak) start(framework string, log *fetchLog) (addr string, stop func()) {
	if isGate(framework) {
		return s.serveGate(framework, log)
	}
	return serve(framework, newVerifier(s.team.URL, log))
}

// serve serves an adapter in front of a handler that answers who is asking.
func serve(framework string, v *core.Verifier) (addr string, stop func()) {
	var handler http.Handler
	switch framework {
	case "std":
		handler = stdaccess.New(v)(whoAmI)
	case "gin":
		gin.SetMode(gin.ReleaseMode)
		router := gin.New()
		router.Use(ginaccess.New(v))
		router.GET("/", gin.WrapH(whoAmI))
		handler = router
	case "echo":
		e := echo.New()
		e.Use(echoaccess.New(v))
		e.GET("/", echo.WrapHandler(whoAmI))
		handler = e
	case "echo5":
		e := echo5.New()
		e.Use(echo5access.New(v))
		e.GET("/", echo5.WrapHandler(whoAmI))
		handler = e
	case "fiber":
		app := fiber.New(fiber.Config{ReadBufferSize: 32 << 10, DisableStartupMessage: true})
		app.Use(fiberaccess.New(v))
		app.Get("/", func(c *fiber.Ctx) error { return c.SendString(identity(c.UserContext(), c.GetReqHeaders())) })
		l := httptest.NewUnstartedServer(nil).Listener
		go func() { _ = app.Listener(l) }() // clients see if it ends early
		return l.Addr().String(), func() { _ = app.Shutdown() }
	case "fiber3":
		app := fiber3.New(fiber3.Config{ReadBufferSize: 32 << 10})
		app.Use(fiber3access.New(v))
		app.Get("/", func(c fiber3.Ctx) error { return c.SendString(identity(c.Context(), c.GetReqHeaders())) })
		l := httptest.NewUnstartedServer(nil).Listener
		go func() { _ = app.Listener(l, fiber3.ListenConfig{DisableStartupMessage: true}) }()
		return l.Addr().String(), func() { _ = app.Shutdown() }
	}
	s := httptest.NewServer(handler)
	return s.Listener.Addr().String(), s.Close
}

var whoAmI = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, identity(r.Context(), r.Header)) // the client misses what isn't written
})

// identity describes the caller as a handler sees it.
func identity(ctx context.Context, header http.Header) string {
	claims, ok := core.FromContext(ctx)
	if !ok {
		return "nobody"
	}
	return describe(claims.Email+claims.CommonName, claims.Token(), emailsIn(header))
}

// emailsIn returns what all headers say that an application may take for
// core.EmailHeader.
func emailsIn(header http.Header) string {
	var emails []string
	for name, values := range header {
		if strings.EqualFold(strings.ReplaceAll(name, "_", "-"), core.EmailHeader) {
			emails = append(emails, values...)
		}
	}
	return strings.Join(emails, ",")
}

// describe returns a caller's name, the fingerprint of the token and the email
// that the headers name.
func describe(name, token, email string) string {
	return fmt.Sprintf("%s %x %s", name, sha256.Sum256([]byte(token)), email)
}

// newVerifier returns a verifier of the team at endpoint.
func newVerifier(endpoint string, log *fetchLog) *core.Verifier {
	v, err := core.New(core.Config{
		Team: teamName, Audiences: []string{aud}, Endpoint: endpoint,
		Leeway: leeway, RefreshInterval: refreshInterval, MaxStale: maxStale,
		RefetchCooldown: cooldown, FetchTimeout: fetchTimeout, TokenCacheBytes: 64 << 10,
		HTTPClient: &http.Client{Transport: log}, Hooks: core.Hooks{Fetched: log.fetched},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	return v
}
