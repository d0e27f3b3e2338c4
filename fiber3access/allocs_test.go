//go:build !race

package fiber3access_test

import (
	"testing"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/fiber3access"
)

// The race detector allocates too, so this file is built without it.

// serve returns a call that serves one request with a cached token behind
// the middleware.
func serve(token string, middleware fiber.Handler) func() {
	app := fiber.New()
	app.Get("/", middleware, func(fiber.Ctx) error { return nil })
	handler := app.Handler()
	var request fasthttp.RequestCtx
	return func() {
		request.Request.Reset()
		request.Request.SetRequestURI("/")
		request.Request.Header.Set(core.TokenHeader, token)
		request.Request.Header.Set(core.EmailHeader, "ada@example.com") // as Access sends it
		request.ResetUserValues()
		handler(&request)
	}
}

func passThrough(c fiber.Ctx) error { return c.Next() }

// A protected request adds few allocations to one that passes through.
func TestAllocationsOfAProtectedRequest(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignUser(audience, "ada@example.com")
	bare := testing.AllocsPerRun(1000, serve(token, passThrough))
	protected := testing.AllocsPerRun(1000, serve(token, fiber3access.New(v)))
	if protected-bare > 1 {
		t.Errorf("%v allocations, and %v without protection: want at most 1 more", protected, bare)
	}
}

func BenchmarkRequest(b *testing.B) {
	v, team := newVerifier(b)
	token := team.SignUser(audience, "ada@example.com")
	for name, middleware := range map[string]fiber.Handler{
		"bare": passThrough, "protected": fiber3access.New(v),
	} {
		b.Run(name, func(b *testing.B) {
			call := serve(token, middleware)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}
