//go:build !race

package core_test

import (
	"net/http"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
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

// The tokens of one key have one header, and it is decoded once. A forged token
// shows the difference, since nothing else of it is remembered.
func TestAllocationsOfAHeaderReadBefore(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team, quiet)
	if err := v.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	forged := team.SignUser(testAudience, "eve@example.com", accesstest.SignedByStranger())
	allocations := func() float64 {
		return testing.AllocsPerRun(100, func() {
			if _, err := v.Verify(t.Context(), forged); err == nil {
				t.Fatal("a forged token was accepted")
			}
		})
	}
	before := allocations()
	if _, err := v.Verify(t.Context(), team.SignUser(testAudience, "ada@example.com")); err != nil {
		t.Fatal(err)
	}
	if after := allocations(); after >= before {
		t.Errorf("%v allocations once the header is known, %v before", after, before)
	}
}
