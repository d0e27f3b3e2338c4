package core

import "context"

type contextKey struct{}

// frameworkKey is where the adapters of gin and fiber leave the claims as well:
// their own contexts are a context.Context that finds values by a string only.
const frameworkKey = "cfaccess"

// NewContext returns a copy of ctx that carries c. Adapters call it for every
// request that they let through, and put the copy where the users of their
// framework find a request's context; a test may, to try a handler on its own.
func NewContext(ctx context.Context, c *Claims) context.Context {
	if c != nil && c.background != nil && ctx == context.Background() {
		return c.background // as in fiber: made once for each token
	}
	return context.WithValue(ctx, contextKey{}, c)
}

// FromContext returns the claims of the request's caller. It is false behind no
// adapter, and for an anonymous caller that [Rule].Optional let in. ctx may be
// the framework's own context too: *gin.Context, fiber's *fasthttp.RequestCtx.
func FromContext(ctx context.Context) (*Claims, bool) {
	c, _ := ctx.Value(contextKey{}).(*Claims)
	if c == nil {
		c, _ = ctx.Value(frameworkKey).(*Claims)
	}
	return c, c != nil
}
