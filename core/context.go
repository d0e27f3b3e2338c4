package core

import "context"

type contextKey struct{}

// frameworkKey is where the adapters of gin and fiber also store the claims:
// their own contexts are a context.Context that finds values by a string only.
const frameworkKey = "cfaccess"

// NewContext returns a copy of ctx that carries c. Adapters call it for every
// request that they admit, and put the copy where the users of their framework
// find a request's context. A test may call it to run a handler on its own.
func NewContext(ctx context.Context, c *Claims) context.Context {
	if c != nil && c.background != nil && ctx == context.Background() {
		return c.background // as in fiber: made once for each token
	}
	return context.WithValue(ctx, contextKey{}, c)
}

// FromContext returns the claims of the request's caller. It returns false without
// an adapter, and for an anonymous caller that [Rule].Optional admits. ctx may be
// a framework's own: *gin.Context, fiber v3's fiber.Ctx, *fasthttp.RequestCtx.
// Don't keep such a ctx: frameworks reuse it for the next caller's request.
func FromContext(ctx context.Context) (*Claims, bool) {
	c, _ := ctx.Value(contextKey{}).(*Claims)
	if c == nil {
		c, _ = ctx.Value(frameworkKey).(*Claims)
	}
	return c, c != nil
}
