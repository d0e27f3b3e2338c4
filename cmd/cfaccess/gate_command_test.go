package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGateRefusesTheCommandLine(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"bad.yaml": "team: a.b\nfoo: 1\n", "good.yaml": "team: acme\napplications:\n  - hosts: [a]\n    audiences: [" + strings.Repeat("a", 64) + "]\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(folder)
	t.Setenv("TEAM_DOMAIN", "")
	t.Setenv("POLICY_AUD", "")
	for line, want := range map[string]string{ // "": exit status 0
		"gate":                                    "TEAM_DOMAIN and POLICY_AUD",
		"gate --team acme":                        "TEAM_DOMAIN and POLICY_AUD",
		"gate --team acme --aud x,y --aud 'z'":    "has quotes in it",
		"gate --team a.b --aud x":                 "Config.Team",
		"gate --team acme --aud x --upstream y":   "upstream",
		"gate --config good.yaml --team acme":     "none of the others can be",
		"gate --config bad.yaml":                  "bad.yaml:2: ",
		"gate --config none.yaml":                 "none.yaml",
		"gate --team acme --aud x --log-format y": "want text or json",
		"gate x":               "unknown command",
		"gate check":           "accepts 1 arg",
		"gate check bad.yaml":  "bad.yaml:1: ",
		"gate check good.yaml": "",
	} {
		command := newCommand()
		var output bytes.Buffer
		command.SetErr(&output)
		command.SetArgs(strings.Fields(line))
		err := command.ExecuteContext(t.Context())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(output.String()+err.Error(), want) {
			t.Errorf("cfaccess %s: %v\n%swant %q", line, err, &output, want)
		}
	}
}
