package main

import (
	"context"
	"fmt"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

func oneToken(options ...accesstest.Option) func(context.Context, *scene) string {
	return func(ctx context.Context, s *scene) string { return verdict(s.accepts(ctx, s.sign(options...))) }
}

// respelled tries every last character that a signature could have. 2048 bits
// are two short of filling 342 characters' first 341, so the last has six bits
// of which four mean nothing.
func respelled(ctx context.Context, s *scene) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" // RFC 4648, section 5
	spellings := 0
	for _, last := range alphabet {
		if s.accepts(ctx, s.session[:len(s.session)-1]+string(last)) {
			spellings++
		}
	}
	if spellings == 1 {
		return "refused"
	}
	return fmt.Sprintf("accepted: %d spellings", spellings)
}
