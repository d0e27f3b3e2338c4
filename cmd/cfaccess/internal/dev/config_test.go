package dev

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var flags = Options{Addr: "127.0.0.1:8000", Session: time.Hour}

// The documented file names every field.
func TestDocumentedFile(t *testing.T) {
	o := flags
	o.Config = filepath.Join("testdata", "dev.yaml")
	c, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	if !c.AllowPreflight || len(c.People) != 2 || len(c.Services) != 1 || len(c.Applications) != 2 {
		t.Fatalf("read %+v", c)
	}
	for _, entry := range []any{c.People[0], c.Services[0], c.Applications[0]} {
		for value, i := reflect.ValueOf(entry), 0; i < value.NumField(); i++ {
			if value.Field(i).IsZero() {
				t.Errorf("%T.%s isn't in it", entry, value.Type().Field(i).Name)
			}
		}
	}
	want := site{Name: "admin", Upstream: "http://127.0.0.1:3001", Addr: "127.0.0.1:8001", Session: time.Hour, Audience: c.Applications[1].Audience}
	if !reflect.DeepEqual(c.Applications[1], want) || !audienceForm.MatchString(want.Audience) {
		t.Errorf("defaults: %+v", c.Applications[1])
	}
}

func TestAudienceIsStable(t *testing.T) {
	o := flags
	o.Upstream = "http://127.0.0.1:3000"
	c, err := load(o)
	if want := "709ae478bd230662ea2b4724a209ec585391d84724ac83e73f7f7042278bf51a"; err != nil || c.Applications[0].Audience != want {
		t.Errorf("%+v, %v, want %s", c.Applications, err, want)
	}
	o.Audience = audience
	if c, err = load(o); err != nil || c.Applications[0].Audience != audience {
		t.Errorf("--aud: %+v, %v", c.Applications, err)
	}
}

// Each file is wrong in the line of the comment.
func TestBadFiles(t *testing.T) {
	const app = "applications:\n- {upstream: http://127.0.0.1:1}\n"
	for name, test := range map[string]struct{ content, want string }{
		"an unknown key":             {app + "peple: []\n", "dev.yaml:3: field peple not found"},
		"an unknown key of a person": {app + "people:\n- email: a@b.c\n  group: [x]\n", "dev.yaml:5: field group not found"},
		"a duration":                 {"applications:\n- upstream: http://x\n  session: abc\n", "dev.yaml:3: cannot unmarshal"},
		"a duration without a unit":  {"applications:\n- upstream: http://x\n  session: 24\n", "dev.yaml:3: cannot unmarshal"},
		"not YAML":                   {app + "people: [\n", "dev.yaml:3: "},
		"a key twice":                {app + app, "dev.yaml:3: "},
		"two mistakes":               {app + "a: 1\nb: 1\n", "dev.yaml:4: field b"},
		"no upstream":                {"applications:\n- name: x\n", "dev.yaml:2: upstream is missing"},
		"an audience":                {"applications:\n- {upstream: http://x, audience: ABC}\n", "dev.yaml:2: audience is not an AUD tag"},
		"an address":                 {"applications:\n- {upstream: http://x, addr: 0.0.0.0:80}\n", "dev.yaml:2: addr is not on loopback"},
		"an address without a host":  {"applications:\n- {upstream: http://x, addr: ':80'}\n", "dev.yaml:2: addr is not on loopback"},
		"a host with a port":         {"applications:\n- {upstream: http://x, host: 'x:80'}\n", "dev.yaml:2: host is not a"},
		"a short session":            {"applications:\n- {upstream: http://x, session: 1ms}\n", "dev.yaml:2: session is less"},
		"a bypass without a slash":   {"applications:\n- {upstream: http://x, bypass: [/a, b]}\n", "dev.yaml:2: bypass has b"},
		"a bypass with a wildcard":   {"applications:\n- {upstream: http://x, bypass: [/a/*]}\n", "dev.yaml:2: bypass has /a/*"},
		"a name twice":               {app + "- {upstream: http://x, host: x}\n", "dev.yaml:3: name is the same"},
		"an audience twice":          {"applications:\n- {upstream: http://x, audience: " + audience + "}\n- {upstream: http://x, name: y, host: y, audience: " + audience + "}\n", "dev.yaml:3: audience is the same"},
		"an address twice":           {app + "- {upstream: http://x, name: y}\n", "dev.yaml:3: host is the same"},
		"a person without an email":  {app + "people:\n- name: Ada\n", "dev.yaml:4: email is not an address"},
		"a person twice":             {app + "people:\n- email: a@b.c\n- email: A@b.c\n", "dev.yaml:5: email is the same"},
		"a country":                  {app + "people:\n- {email: a@b.c, country: gb}\n", "dev.yaml:4: country is not two letters"},
		"claims without JSON form":   {app + "people:\n- {email: a@b.c, custom: {a: {1: 2}}}\n", "dev.yaml:4: custom or groups has no JSON form"},
		"groups without JSON form":   {app + "people:\n- {email: a@b.c, groups: [.nan]}\n", "dev.yaml:4: custom or groups has no JSON form"},
		"large claims":               {app + "people:\n- {email: a@b.c, custom: {a: " + strings.Repeat("x", 2000) + "}}\n", "dev.yaml:4: custom has more than"},
		"a service without secret":   {app + "services:\n- id: a\n", "dev.yaml:4: id or secret is missing"},
		"a service twice":            {app + "services:\n- {id: a, secret: b}\n- {id: a, secret: c}\n", "dev.yaml:5: id is the same"},
	} {
		t.Run(name, func(t *testing.T) {
			o := flags
			o.Config = filepath.Join(t.TempDir(), "dev.yaml")
			write(t, o.Config, test.content)
			_, err := load(o)
			if err == nil || !strings.HasPrefix(err.Error(), filepath.Dir(o.Config)) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestBadFlags(t *testing.T) {
	withFile := filepath.Join(t.TempDir(), "dev.yaml")
	write(t, withFile, "applications: [{upstream: http://x}]\n")
	empty := filepath.Join(t.TempDir(), "dev.yaml")
	write(t, empty, "# nothing yet\n")
	const upstream = "http://127.0.0.1:3000"
	for name, test := range map[string]struct {
		o    Options
		want string
	}{
		"no upstream":             {Options{}, "upstream is missing: give --upstream"},
		"an empty file":           {Options{Config: empty}, "upstream is missing: give --upstream"},
		"a file that isn't there": {Options{Config: "missing.yaml"}, "open missing.yaml"},
		"upstream and a file":     {Options{Config: withFile, Upstream: upstream}, "--upstream and --aud can't be given too"},
		"aud and a file":          {Options{Config: withFile, Audience: audience}, "--upstream and --aud can't be given too"},
		"another address":         {Options{Upstream: upstream, Addr: "192.0.2.1:80"}, "--i-know-this-is-not-secure"},
		"every address":           {Options{Upstream: upstream, Addr: ":8000"}, "--i-know-this-is-not-secure"},
		"an aud":                  {Options{Upstream: upstream, Audience: "x"}, "audience is not an AUD tag"},
		"a session":               {Options{Upstream: upstream, Session: -1}, "session is less than a second"},
		"a status":                {Options{Upstream: upstream, FailCerts: 200}, "--fail-certs is not a status"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.o.Addr == "" {
				test.o.Addr = flags.Addr
			}
			if test.o.Session == 0 {
				test.o.Session = flags.Session
			}
			if _, err := load(test.o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
