package main

import (
	"fmt"
	"strings"
)

// describeOutcome is all that is needed to understand one token, and not the
// token itself.
func describeOutcome(o *outcome, seed uint64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, number %d: %d bytes, remembering %t\n", seed, o.number, len(o.token), o.memory)
	fmt.Fprintf(&b, "  mutations: %s\n", describe(o.done))
	header, claims := o.reading.headerText, o.reading.claimsText
	fmt.Fprintf(&b, "  header:    %.300s\n  claims:    %.600s\n", printable(header), printable(claims))
	fmt.Fprintf(&b, "  the rules: %v\n", o.broken)
	fmt.Fprintf(&b, "  cfaccess:  %s\n", verdictOf(o.ours))
	for i, name := range peers {
		fmt.Fprintf(&b, "  %-10s %s\n", name+":", verdictOf(o.peers[i]))
	}
	return b.String()
}

func verdictOf(err error) string {
	if err == nil {
		return "accepted"
	}
	return fmt.Sprintf("refused: %.200s", printable(err.Error()))
}

// printable escapes what would disturb a terminal.
func printable(text string) string {
	return strings.Trim(fmt.Sprintf("%+q", text), `"`)
}
