package main

import (
	"testing"

	"golang.org/x/mod/modfile"
)

func TestCheckVersion(t *testing.T) {
	for name, test := range map[string]struct {
		version string
		tagged  []string
		want    string
	}{
		"the first":           {"v0.1.0", nil, ""},
		"the next":            {"v0.10.0", []string{"v0.2.0", "v0.9.0"}, ""},
		"a candidate":         {"v1.0.0-rc.1", []string{"v0.9.0"}, ""},
		"after a candidate":   {"v1.0.0", []string{"v1.0.0-rc.1"}, ""},
		"no v":                {"0.1.0", nil, "no v in front"},
		"a word":              {"latest", nil, "not a version"},
		"nothing":             {"", nil, "not a version"},
		"two numbers":         {"v0.1", nil, "not a version"},
		"a leading zero":      {"v0.01.0", nil, "not a version"},
		"a build":             {"v0.1.0+linux", nil, "not a version"},
		"a pseudo-version":    {"v0.0.0-20250102030405-0123456789ab", nil, "pseudo-version"},
		"another major":       {"v2.0.0", []string{"v1.0.0"}, "end in /v2"},
		"the last":            {"v0.9.0", []string{"v0.2.0", "v0.9.0"}, "not newer than v0.9.0"},
		"older than the last": {"v0.3.0", []string{"v0.2.0", "v0.9.0"}, "not newer than v0.9.0"},
		"a late candidate":    {"v0.9.0-rc.2", []string{"v0.9.0"}, "not newer than v0.9.0"},
	} {
		t.Run(name, func(t *testing.T) { checkError(t, checkVersion(test.version, test.tagged), test.want) })
	}
}

func TestVersionOfTree(t *testing.T) {
	for name, test := range map[string]struct {
		gin, std string // the versions of core that they require
		tagged   []string
		want     string
		err      string
	}{
		"nothing is released":     {"v0.1.0", "v0.1.0", nil, "v0.1.0", ""},
		"nothing new is required": {"v0.1.0", "v0.1.0", []string{"v0.1.0"}, "v0.1.1-rehearsal", ""},
		"after a candidate":       {"v0.2.0-rc.1", "v0.2.0-rc.1", []string{"v0.2.0-rc.1"}, "v0.2.1-rehearsal", ""},
		"all require the next":    {"v0.2.0", "v0.2.0", []string{"v0.1.0"}, "v0.2.0", ""},
		"one requires the next":   {"v0.2.0", "v0.1.0", []string{"v0.1.0"}, "v0.2.0", ""},
		"one is behind":           {"v0.2.0", "v0.1.0", []string{"v0.1.0", "v0.2.0"}, "v0.2.1-rehearsal", ""},
		"one that was left out":   {"v0.1.5", "v0.2.0", []string{"v0.1.0", "v0.2.0"}, "", "not newer than v0.2.0"},
		"two that have no tag":    {"v0.2.0", "v0.3.0", []string{"v0.1.0"}, "", "all modules get one version"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &repository{prefix: "example.org/a"}
			for folder, version := range map[string]string{"ginaccess": test.gin, "stdaccess": test.std} {
				text := "module example.org/a/" + folder + "\n\nrequire example.org/a/core " + version + "\n"
				file, err := modfile.Parse("go.mod", []byte(text), nil)
				if err != nil {
					t.Fatal(err)
				}
				r.modules = append(r.modules, goModule{folder, file})
			}
			got, err := versionOfTree(r, map[string][]string{"core": test.tagged})
			checkError(t, err, test.err)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
