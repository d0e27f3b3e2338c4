// Package echoaccess protects handlers of echo v4 with Cloudflare Access.
//
//	e.Use(echoaccess.New(verifier))
//
// On a group, call Use before the group's routes are added: it doesn't cover
// those that are there already.
package echoaccess

import (
	"maps"

	"github.com/labstack/echo/v4"

	"github.com/cfaccess/cfaccess/core"
)

// Config changes what [New] does. The zero value refuses every request without
// a good token and lets every verified caller pass.
type Config struct {
	// Rule says which callers pass.
	core.Rule
	// Skipper, if set, returns true for the requests that pass unchecked,
	// such as preflights and health checks. They get no claims here, and a forged
	// email header is removed. Claims of an outer New stay.
	Skipper func(echo.Context) bool
	// ErrorHandler, if set, answers the requests that New or a Require behind
	// it refuses, or returns an error for echo's HTTPErrorHandler. If it does
	// neither, the default refusal is returned. The error is that refusal, an
	// *echo.HTTPError whose text is safe to show.
	ErrorHandler func(echo.Context, error) error
}

// The keys for the claims, and for New's ErrorHandler, which Require uses.
const (
	claimsKey       = "cfaccess"
	errorHandlerKey = "cfaccess.errorHandler"
)

// New returns the middleware that lets a request reach the handler only if v and
// the Config admit its caller. The handler finds the claims with [Claims], under
// the key "cfaccess" in echo's context, and with core.FromContext in the
// request's. Only the first Config is used. New panics if v is nil.
//
// A refusal is returned as an *echo.HTTPError whose Message and Internal are a
// *core.Refusal, and which matches core's error with errors.Is. The headers of
// the answer are set before: an HTTPErrorHandler that sends another kind of
// body deletes Content-Type first, since echo keeps one that is there.
func New(v *core.Verifier, config ...Config) echo.MiddlewareFunc {
	if v == nil {
		panic("echoaccess: New: the Verifier is nil")
	}
	var cfg Config
	if len(config) > 0 {
		cfg = config[0]
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			received := c.Request()
			// net/http removes the files of received.
			defer func() { received.MultipartForm = c.Request().MultipartForm }()
			if cfg.ErrorHandler != nil {
				c.Set(errorHandlerKey, cfg.ErrorHandler)
			}
			if cfg.Skipper != nil && cfg.Skipper(c) {
				c.SetRequest(core.Forward(c.Request(), nil))
				return next(c)
			}
			claims, err := v.Admit(c.Request().Context(), c.Request().Header, cfg.Rule)
			c.SetRequest(core.Forward(c.Request(), claims))
			if err != nil {
				return refuse(c, err)
			}
			if claims != nil {
				c.Set(claimsKey, claims)
			}
			return next(c)
		}
	}
}

// Require returns the middleware, for a route or group behind [New], that lets
// a caller pass only if every policy allows it. Without New before it, and
// for an anonymous caller, it refuses with 401. It panics if a policy is nil.
func Require(policies ...core.Policy) echo.MiddlewareFunc {
	policy := core.AllOf(policies...)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if _, err := core.Require(c.Request().Context(), policy); err != nil {
				return refuse(c, err)
			}
			return next(c)
		}
	}
}

// SkipPaths returns a Skipper for requests of exactly these paths, such as
// "/healthz", escapes included. It panics on a path without a leading slash, or
// with * or ? in it: a prefix in front of a file server would let
// /public/../secret pass.
func SkipPaths(paths ...string) func(echo.Context) bool {
	skip := core.SkipPaths(paths...)
	return func(c echo.Context) bool { return skip(c.Request().URL.EscapedPath()) }
}

// Claims returns the claims of the request's caller, or false if it is
// anonymous. You may keep the claims, but not c, which echo reuses.
func Claims(c echo.Context) (*core.Claims, bool) {
	return core.FromContext(c.Request().Context())
}

func refuse(c echo.Context, err error) error {
	refusal := core.Refuse(err)
	// The outermost error, and a new one each time: echo's default handler
	// looks for it with a type assertion, and SetInternal would be a race.
	public := &echo.HTTPError{Code: refusal.Status, Message: refusal, Internal: refusal}
	if handle, ok := c.Get(errorHandlerKey).(func(echo.Context, error) error); ok {
		if err := handle(c, public); c.Response().Committed || err != nil && err != error(public) {
			return err
		}
	}
	maps.Copy(c.Response().Header(), refusal.Header())
	return public
}
