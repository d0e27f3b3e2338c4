//go:build !race

package fiberaccess_test

import (
	"testing"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/fiberaccess"
)

// A protected request with a cached token adds at most one allocation to one that
// passes through. The race detector allocates too, so this isn't built with it.
func TestAllocations(t *testing.T) {
	v, team := newVerifier(t)
	token := team.SignUser(audience, "ada@example.com")
	allocations := func(middleware fiber.Handler) float64 {
		app := fiber.New()
		app.Get("/", middleware, func(*fiber.Ctx) error { return nil })
		handler := app.Handler()
		var request fasthttp.RequestCtx
		return testing.AllocsPerRun(1000, func() {
			request.Request.Reset()
			request.Request.SetRequestURI("/")
			request.Request.Header.Set(core.TokenHeader, token)
			request.Request.Header.Set(core.EmailHeader, "ada@example.com") // as Access sends it
			request.ResetUserValues()
			handler(&request)
		})
	}
	bare := allocations(func(c *fiber.Ctx) error { return c.Next() })
	if protected := allocations(fiberaccess.New(v)); protected-bare > 1 {
		t.Errorf("%v allocations, and %v without protection: want at most 1 more", protected, bare)
	}
}
