package main

import (
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/scripts/peers"
)

// A report is what everybody did in every situation.
type report struct {
	Command string
	Date    time.Time
	Columns []string // a library and its versions
	Rows    []row
}

// A row is one situation. A cell is what the library of its column did.
type row struct {
	Name   string
	Legend string
	Cells  []string
}

// markdown returns situations.md.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Situations\n\nWritten on %s by `%s`, which runs every verifier through every situation; changes by hand are lost. "+
		"Run it again when a version changes.\n\n", r.Date.Format(time.DateOnly), r.Command)
	fmt.Fprintf(&b, "| situation | %s |\n|%s\n", strings.Join(r.Columns, " | "), strings.Repeat(" --- |", len(r.Columns)+1))
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "| %s | %s |\n", row.Name, strings.Join(row.Cells, " | "))
	}
	fmt.Fprintf(&b, "\n%s\n\n", setting)
	for _, row := range r.Rows {
		if row.Legend != "" {
			fmt.Fprintf(&b, "- **%s**: %s\n", row.Name, row.Legend)
		}
	}
	return b.String()
}

// setting is what holds for all rows.
const setting = "Each cell is a verifier of its own, which has accepted a session of the team's before, unless it is a new process. " +
	"Each is set up as its own documentation has it, go-oidc as Cloudflare's sample for Go has it; golang-jwt is given those of its options that do what cfaccess does, " +
	"among them the one that requires an `exp`. Where a verifier fetched nothing and so could not know, the cell says: (no fetch)."

// heading returns the name of a library, each of its modules with the version
// that is linked into this program.
func heading(library peers.Library) string {
	var parts []string
	for _, module := range library.Modules {
		parts = append(parts, strings.TrimSpace(module.Name+" "+version(module.Path)))
	}
	return strings.Join(parts, " + ")
}

// version returns that of a module. What was built from the tree around it has
// none, and neither has anything in a program without build information.
func version(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dependency := range info.Deps {
		if dependency.Path == path && dependency.Replace == nil {
			return dependency.Version
		}
	}
	return ""
}
