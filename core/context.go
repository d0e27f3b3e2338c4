package core

import (
	"context"
	"net/http"
)

type contextKey struct{}

// NewContext returns a copy of ctx that carries c. Adapters call it for every
// request that they let through, and put the copy where the users of their
// framework find a request's context; a test may, to try a handler on its own.
func NewContext(ctx context.Context, c *Claims) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// FromContext returns the claims of the request's caller. It is false below no
// adapter, and for an anonymous caller that [Rule].Optional let in. It works
// the same below each of the adapters.
func FromContext(ctx context.Context) (*Claims, bool) {
	c, _ := ctx.Value(contextKey{}).(*Claims)
	return c, c != nil
}

// Forward returns r as the handler behind the verifier is to see it: with c in
// its context, and with [EmailHeader] overwritten by the verified email, or
// removed where there is none. The header, which may not be nil, is changed in
// place.
//
// A nil c stands for a request that nobody vouches for. Claims that an outer
// middleware put into its context stay, and so does their email.
func Forward(r *http.Request, c *Claims) *http.Request {
	if c != nil {
		r = r.WithContext(NewContext(r.Context(), c))
	} else {
		c, _ = FromContext(r.Context())
	}
	if c == nil || c.Email == "" {
		delete(r.Header, EmailHeader)
	} else if sent := r.Header[EmailHeader]; len(sent) != 1 || sent[0] != c.Email {
		r.Header[EmailHeader] = []string{c.Email}
	}
	return r
}
