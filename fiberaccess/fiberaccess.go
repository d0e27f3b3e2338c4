// Package fiberaccess puts Cloudflare Access in front of fiber handlers.
//
//	app := fiber.New(fiber.Config{ReadBufferSize: 16 << 10})
//	app.Use(fiberaccess.New(verifier))
//
// Set ReadBufferSize: the token comes in a header and in a cookie, and fiber
// answers header blocks over 4 KiB with 431. Leave DisableHeaderNormalizing
// unset: with it, New answers 500. With StreamRequestBody it answers chunked
// bodies with 411, since their trailers become headers while they are read.
package fiberaccess

import (
	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/cfaccess/cfaccess/core"
)

// Config changes what [New] does. The zero value refuses every request without
// a good token and lets every verified caller pass.
type Config struct {
	// Rule says which callers pass.
	core.Rule
	// Next, if set, names the requests that pass unexamined, such as preflights.
	// They get no claims here, and a forged email header is removed; what an
	// outer New vouched for stays.
	Next func(*fiber.Ctx) bool
	// ErrorHandler, if set, answers the requests that New or a Require behind it
	// refuses. The error is a *fiber.Error with errors.As and core's error with
	// errors.Is; its text is safe to show. Return it for the app's ErrorHandler.
	ErrorHandler func(*fiber.Ctx, error) error
}

const claimsKey, errorHandlerKey = "cfaccess", "cfaccess.errorHandler" // in Locals

// New returns the middleware that lets only those callers reach the handlers
// after it whom v and the Config admit. Handlers find their claims with
// [Claims], under the key "cfaccess" in Locals, and with core.FromContext in
// the UserContext. Of several Configs the first counts. New panics if v is nil.
func New(v *core.Verifier, config ...Config) fiber.Handler {
	if v == nil {
		panic("fiberaccess: New: the Verifier is nil")
	}
	var cfg Config
	if len(config) > 0 {
		cfg = config[0]
	}
	return func(c *fiber.Ctx) error {
		if c.App().Config().DisableHeaderNormalizing {
			return fiber.ErrInternalServerError // headers in another spelling would go unseen
		}
		if c.Request().IsBodyStream() && c.Request().Header.ContentLength() < 0 {
			return fiber.ErrLengthRequired // a forged email header could come in a trailer
		}
		if cfg.ErrorHandler != nil {
			c.Locals(errorHandlerKey, cfg.ErrorHandler)
		}
		if cfg.Next != nil && cfg.Next(c) {
			return forward(c, nil)
		}
		claims, err := v.Admit(c.UserContext(), (*headers)(c), cfg.Rule)
		if err != nil {
			return refuse(c, err)
		}
		return forward(c, claims)
	}
}

// Require returns the middleware, for a route or group behind [New], that lets
// only those callers pass whom every policy allows. Without New before it, and
// for an anonymous caller, it answers 401. It panics if a policy is nil.
func Require(policies ...core.Policy) fiber.Handler {
	policy := core.AllOf(policies...)
	return func(c *fiber.Ctx) error {
		if _, err := core.Require(c.UserContext(), policy); err != nil {
			return refuse(c, err)
		}
		return c.Next()
	}
}

// Claims returns the caller's claims, or false if nobody was verified.
func Claims(c *fiber.Ctx) (*core.Claims, bool) { return core.FromContext(c.UserContext()) }

// headers are for core. The strings are fiber's: core copies what it keeps.
type headers fiber.Ctx

func (h *headers) Values(name string) (values []string) {
	for _, value := range (*fiber.Ctx)(h).Request().Header.PeekAll(name) {
		values = append(values, utils.UnsafeString(value))
	}
	return values
}

// forward is core.Forward in fiber's dress.
func forward(c *fiber.Ctx, claims *core.Claims) error {
	if claims != nil {
		c.Locals(claimsKey, claims)
		c.SetUserContext(core.NewContext(c.UserContext(), claims))
	}
	c.Request().Header.Del(core.EmailHeader)
	if caller, ok := Claims(c); ok && caller.Email != "" {
		c.Request().Header.Set(core.EmailHeader, caller.Email)
	}
	return c.Next()
}

func refuse(c *fiber.Ctx, err error) error {
	refusal := core.Refuse(err)
	if handle, ok := c.Locals(errorHandlerKey).(func(*fiber.Ctx, error) error); ok {
		return handle(c, &refusedError{fiber.NewError(refusal.Status, refusal.Detail), err})
	}
	for name, values := range refusal.Header() {
		c.Set(name, values[0])
	}
	return c.Status(refusal.Status).Send(refusal.Body())
}

// refusedError has a text for the client, and the cause.
type refusedError struct{ public, cause error }

func (e *refusedError) Error() string   { return e.public.Error() }
func (e *refusedError) Unwrap() []error { return []error{e.public, e.cause} }
