package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// TestMain lets the test program be the server and the load generator that
// measureHTTP starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "serve" || os.Args[1] == "load") {
		main()
		return
	}
	os.Exit(m.Run())
}

func newTeam(t testing.TB) *accesstest.Team {
	t.Helper()
	team := accesstest.NewTeam(teamName)
	t.Cleanup(team.Close)
	return team
}

func TestArguments(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":      {[]string{"-fast"}, "not defined"},
		"unknown argument":  {[]string{"everything"}, "unknown argument"},
		"unknown framework": {[]string{"serve", "-framework", "martini"}, "unknown framework"},
		"nothing to send":   {[]string{"load", "127.0.0.1:1"}, "no tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			// The server must see its failure before its stdin ends.
			var stdin io.Reader = strings.NewReader("")
			if test.args[0] == "serve" {
				reader, writer := io.Pipe()
				defer writer.Close()
				stdin = reader
			}
			err := run(context.Background(), test.args, stdin, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if err := run(context.Background(), []string{"-h"}, nil, io.Discard, io.Discard); err != nil {
		t.Errorf("-h: %v", err)
	}
}
