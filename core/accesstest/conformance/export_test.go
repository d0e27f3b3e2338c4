package conformance

import (
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// RunSection is Run for the section that a subtest is in.
func RunSection(t *testing.T, team *accesstest.Team, subtest string, start func(*testing.T, App) string) {
	s := newSuite(t, team, start)
	for _, section := range sections {
		if name, _, _ := strings.Cut(subtest, "/"); name == section.name {
			t.Run(section.name, func(t *testing.T) { section.run(s, t) })
		}
	}
}
