package caddyaccess

import "github.com/cfaccess/cfaccess/core"

// NewHandler returns a Handler as Provision leaves it, with a verifier and a rule
// that no configuration could describe.
func NewHandler(v *core.Verifier, rule core.Rule, skips func(string) bool) *Handler {
	return &Handler{verifier: v, rule: rule, skips: skips}
}

// Pooled returns the number of handlers that use a verifier in the pool.
func Pooled() (handlers int) {
	verifiers.Range(func(key, _ any) bool {
		n, _ := verifiers.References(key)
		handlers += n
		return true
	})
	return handlers
}
