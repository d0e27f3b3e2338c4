package conformance_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core/accesstest/conformance"
)

// flawVariable names the flaw of the adapter that a child process tries.
const flawVariable = "CFACCESS_CONFORMANCE_FLAW"

// TestBrokenAdapters runs the suite on adapters that are broken on purpose. Each
// must fail the subtest made for it, in a process of its own, since the failure
// would be this test's otherwise.
func TestBrokenAdapters(t *testing.T) {
	if name := os.Getenv(flawVariable); name != "" {
		a := newAdapter()
		flaws()[name].breaks(a)
		conformance.Run(t, a.start)
		return
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, flaw := range flaws() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arguments := []string{"-test.run=^TestBrokenAdapters$", "-test.v", "-test.short", "-test.timeout=1m"}
			last := "/crowd ("
			if !strings.HasPrefix(flaw.fails[0], "crowd/") {
				// Nothing else takes as long as the crowd.
				arguments = append(arguments, "-test.skip=^TestBrokenAdapters$/^crowd$")
				last = "/handler ("
			}
			command := exec.CommandContext(t.Context(), executable, arguments...)
			// The race detector would sleep for a second at the end of each.
			command.Env = append(os.Environ(), flawVariable+"="+name, "GORACE=atexit_sleep_ms=0")
			output, err := command.CombinedOutput()
			if err == nil {
				t.Errorf("the suite passes; it must fail in %q", flaw.fails)
			}
			failed := failedSubtests(output)
			t.Logf("fails in %d subtests: %s", len(failed), strings.Join(failed, ", "))
			for _, want := range flaw.fails {
				if !slices.Contains(failed, strings.ReplaceAll(want, " ", "_")) {
					t.Errorf("the suite does not fail in %q", want)
				}
			}
			// A suite that gave up half-way would have said less than it can.
			if !bytes.Contains(output, []byte(last)) || bytes.Contains(output, []byte("DATA RACE")) {
				t.Errorf("the suite didn't run to its end:\n%s", output)
			}
		})
	}
}

// failedSubtests returns the innermost subtests that failed, by the names below
// that of the test.
func failedSubtests(output []byte) []string {
	var failed []string
	for _, match := range regexp.MustCompile(`(?m)^ *--- FAIL: TestBrokenAdapters/(\S+) \(`).FindAllSubmatch(output, -1) {
		failed = append(failed, string(match[1]))
	}
	slices.Sort(failed)
	return slices.DeleteFunc(slices.Clone(failed), func(name string) bool {
		return slices.ContainsFunc(failed, func(other string) bool { return strings.HasPrefix(other, name+"/") })
	})
}
