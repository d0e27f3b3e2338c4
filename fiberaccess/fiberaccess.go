// Package fiberaccess protects handlers of fiber v2 with Cloudflare Access.
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
	"bytes"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"

	"github.com/cfaccess/cfaccess/core"
)

// Config changes what [New] does. The zero value refuses every request without
// a good token and lets every verified caller pass.
type Config struct {
	// Rule says which callers pass.
	core.Rule
	// Next, if set, returns true for the requests that pass unchecked, such as
	// preflights. They get no claims here, and a forged email header is removed.
	// Claims of an outer New stay.
	Next func(*fiber.Ctx) bool
	// ErrorHandler, if set, answers the requests that New or a Require behind it
	// refuses. An empty 200 is replaced by the default answer. The error is a
	// *fiber.Error with errors.As and core's error with errors.Is. Its text is
	// safe to show. Return it for the app's ErrorHandler.
	ErrorHandler func(*fiber.Ctx, error) error
}

const claimsKey, errorHandlerKey = "cfaccess", "cfaccess.errorHandler" // in Locals

// New returns the middleware that lets a request reach the handlers after it only
// if v and the Config admit its caller. Handlers find the claims with [Claims],
// under the key "cfaccess" in Locals, and with core.FromContext in UserContext
// and Context. Only the first Config is used. New panics if v is nil.
func New(v *core.Verifier, config ...Config) fiber.Handler {
	if v == nil {
		panic("fiberaccess: New: the Verifier is nil")
	}
	var cfg Config
	if len(config) > 0 {
		cfg = config[0]
	}
	return func(c *fiber.Ctx) error {
		header := &c.Request().Header
		if len(header.Host()) > 0 && len(header.Peek("host")) == 0 { // a token in another spelling would be missed
			return fiber.NewError(fiber.StatusInternalServerError, "fiberaccess needs header names normalized: unset DisableHeaderNormalizing")
		}
		if c.Request().IsBodyStream() && header.ContentLength() < 0 {
			return fiber.ErrLengthRequired // a forged email header could come in a trailer
		}
		if cfg.ErrorHandler != nil {
			c.Locals(errorHandlerKey, cfg.ErrorHandler)
		}
		if cfg.Next != nil && cfg.Next(c) {
			forward(c, nil)
			return c.Next()
		}
		claims, err := v.Admit(c.UserContext(), (*headers)(c), cfg.Rule)
		forward(c, claims)
		if err != nil {
			return refuse(c, err)
		}
		return c.Next()
	}
}

// Require returns the middleware, for a route or group behind [New], that lets
// a caller pass only if every policy allows it. Without New before it, and
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

// SkipPaths returns a Next for requests of exactly these paths, such as
// "/healthz", escapes included. It panics on a path without a leading slash, or
// with * or ? in it: a prefix in front of a file server would let
// /public/../secret pass.
func SkipPaths(paths ...string) func(*fiber.Ctx) bool {
	skip := core.SkipPaths(paths...)
	return func(c *fiber.Ctx) bool { return skip(utils.UnsafeString(c.Request().URI().PathOriginal())) }
}

// Claims returns the caller's claims, or false for an anonymous caller.
func Claims(c *fiber.Ctx) (*core.Claims, bool) { return core.FromContext(c.UserContext()) }

// headers implements core.Headers. The strings are fiber's: core copies what it keeps.
type headers fiber.Ctx

func (h *headers) Values(name string) (values []string) {
	for _, value := range (*fiber.Ctx)(h).Request().Header.PeekAll(name) {
		values = append(values, utils.UnsafeString(value))
	}
	return values
}

// forward does to fiber's request what core.Forward does to net/http's.
func forward(c *fiber.Ctx, claims *core.Claims) {
	if claims != nil {
		c.Locals(claimsKey, claims)
		c.SetUserContext(core.NewContext(c.UserContext(), claims))
	}
	var email string
	if caller, ok := Claims(c); ok {
		email = caller.Email
	}
	header, sent := &c.Request().Header, 0
	for _, name := range header.PeekKeys() {
		if string(name) == core.EmailHeader || core.IsEmailHeader(utils.UnsafeString(name)) {
			sent++
		}
	}
	if isRight := sent == 0 && email == "" || sent == 1 && email != "" && string(header.Peek(core.EmailHeader)) == email; !isRight {
		for _, name := range header.PeekKeys() {
			if name := utils.UnsafeString(name); core.IsEmailHeader(name) {
				header.Del(name)
			}
		}
		if email != "" {
			header.Set(core.EmailHeader, email)
		}
	}
	if header.ConnectionClose() {
		header.ResetConnectionClose() // deletes other lines, which PeekAll doesn't return
		header.SetConnectionClose()
	}
	for _, field := range []string{fiber.HeaderConnection, fiber.HeaderTrailer} { // a reverse proxy drops what these name
		if lines := header.PeekAll(field); slices.ContainsFunc(lines, func(line []byte) bool { return len(line) >= len(core.EmailHeader) }) {
			names := strings.Split(string(bytes.Join(lines, []byte(","))), ",")
			header.Del(field)
			header.Set(field, strings.Join(slices.DeleteFunc(names, core.IsEmailHeader), ","))
		}
	}
}

func refuse(c *fiber.Ctx, err error) error {
	refusal := core.Refuse(err)
	if handle, ok := c.Locals(errorHandlerKey).(func(*fiber.Ctx, error) error); ok {
		err := handle(c, &refusedError{fiber.NewError(refusal.Status, refusal.Detail), refusal})
		if err != nil || c.Response().StatusCode() != fiber.StatusOK || len(c.Response().Body()) > 0 || c.Response().IsBodyStream() {
			return err
		}
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
