// Package ginaccess protects gin handlers with Cloudflare Access.
//
//	router.Use(ginaccess.New(verifier))
//
// Use covers only the routes that are registered after it. Gin's Recovery can
// print request headers, in release mode too if a connection broke. It masks only
// Authorization, so the Access token gets into the log. Give it a nil writer and
// a function that logs, with gin.CustomRecoveryWithWriter, as examples/gin does.
package ginaccess

import (
	"github.com/gin-gonic/gin"

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
	Skipper gin.Skipper
	// ErrorHandler, if set, answers the requests that New or a Require behind
	// it refuses. If it writes nothing, core.Refuse's answer is sent. The error
	// is for the operator. The context is aborted before.
	ErrorHandler func(*gin.Context, error)
}

// The keys for the claims, and for New's ErrorHandler, which Require uses.
const (
	claimsKey       = "cfaccess"
	errorHandlerKey = "cfaccess.errorHandler"
)

// New returns the middleware that lets a request reach the handlers after it only
// if v and the Config admit its caller. Handlers find the claims with [Claims],
// under the key "cfaccess" in gin's context, and with core.FromContext in gin's
// and the request's context. A refusal is added to c.Errors as a *core.Refusal,
// whose text is fit for the client. Only the first Config is used. New panics if
// v is nil.
func New(v *core.Verifier, config ...Config) gin.HandlerFunc {
	if v == nil {
		panic("ginaccess: New: the Verifier is nil")
	}
	var cfg Config
	if len(config) > 0 {
		cfg = config[0]
	}
	return func(c *gin.Context) {
		received := c.Request
		// net/http removes the files of received.
		defer func() { received.MultipartForm = c.Request.MultipartForm }()
		if cfg.ErrorHandler != nil {
			c.Set(errorHandlerKey, cfg.ErrorHandler)
		}
		if cfg.Skipper != nil && cfg.Skipper(c) {
			c.Request = core.Forward(c.Request, nil)
			c.Next()
			return
		}
		claims, err := v.Admit(c.Request.Context(), c.Request.Header, cfg.Rule)
		c.Request = core.Forward(c.Request, claims)
		if err != nil {
			refuse(c, err)
			return
		}
		if claims != nil {
			c.Set(claimsKey, claims)
		}
		c.Next()
	}
}

// Require returns the middleware, for a route or group behind [New], that lets
// a caller pass only if every policy allows it. Without New before it, and
// for an anonymous caller, it answers 401. It panics if a policy is nil.
func Require(policies ...core.Policy) gin.HandlerFunc {
	policy := core.AllOf(policies...)
	return func(c *gin.Context) {
		if _, err := core.Require(c.Request.Context(), policy); err != nil {
			refuse(c, err)
		}
	}
}

// SkipPaths returns a Skipper for requests of exactly these paths, such as
// "/healthz", escapes included. It panics on a path without a leading slash, or
// with * or ? in it: a prefix in front of a file server would let
// /public/../secret pass.
func SkipPaths(paths ...string) gin.Skipper {
	skip := core.SkipPaths(paths...)
	return func(c *gin.Context) bool { return skip(c.Request.URL.EscapedPath()) }
}

// Claims returns the claims of the request's caller, or false if it is
// anonymous. You may keep the claims, but not c, which gin reuses.
func Claims(c *gin.Context) (*core.Claims, bool) {
	return core.FromContext(c.Request.Context())
}

func refuse(c *gin.Context, err error) {
	refusal := core.Refuse(err)
	// c.Error would take a *gin.Error out of a policy's error, and lose the rest.
	c.Errors = append(c.Errors, &gin.Error{Err: refusal, Type: gin.ErrorTypePrivate})
	c.Abort()
	if handle, ok := c.Value(errorHandlerKey).(func(*gin.Context, error)); ok {
		before := c.Writer.Status() // 200, and 404 where there is no route
		handle(c, err)
		if c.Writer.Written() || c.Writer.Status() != before {
			return
		}
	}
	refusal.ServeHTTP(c.Writer, c.Request)
}
