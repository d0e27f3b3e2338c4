package bench

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	fiber3 "github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v4"
	echo5 "github.com/labstack/echo/v5"
	"github.com/valyala/fasthttp"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/echo5access"
	"github.com/cfaccess/cfaccess/echoaccess"
	"github.com/cfaccess/cfaccess/fiber3access"
	"github.com/cfaccess/cfaccess/fiberaccess"
	"github.com/cfaccess/cfaccess/ginaccess"
	"github.com/cfaccess/cfaccess/scripts/peers"
	"github.com/cfaccess/cfaccess/stdaccess"
)

// What stands before the handler.
const (
	bare = "bare" // nothing
	// floor finds the token in a map and puts its claims where the framework's
	// users look for values. A middleware with a cache can't do less.
	floor     = "floor"
	protected = "protected" // the adapter
)

// BenchmarkHTTP measures one request, served in the process without a socket.
// Its token is in the cache, and it carries the email header as Access sends it.
func BenchmarkHTTP(b *testing.B) {
	s := newSite(b)
	for _, f := range frameworks {
		b.Run("framework="+f.name, func(b *testing.B) {
			for _, mw := range []string{bare, floor, protected} {
				b.Run("mw="+mw, func(b *testing.B) {
					serve := f.newServer(s, mw)(s.token)
					if status := serve(); status != http.StatusOK {
						b.Fatalf("got %d", status)
					}
					b.ReportAllocs()
					for b.Loop() {
						serve()
					}
				})
			}
		})
	}
}

// A server returns a function that serves a request with the token, and returns
// the status of the answer.
type server func(token string) func() int

var frameworks = []struct {
	name      string
	newServer func(s *site, mw string) server
}{{"std", newStd}, {"gin", newGin}, {"echo", newEcho}, {"echo5", newEcho5}, {"fiber", newFiber}, {"fiber3", newFiber3}}

// email is the address of the user who sends the request.
const email = "ada@example.com"

// A site is what the middleware needs to know.
type site struct {
	verifier *core.Verifier
	cache    map[string]*core.Claims
	token    string
}

func newSite(tb testing.TB) *site {
	tb.Helper()
	team := accesstest.NewTeam(peers.Team)
	tb.Cleanup(team.Close)
	verifier, err := peers.NewVerifier(peers.Site{URL: team.URL}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	token := team.SignUser(peers.Audience, email)
	return &site{verifier, newCache([]string{token}), token}
}

func newStd(s *site, mw string) server {
	type key struct{}
	handler := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	switch next := handler; mw {
	case floor:
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			claims := s.cache[r.Header.Get(core.TokenHeader)]
			if claims == nil {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, claims)))
		})
	case protected:
		handler = stdaccess.New(s.verifier)(handler)
	}
	return overNetHTTP(handler)
}

func newGin(s *site, mw string) server {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	switch mw {
	case floor:
		router.Use(func(c *gin.Context) {
			claims := s.cache[c.GetHeader(core.TokenHeader)]
			if claims == nil {
				c.AbortWithStatus(http.StatusUnauthorized)
				return
			}
			c.Set("claims", claims)
		})
	case protected:
		router.Use(ginaccess.New(s.verifier))
	}
	router.GET("/", func(*gin.Context) {})
	return overNetHTTP(router)
}

func newEcho(s *site, mw string) server {
	e := echo.New()
	switch mw {
	case floor:
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error {
				claims := s.cache[c.Request().Header.Get(core.TokenHeader)]
				if claims == nil {
					return echo.ErrUnauthorized
				}
				c.Set("claims", claims)
				return next(c)
			}
		})
	case protected:
		e.Use(echoaccess.New(s.verifier))
	}
	e.GET("/", func(echo.Context) error { return nil })
	return overNetHTTP(e)
}

func newEcho5(s *site, mw string) server {
	e := echo5.New()
	switch mw {
	case floor:
		e.Use(func(next echo5.HandlerFunc) echo5.HandlerFunc {
			return func(c *echo5.Context) error {
				claims := s.cache[c.Request().Header.Get(core.TokenHeader)]
				if claims == nil {
					return echo5.ErrUnauthorized
				}
				c.Set("claims", claims)
				return next(c)
			}
		})
	case protected:
		e.Use(echo5access.New(s.verifier))
	}
	e.GET("/", func(*echo5.Context) error { return nil })
	return overNetHTTP(e)
}

func newFiber(s *site, mw string) server {
	app := fiber.New()
	switch mw {
	case floor:
		app.Use(func(c *fiber.Ctx) error {
			claims := s.cache[c.Get(core.TokenHeader)]
			if claims == nil {
				return fiber.ErrUnauthorized
			}
			c.Locals("claims", claims)
			return c.Next()
		})
	case protected:
		app.Use(fiberaccess.New(s.verifier))
	}
	app.Get("/", func(*fiber.Ctx) error { return nil })
	return overFastHTTP(app.Handler())
}

func newFiber3(s *site, mw string) server {
	app := fiber3.New()
	switch mw {
	case floor:
		app.Use(func(c fiber3.Ctx) error {
			claims := s.cache[c.Get(core.TokenHeader)]
			if claims == nil {
				return fiber3.ErrUnauthorized
			}
			c.Locals("claims", claims)
			return c.Next()
		})
	case protected:
		app.Use(fiber3access.New(s.verifier))
	}
	app.Get("/", func(fiber3.Ctx) error { return nil })
	return overFastHTTP(app.Handler())
}

func overNetHTTP(handler http.Handler) server {
	return func(token string) func() int {
		// A server's request has a context of its own, and not Background.
		ctx := context.WithValue(context.Background(), http.LocalAddrContextKey, nil)
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
		for name, value := range header(token) {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		return func() int {
			handler.ServeHTTP(w, r)
			return w.Code
		}
	}
}

func overFastHTTP(handler fasthttp.RequestHandler) server {
	return func(token string) func() int {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod(fiber.MethodGet)
		ctx.Request.SetRequestURI("/")
		for name, value := range header(token) {
			ctx.Request.Header.Set(name, value)
		}
		return func() int {
			handler(&ctx)
			ctx.ResetUserValues() // as fasthttp does between two requests
			return ctx.Response.StatusCode()
		}
	}
}

// header returns the header of the request.
func header(token string) map[string]string {
	return map[string]string{
		"Accept": "text/html", "User-Agent": "benchmark", core.TokenHeader: token, core.EmailHeader: email,
	}
}

// TestHTTP checks that the floor and the adapter stand before the handler.
func TestHTTP(t *testing.T) {
	s := newSite(t)
	for _, f := range frameworks {
		for mw, unauthorized := range map[string]int{bare: http.StatusOK, floor: http.StatusUnauthorized, protected: http.StatusUnauthorized} {
			serve := f.newServer(s, mw)
			if status := serve(s.token)(); status != http.StatusOK {
				t.Errorf("%s, %s, good token: got %d", f.name, mw, status)
			}
			if status := serve("bad")(); status != unauthorized {
				t.Errorf("%s, %s, bad token: got %d, want %d", f.name, mw, status, unauthorized)
			}
		}
	}
}
