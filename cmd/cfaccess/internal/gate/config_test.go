package gate

import (
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// good is a file without mistakes. Rows of the tests replace a line, or add some.
var good = `team: acme
applications:
  - hosts: [a.example.com]
    audiences: [` + aud + `]
    rules:
      - path: /one
        public: true
      - prefix: /two
        methods: [GET, POST]
        emails: [a@example.com]
`

func TestMistakes(t *testing.T) {
	line := func(n int, text string) string {
		lines := strings.Split(good, "\n")
		lines[n-1] = text
		return strings.Join(lines, "\n")
	}
	for name, row := range map[string]struct {
		content string
		want    string // of the error, with the line; "": none
	}{
		"none":                       {good, ""},
		"flow style and an alias":    {line(4, "    audiences: &tags ["+aud+"]\n    upstream: http://127.0.0.1:1") + "  - {hosts: [b.example.com], audiences: *tags, upstream: 'http://127.0.0.1:1'}\n", ""},
		"not YAML":                   {line(3, "\t- x"), "gate.yaml: yaml: line 3: "},
		"another type":               {"- x\n", "line 1: cannot unmarshal"},
		"an empty file":              {"", "gate.yaml:1: empty: "},
		"two documents":              {good + "---\nteam: b\n", "gate.yaml:1: there is more than one document"},
		"an unknown key":             {good + "upstreams: x\n", "line 11: field upstreams not found"},
		"an unknown key of a rule":   {line(7, "        publik: true"), "line 7: field publik not found"},
		"a key twice":                {good + "team: b\n", `line 11: mapping key "team" already defined`},
		"a bad team":                 {line(1, "team: a.b.c"), `gate.yaml:1: Config.Team: "a.b.c"`},
		"no team":                    {line(1, ""), "Config.Team"},
		"a bad endpoint":             {line(1, "team: acme\nendpoint: http://example.com"), "gate.yaml:2: Config.Endpoint"},
		"a bad family":               {line(1, "team: acme\nidentity_headers: [remote,\n  x-remote]"), `gate.yaml:3: "x-remote" is not one of`},
		"no applications":            {"team: acme\n", "gate.yaml:1: applications are missing"},
		"no hosts":                   {line(3, "  - upstream: http://127.0.0.1:1"), "gate.yaml:3: an application needs hosts and audiences"},
		"no audiences":               {line(4, ""), "gate.yaml:3: an application needs hosts and audiences"},
		"a bad AUD tag":              {line(4, "    audiences:\n      - "+aud+"\n      - 6f2b9c5e-0000-0000-0000-000000000000"), "gate.yaml:6: Config.Audiences[0]:"},
		"a host twice":               {good + "  - hosts: [b.example.com, A.example.com]\n    audiences: [" + aud + "]\n", `gate.yaml:11: the host "A.example.com" comes twice`},
		"any host and others":        {line(3, "  - hosts: ['*', a.example.com]"), `gate.yaml:3: the host "*" has to be the only one`},
		"any host alone":             {line(3, "  - hosts: ['*']"), ""},
		"a wildcard":                 {line(3, "  - hosts: ['*.example.com']"), `gate.yaml:3: "*.example.com" is neither`},
		"a host with a port":         {line(3, "  - hosts: [a.example.com:80]"), "gate.yaml:3: "},
		"a bad upstream":             {line(4, "    audiences: ["+aud+"]\n    upstream: 127.0.0.1:80"), "gate.yaml:5: "},
		"some have an upstream":      {good + "  - hosts: [b.example.com]\n    audiences: [" + aud + "]\n    upstream: http://127.0.0.1:1\n", "gate.yaml:13: either all applications have an upstream"},
		"a rule without a path":      {line(6, "      - methods: [GET]"), "gate.yaml:6: a rule needs either path or prefix"},
		"a rule with both":           {line(6, "      - path: /one\n        prefix: /x"), "gate.yaml:6: a rule needs either path or prefix"},
		"a relative path":            {line(6, "      - path: one"), `gate.yaml:6: "one" is not a path in normal form`},
		"a path not in normal form":  {line(6, "      - path: /a/../one"), "gate.yaml:6: "},
		"a path with a query":        {line(6, "      - path: /one?x"), "gate.yaml:6: "},
		"a prefix in normal form":    {line(8, "      - prefix: /%74wo"), "gate.yaml:8: "},
		"a method in lower case":     {line(9, "        methods: [GET,\n          post]"), `gate.yaml:10: "post" is not a method`},
		"no methods":                 {line(9, "        methods: []"), "gate.yaml:9: empty: applications.0.rules.1.methods"},
		"null methods":               {line(9, "        methods:"), "gate.yaml:9: empty: applications.0.rules.1.methods"},
		"methods that are null":      {line(9, "        methods: null"), "gate.yaml:9: empty: applications.0.rules.1.methods"},
		"methods that are ~":         {line(9, "        methods: ~"), "gate.yaml:9: empty: applications.0.rules.1.methods"},
		"an alias of null":           {line(9, "        methods: &none ~\n        groups: *none"), "gate.yaml:10: empty: applications.0.rules.1.groups"},
		"a merged rule":              {good + "      - &api {prefix: /x, emails: [a]}\n      - {<<: *api, prefix: /y//}\n", "gate.yaml:12: \"/y//\""},
		"a value within itself":      {strings.Replace(line(3, "  - &a\n    hosts: [a.example.com]"), "    rules:", "    <<: {hosts: *a}\n    rules:", 1), ""},
		"an empty entry":             {line(10, "        emails: ['']"), "gate.yaml:10: empty: applications.0.rules.1.emails.0"},
		"no rules":                   {strings.Split(good, "    rules:")[0] + "    rules: []\n", "gate.yaml:5: empty: applications.0.rules"},
		"public and a policy":        {line(7, "        public: true\n        groups: [x]"), "gate.yaml:6: a rule needs either public: true"},
		"without effect":             {line(7, ""), "gate.yaml:6: a rule needs either public: true"},
		"public false":               {line(7, "        public: false"), "gate.yaml:6: a rule needs either public: true"},
		"a boolean that isn't":       {line(7, "        public: maybe"), "line 7: cannot unmarshal !!str `maybe`"},
		"covered by the same path":   {good + "      - path: /one\n        public: true\n", "gate.yaml:11: this rule never matches, since rule 1"},
		"covered by a wider prefix":  {good + "      - path: /two/x\n        methods: [POST]\n        public: true\n", "gate.yaml:11: this rule never matches, since rule 2"},
		"covered with HEAD":          {good + "      - path: /two/x\n        methods: [HEAD]\n        public: true\n", "gate.yaml:11: this rule never matches"},
		"covered in another case":    {good + "      - path: /TWO\n        methods: [GET]\n        public: true\n", "gate.yaml:11: this rule never matches"},
		"not covered: more methods":  {good + "      - path: /two/x\n        public: true\n", ""},
		"not covered: a prefix":      {good + "      - prefix: /one\n        public: true\n", ""},
		"not covered: longer name":   {good + "      - prefix: /twofold\n        public: true\n", ""},
		"not covered: wider":         {good + "      - prefix: /\n        countries: [NO]\n", ""},
		"covered by the root prefix": {line(6, "      - prefix: /"), "gate.yaml:8: this rule never matches, since rule 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse("gate.yaml", []byte(row.content), slog.New(slog.DiscardHandler))
			switch {
			case err == nil && row.want != "":
				t.Errorf("no mistake, want %s", row.want)
			case err != nil && (row.want == "" || !strings.Contains("\n"+err.Error(), row.want)):
				t.Errorf("%v\nwant %s", err, row.want)
			case err != nil && strings.Contains(err.Error(), "gate.Config"):
				t.Errorf("%v: names a type of Go", err)
			}
		})
	}
}

func TestEveryMistakeIsReported(t *testing.T) {
	for content, want := range map[string][]string{
		"team: a.b\n\napplications:\n  - hosts: [x:1]\n    rules:\n      - path: a\n      - path: b\n": {"1", "4", "4", "6", "6", "7", "7"},
		"foo: 1\nteam: a.b\nbar: 2\n": {"1", "3"}, // those in YAML alone
	} {
		_, err := parse("f", []byte(content), slog.New(slog.DiscardHandler))
		var lines []string
		for _, match := range regexp.MustCompile(`(?m)^(?:f:|  line )(\d+): `).FindAllStringSubmatch(err.Error(), -1) {
			lines = append(lines, match[1])
		}
		if slices.Sort(lines); !slices.Equal(lines, want) {
			t.Errorf("mistakes in lines %v, want %v:\n%v", lines, want, err)
		}
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate.yaml")
	if _, err := Load(path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("team: a.b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, nil); err == nil || !strings.Contains(err.Error(), path+":1: ") {
		t.Errorf("a bad file: %v", err)
	}
}

func TestSingle(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	if _, err := Single("acme", "", []string{"a b"}, logger); err == nil || !strings.HasPrefix(err.Error(), "Config.Audiences[0]: ") {
		t.Errorf("a bad AUD tag: %v", err)
	}
	c, err := Single("acme", "http://127.0.0.1:1", []string{aud}, logger)
	if err != nil || !c.isProxy() || c.application("any.example.com:80") == nil {
		t.Errorf("%+v, %v", c, err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(good)
	f.Add("a: &a [*a]\napplications: *a\n")
	f.Add("applications: [{rules: [null, {}]}, null]\n")
	f.Add("applications: &a [*a]\n")
	f.Add("team: acme\napplications:\n- &a\n  hosts: [x]\n  audiences: [a]\n  <<: {hosts: *a}\n")
	f.Add("? [applications]\n: x\n")
	f.Fuzz(func(t *testing.T, content string) {
		config, err := parse("f", []byte(content), slog.New(slog.DiscardHandler))
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\nf:") {
				if !regexp.MustCompile(`^(f:)?[1-9]\d*: |^f: yaml: `).MatchString(line) {
					t.Errorf("no line in %q", line)
				}
			}
			return
		}
		for _, a := range config.Applications {
			if len(a.Hosts) == 0 || len(a.Audiences) == 0 || (a.proxy == nil) == config.isProxy() {
				t.Errorf("an application that can't serve: %+v", a)
			}
			for _, r := range a.Rules {
				if r.path == "" || r.Public == (r.policy != nil) || !r.matches(append(r.Methods, "GET")[0], r.path) {
					t.Errorf("a rule without effect: %+v", r)
				}
			}
		}
	})
}
