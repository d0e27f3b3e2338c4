package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/stdaccess"
)

func TestTable(t *testing.T) {
	anonymous := func(v *core.Verifier) http.Handler {
		return stdaccess.New(v, stdaccess.Config{Rule: core.Rule{Optional: true}})(http.HandlerFunc(hello))
	}
	for name, test := range map[string]struct {
		newHandler func(*core.Verifier) http.Handler
		passed     bool
		bad        []string // some of the rows with ✗
	}{
		"quickstart":    {newHandler, true, nil},
		"no middleware": {func(*core.Verifier) http.Handler { return http.HandlerFunc(hello) }, false, []string{"no token", "alg none", "key withdrawn"}},
		"all optional":  {anonymous, false, []string{"no token", "user whom a policy refuses"}},
	} {
		t.Run(name, func(t *testing.T) {
			team := accesstest.NewTeam("acme")
			defer team.Close()
			var output bytes.Buffer
			if err := printTable(&output, team, test.newHandler); (err == nil) != test.passed {
				t.Errorf("got error %v", err)
			}
			rows := slices.Collect(strings.Lines(output.String()))
			for _, bad := range test.bad {
				if !slices.ContainsFunc(rows, func(row string) bool { return strings.HasPrefix(row, bad) && strings.Contains(row, "✗") }) {
					t.Errorf("%s: no ✗", bad)
				}
			}
			if got := strings.Count(output.String(), "✗") > 0; got == test.passed {
				t.Errorf("got\n%s", &output)
			}
		})
	}
}

var curl = regexp.MustCompile(`(?m)^curl -i (?:-H "([^"]+): ([^"]+)" )?"http://acme\.example([^"]+)" +# (.+)$`)

// Each line that is printed gets the answer that is printed beside it.
func TestCommands(t *testing.T) {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	var output bytes.Buffer
	printCommands(&output, team, "acme.example")
	handler := newHandler(newVerifier(team, slog.New(slog.DiscardHandler)))
	variables := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^([A-Z]+)=(.+)$`).FindAllStringSubmatch(output.String(), -1) {
		variables[match[1]] = match[2]
	}
	lines := curl.FindAllStringSubmatch(output.String(), -1)
	if want := strings.Count(output.String(), "curl"); len(lines) != want {
		t.Errorf("%d of %d lines are understood", len(lines), want)
	}
	for _, line := range lines {
		s := &site{team: team, handler: handler}
		var header []string
		if line[1] != "" {
			header = []string{line[1], os.Expand(line[2], func(name string) string { return variables[name] })}
		}
		if got := get(line[3], header...)(s); got != line[4] {
			t.Errorf("got %s from %s", got, line[0])
		}
	}
}
