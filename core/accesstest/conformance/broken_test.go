package conformance_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
)

// TestBrokenAdapters runs the suite on adapters that are broken on purpose. Each
// must fail the subtest that is made for it. They run in a second process, since
// their failures would be this test's otherwise.
func TestBrokenAdapters(t *testing.T) {
	const variable = "CFACCESS_BROKEN_ADAPTERS"
	if os.Getenv(variable) != "" {
		team := accesstest.NewTeam("acme")
		t.Cleanup(team.Close)
		for name, flaw := range flaws {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a := newAdapter()
				flaw.breaks(a)
				conformance.RunSection(t, team, flaw.fails, a.start)
			})
		}
		return
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), executable, "-test.run=^TestBrokenAdapters$", "-test.v", "-test.short", "-test.timeout=2m")
	command.Env = append(os.Environ(), variable+"=1")
	output, err := command.CombinedOutput()
	if _, failed := err.(*exec.ExitError); !failed || strings.Contains(string(output), "DATA RACE") || strings.Contains(string(output), "panic: ") {
		t.Fatalf("the second process ended with %v:\n%s", err, output)
	}
	for name, flaw := range flaws {
		subtest := strings.ReplaceAll("TestBrokenAdapters/"+name+"/"+flaw.fails, " ", "_")
		if !strings.Contains(string(output), "--- FAIL: "+subtest+" (") {
			t.Errorf("an adapter that %s passes %q", name, flaw.fails)
		}
	}
	if t.Failed() {
		t.Logf("%s", output)
	}
}
