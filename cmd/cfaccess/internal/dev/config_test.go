package dev

import (
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var flags = Options{Addr: "127.0.0.1:8000", Logger: slog.New(slog.DiscardHandler)}

// The documented file names every field.
func TestDocumentedFile(t *testing.T) {
	o := flags
	o.Config = filepath.Join("testdata", "dev.yaml")
	c, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.People) != 2 || len(c.Services) != 1 || len(c.Applications) != 2 {
		t.Fatalf("read %+v", c)
	}
	for _, entry := range []any{c.People[0], c.Applications[0]} {
		for value, i := reflect.ValueOf(entry), 0; i < value.NumField(); i++ {
			if value.Type().Field(i).IsExported() && value.Field(i).IsZero() {
				t.Errorf("%T.%s isn't in it", entry, value.Type().Field(i).Name)
			}
		}
	}
	want := application{Name: "admin", Upstream: "http://127.0.0.1:3001", Addr: "127.0.0.1:8001", Audience: c.Applications[1].Audience}
	c.Applications[1].proxy = nil
	if !reflect.DeepEqual(c.Applications[1], want) || len(want.Audience) != 64 {
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
}

func TestFlagsAreDefaultsOfTheFile(t *testing.T) {
	o := flags
	o.Upstream, o.Config = "http://127.0.0.1:1", filepath.Join(t.TempDir(), "dev.yaml")
	write(t, o.Config, "applications:\n- name: a\n- {name: b, upstream: http://127.0.0.1:2, addr: 127.0.0.1:2}\n")
	c, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []application{
		{Upstream: "http://127.0.0.1:1", Addr: flags.Addr},
		{Upstream: "http://127.0.0.1:2", Addr: "127.0.0.1:2"},
	} {
		if got := c.Applications[i]; got.Upstream != want.Upstream || got.Addr != want.Addr {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// Each error names the line, or the entry.
func TestBadFiles(t *testing.T) {
	const app = "applications:\n- {upstream: http://127.0.0.1:1}\n"
	for name, test := range map[string]struct{ content, want string }{
		"an unknown key":             {app + "peple: []\n", "line 3: field peple not found"},
		"an unknown key of a person": {app + "people:\n- email: a@b.c\n  group: [x]\n", "line 5: field group not found"},
		"a list":                     {"applications:\n- upstream: http://x\n  bypass: {}\n", "line 3: cannot unmarshal"},
		"a string":                   {"applications:\n- upstream: http://x\n  name: [a]\n", "line 3: cannot unmarshal"},
		"not YAML":                   {app + "people: [\n", "line 3: "},
		"a key twice":                {app + app, "line 3: "},
		"two mistakes":               {app + "a: 1\nb: 1\n", "line 4: field b"},
		"no upstream":                {"applications:\n- name: x\n", "applications[0]: want an upstream without a path"},
		"an upstream":                {"applications:\n- {upstream: '127.0.0.1:3000'}\n", "applications[0]: want an upstream without a path"},
		"an address":                 {"applications:\n- {upstream: http://x, addr: 0.0.0.0:80}\n", "applications[0]: addr is no loopback address with a port"},
		"an address without a host":  {"applications:\n- {upstream: http://x, addr: ':80'}\n", "applications[0]: addr is no loopback address with a port"},
		"a host with a port":         {"applications:\n- {upstream: http://x, host: 'x:80'}\n", "applications[0]: host is not a"},
		"a bypass without a slash":   {"applications:\n- {upstream: http://x, bypass: [/a, b]}\n", "applications[0]: bypass has a path"},
		"a bypass with a wildcard":   {"applications:\n- {upstream: http://x, bypass: [/a/*]}\n", "applications[0]: bypass has a path"},
		"a name twice":               {app + "- {upstream: http://x, host: x}\n", "applications[1]: an earlier application has the same"},
		"an audience twice":          {"applications:\n- {upstream: http://x, audience: " + audience + "}\n- {upstream: http://x, name: y, host: y, audience: " + audience + "}\n", "applications[1]: an earlier application has the same"},
		"an address twice":           {app + "- {upstream: http://x, name: y}\n", "applications[1]: an earlier application has the same"},
		"a person without an email":  {app + "people:\n- name: Ada\n", "people[0]: email is not an address"},
		"a country":                  {app + "people:\n- {email: a@b.c, country: gb}\n", "people[0]: country is not two letters"},
		"claims without JSON form":   {app + "people:\n- {email: a@b.c, custom: {a: {1: 2}}}\n", "people[0]: json: unsupported"},
		"groups without JSON form":   {app + "people:\n- {email: a@b.c, groups: [.nan]}\n", "people[0]: json: unsupported"},
		"large claims":               {app + "people:\n- {email: a@b.c, custom: {a: " + strings.Repeat("x", 2000) + "}}\n", "people[0]: custom has more than 2000 bytes"},
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
	empty := filepath.Join(t.TempDir(), "dev.yaml")
	write(t, empty, "# nothing yet\n")
	const upstream = "http://127.0.0.1:3000"
	for name, test := range map[string]struct {
		o    Options
		want string
	}{
		"no upstream":             {Options{}, "flags: applications[0]: want an upstream without a path"},
		"an empty file":           {Options{Config: empty}, "applications[0]: want an upstream without a path"},
		"a file that isn't there": {Options{Config: "missing.yaml"}, "open missing.yaml"},
		"another address":         {Options{Upstream: upstream, Addr: "192.0.2.1:80"}, "--i-know-this-is-not-secure"},
		"every address":           {Options{Upstream: upstream, Addr: ":8000"}, "--i-know-this-is-not-secure"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.o.Addr == "" {
				test.o.Addr = flags.Addr
			}
			test.o.Logger = flags.Logger
			if _, err := load(test.o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
