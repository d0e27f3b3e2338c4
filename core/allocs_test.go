//go:build !race

package core_test

import (
	"net/http"
	"testing"

	"github.com/cfaccess/cfaccess/core"
)

// The race detector allocates too, so this file is built without it.

// A remembered token costs no allocation, from the header to the decision.
func TestAllocationsOfARememberedToken(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team, quiet)
	token := team.SignUser(testAudience, "ada@example.com")
	headers := http.Header{core.TokenHeader: {token}}
	rule := core.Rule{Policy: core.AllOf(core.Users(), core.Audience(testAudience))}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Verify":       func() error { _, err := v.Verify(t.Context(), token); return err },
		"Authenticate": func() error { _, err := v.Authenticate(t.Context(), headers); return err },
		"Admit":        func() error { _, err := v.Admit(t.Context(), headers, rule); return err },
	} {
		t.Run(name, func(t *testing.T) {
			allocations := testing.AllocsPerRun(1000, func() {
				if err := call(); err != nil {
					t.Fatal(err)
				}
			})
			if allocations != 0 {
				t.Errorf("%v allocations", allocations)
			}
		})
	}
}
