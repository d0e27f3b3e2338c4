package main

import (
	"bytes"
	"context"
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
		"gate":                                        "TEAM_DOMAIN and POLICY_AUD",
		"gate --team acme":                            "TEAM_DOMAIN and POLICY_AUD",
		"gate --team acme --aud x,y --aud 'z'":        "has quotes in it",
		"gate --team a.b --aud x":                     "Config.Team",
		"gate --team acme --aud x --upstream y":       "upstream",
		"gate --config good.yaml --team acme --aud x": "none of the others can be",
		"gate --config bad.yaml":                      "line 2: field foo not found",
		"gate --config none.yaml":                     "none.yaml",
		"gate x":                                      "unknown command",
		"gate check":                                  "accepts 1 arg",
		"gate check bad.yaml":                         "line 2: field foo not found",
		"gate check good.yaml":                        "",
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

func TestGateReadsTheEnvironment(t *testing.T) {
	tag := strings.Repeat("a", 64)
	t.Setenv("TEAM_DOMAIN", "https://acme.cloudflareaccess.com")
	for name, row := range map[string]struct{ tags, line, want string }{
		"no tag":             {"", "gate", "TEAM_DOMAIN and POLICY_AUD"},
		"a bad tag":          {tag + ", 'b'", "gate", "has quotes in it"},
		"spaces":             {tag + " " + strings.Repeat("b", 64), "gate --addr 127.0.0.1:0", ""},
		"commas":             {tag + ", " + strings.Repeat("b", 64), "gate --addr 127.0.0.1:0", ""},
		"flags decide then":  {"'b'", "gate --team a.b --aud " + tag, "Config.Team"},
		"one flag is enough": {"", "gate --addr 127.0.0.1:0 --aud " + tag, ""},
	} {
		t.Setenv("POLICY_AUD", row.tags)
		command := newCommand()
		command.SetErr(new(bytes.Buffer))
		command.SetArgs(strings.Fields(row.line))
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // it asks no team for keys, and ends without an error
		if err := command.ExecuteContext(ctx); (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
	}
}

func TestGateCheckWarns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(file, []byte("team: acme\napplications:\n  - hosts: [a]\n    audiences: [odd]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	if status := run(t.Context(), []string{"gate", "check", file}, nil, &output, &output); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if got := output.String(); strings.Count(got, "level=WARN") != 1 || !strings.Contains(got, "odd") {
		t.Errorf("output:\n%s\nwant one warning", got)
	}
}
