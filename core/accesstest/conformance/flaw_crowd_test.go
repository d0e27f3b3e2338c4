package conformance_test

import (
	"net/http"
	"sync"
	"unsafe"

	"github.com/cfaccess/cfaccess/core"
)

// crowdFlaws show when several callers come at once.
func crowdFlaws() map[string]flaw {
	return map[string]flaw{
		"keeps strings that are overwritten": {[]string{"crowd/forgeries"}, keepStrings},
		"keeps the caller of the last request": {[]string{"crowd/identities"}, func(a *adapter) {
			var mu sync.Mutex
			var last *core.Claims
			forward := a.forward
			a.forward = func(r *http.Request, c *core.Claims) *http.Request {
				mu.Lock()
				defer mu.Unlock()
				last = c
				return forward(r, c)
			}
			a.claims = func(*http.Request) (*core.Claims, bool) {
				mu.Lock()
				defer mu.Unlock()
				return last, last != nil
			}
		}},
	}
}

// keepStrings remembers verified tokens by the strings of its framework. Their
// memory is the connection's and used again for its next request, as fiber's is.
func keepStrings(a *adapter) {
	var (
		mu      sync.Mutex // guards what follows, and the memory of the strings
		buffers = map[string][]byte{}
		known   = map[string]*core.Claims{}
	)
	a.admit = func(r *http.Request, v *core.Verifier, rule core.Rule) (*core.Claims, error) {
		values := r.Header[core.TokenHeader]
		if len(values) != 1 || values[0] == "" || rule.Optional || rule.Policy != nil {
			return v.Admit(r.Context(), r.Header, rule)
		}
		mu.Lock()
		defer mu.Unlock()
		if buffers[r.RemoteAddr] == nil {
			buffers[r.RemoteAddr] = make([]byte, 16<<10)
		}
		buffer := buffers[r.RemoteAddr]
		token := unsafe.String(&buffer[0], copy(buffer, values[0]))
		if claims := known[token]; claims != nil {
			return claims, nil
		}
		claims, err := v.Admit(r.Context(), http.Header{core.TokenHeader: {token}}, rule)
		if err == nil {
			known[token] = claims
		}
		return claims, err
	}
}
