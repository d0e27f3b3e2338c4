package core

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTeam(t *testing.T) {
	const fed = "https://acme.fed.cloudflareaccess.com"
	for name, test := range map[string]struct {
		team   string
		issuer string // empty: refused
	}{
		"name":                  {"acme", testIssuer},
		"name in upper case":    {"ACME", testIssuer},
		"domain":                {"acme.cloudflareaccess.com", testIssuer},
		"URL":                   {"https://acme.cloudflareaccess.com", testIssuer},
		"URL with a slash":      {"https://acme.cloudflareaccess.com/", testIssuer},
		"space around":          {" acme\n", testIssuer},
		"digits and hyphens":    {"a-1-b", "https://a-1-b.cloudflareaccess.com"},
		"FedRAMP domain":        {"acme.fed.cloudflareaccess.com", fed},
		"FedRAMP URL":           {fed + "/", fed},
		"a team called fed":     {"fed", "https://fed.cloudflareaccess.com"},
		"63 letters":            {strings.Repeat("a", 63), "https://" + strings.Repeat("a", 63) + ".cloudflareaccess.com"},
		"a local Access":        {"http://127.0.0.1:8001", "http://127.0.0.1:8001"},
		"a local Access, slash": {"http://127.0.0.1:8001/", "http://127.0.0.1:8001"},
		"a local Access, IPv6":  {"http://[::1]:8001", "http://[::1]:8001"},
		"a local Access, name":  {"HTTP://LocalHost:8001", "http://localhost:8001"},
		"a local Access, path":  {"http://127.0.0.1:8001/a", ""},
		"a local Access, user":  {"http://me@127.0.0.1:8001", ""},
		"a local Access, https": {"https://127.0.0.1:8001", ""},
		"http elsewhere":        {"http://192.0.2.1:8001", ""},
		"http, a look-alike":    {"http://127.0.0.1.evil.example", ""},
		"http, a team domain":   {"http://acme.cloudflareaccess.com", ""},
		"64 letters":            {strings.Repeat("a", 64), ""},
		"empty":                 {"", ""},
		"only the domain":       {"cloudflareaccess.com", ""},
		"only the domain, dot":  {".cloudflareaccess.com", ""},
		"a path":                {"https://acme.cloudflareaccess.com/cdn-cgi/access/certs", ""},
		"a port":                {"https://acme.cloudflareaccess.com:443", ""},
		"a user":                {"https://me@acme.cloudflareaccess.com", ""},
		"a query":               {"acme.cloudflareaccess.com?x", ""},
		"another domain":        {"acme.example.com", ""},
		"another domain behind": {"acme.cloudflareaccess.com.evil.example", ""},
		"two labels":            {"a.acme.cloudflareaccess.com", ""},
		"an underscore":         {"ac_me", ""},
		"a hyphen first":        {"-acme", ""},
		"a hyphen last":         {"acme-", ""},
		"not ASCII":             {"äcme", ""},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := New(Config{Team: test.team, Audiences: []string{testAudience}})
			switch {
			case test.issuer == "":
				wantText(t, err, "Config.Team")
			case err != nil:
				t.Error(err)
			case v.Issuer() != test.issuer || v.LogoutURL() != test.issuer+"/cdn-cgi/access/logout":
				t.Errorf("got %s and %s, want %s", v.Issuer(), v.LogoutURL(), test.issuer)
			}
		})
	}
}

func TestEndpoint(t *testing.T) {
	for name, test := range map[string]struct {
		endpoint string
		text     string // of the error; empty: it is fine
	}{
		"https":                  {"https://certs.example.com", ""},
		"https with a port":      {"https://certs.example.com:8443/", ""},
		"https with a path":      {"https://mirror.example.com/access", ""},
		"http on 127.0.0.1":      {"http://127.0.0.1:3000", ""},
		"http on ::1":            {"http://[::1]:3000", ""},
		"http on localhost":      {"http://LocalHost:3000", ""},
		"the certs URL":          {"https://acme.cloudflareaccess.com/cdn-cgi/access/certs", "give the URL in front of"},
		"the certs URL, slash":   {"https://acme.cloudflareaccess.com/cdn-cgi/access/certs/", "give the URL in front of"},
		"http elsewhere":         {"http://acme.cloudflareaccess.com", "want https"},
		"http on a private net":  {"http://10.0.0.1", "want https"},
		"http on a look-alike":   {"http://127.0.0.1.evil.example", "want https"},
		"http on localhost.evil": {"http://localhost.evil.example", "want https"},
		"https with a user":      {"https://me:secret@certs.example.com", "user"},
		"https with a query":     {"https://certs.example.com/?a=b", "query"},
		"https with an empty":    {"https://certs.example.com/?", "query"},
		"https with a fragment":  {"https://certs.example.com/#a", "fragment"},
		"https with a port only": {"https://:443", "absolute URL"},
		"no scheme":              {"certs.example.com", "absolute URL"},
		"no host":                {"https://", "absolute URL"},
		"only a path":            {"/cdn-cgi/access", "absolute URL"},
		"another scheme":         {"file:///etc/passwd", "absolute URL"},
		"not a URL":              {"https://me:secret@%zz", "not a URL"},
		"a control character":    {"https://certs.example.com/\n", "not a URL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{Team: "acme", Audiences: []string{testAudience}, Endpoint: test.endpoint})
			if test.text == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantText(t, err, "Config.Endpoint", test.text)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

// audiences are values, and what they look like to somebody who reads an error.
var audiences = map[string]struct {
	tag   string
	looks string // empty: accepted
	warns bool
}{
	"an AUD tag":       {testAudience, "", false},
	"upper case":       {strings.ToUpper(testAudience), "upper case", false},
	"mixed case":       {"A" + testAudience[1:], "upper case", false},
	"double quotes":    {`"` + testAudience + `"`, "quotes", false},
	"single quotes":    {`'` + testAudience + `'`, "quotes", false},
	"brackets":         {`[` + testAudience + `]`, "brackets", false},
	"a JSON array":     {`["` + testAudience + `"]`, "quotes", false},
	"a Python list":    {`['` + testAudience + `']`, "quotes", false},
	"two with a space": {testAudience + " " + otherAudience, "space", false},
	"two with a tab":   {testAudience + "\t" + otherAudience, "space", false},
	"two with a ;":     {testAudience + ";" + otherAudience, "list", false},
	"a UUID":           {"f174e90a-fafe-4643-bbbc-4a0ed4fc8415", "UUID", false},
	"another form":     {"wiki", "", true},
	"a digit too few":  {testAudience[1:], "", true},
	"a digit too many": {testAudience + "0", "", true},
	"a URL":            {"https://wiki.example.com", "", true},
}

func TestAudiences(t *testing.T) {
	for name, test := range audiences {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			_, err := New(Config{Team: "acme", Audiences: []string{testAudience, test.tag}, Logger: r.cfg.Logger})
			if test.looks != "" {
				wantText(t, err, "Config.Audiences[1]", test.looks, "64 lower-case hex digits", "Cloudflare's dashboard")
				return
			}
			log := r.logged()
			if warned := strings.Count(log, "level=WARN") == 1 && strings.Contains(log, test.tag); err != nil || warned != test.warns || !warned && log != "" {
				t.Errorf("error %v, log %q", err, log)
			}
		})
	}
	for name, tags := range map[string][]string{"none": nil, "an empty one": {""}, "a list": {testAudience + "," + otherAudience}} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{Team: "acme", Audiences: tags})
			wantText(t, err, "Config.Audiences", "Cloudflare's dashboard")
		})
	}
}

// Every bad setting fails in New, by the field's name.
func TestConfigRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		field  string // empty: it is fine
	}{
		"nothing":                             {func(*Config) {}, ""},
		"a Leeway without a unit":             {func(c *Config) { c.Leeway = 30 }, "Config.Leeway"},
		"a Leeway of 5 minutes":               {func(c *Config) { c.Leeway = 5 * time.Minute }, ""},
		"a Leeway over 5 minutes":             {func(c *Config) { c.Leeway = 5*time.Minute + 1 }, "Config.Leeway"},
		"a Leeway below zero means none":      {func(c *Config) { c.Leeway = -1 }, ""},
		"RefreshInterval without a unit":      {func(c *Config) { c.RefreshInterval = 3600 }, "Config.RefreshInterval"},
		"RefreshInterval negative":            {func(c *Config) { c.RefreshInterval = -1 }, "Config.RefreshInterval"},
		"RefreshInterval over MaxStale's":     {func(c *Config) { c.RefreshInterval = 48 * time.Hour }, ""},
		"RefetchCooldown without a unit":      {func(c *Config) { c.RefetchCooldown = 10 }, "Config.RefetchCooldown"},
		"RefetchCooldown negative":            {func(c *Config) { c.RefetchCooldown = -1 }, "Config.RefetchCooldown"},
		"FetchTimeout without a unit":         {func(c *Config) { c.FetchTimeout = 5 }, "Config.FetchTimeout"},
		"FetchTimeout negative":               {func(c *Config) { c.FetchTimeout = -1 }, "Config.FetchTimeout"},
		"FetchTimeout of a minute":            {func(c *Config) { c.FetchTimeout = time.Minute }, ""},
		"FetchTimeout over a minute":          {func(c *Config) { c.FetchTimeout = time.Minute + 1 }, "Config.FetchTimeout"},
		"MaxStale negative":                   {func(c *Config) { c.MaxStale = -1 }, "Config.MaxStale"},
		"MaxStale under RefreshInterval":      {func(c *Config) { c.RefreshInterval, c.MaxStale = 2*time.Hour, time.Hour }, "Config.MaxStale"},
		"MaxStale as RefreshInterval":         {func(c *Config) { c.RefreshInterval, c.MaxStale = time.Hour, time.Hour }, ""},
		"IdentityTTL without a unit":          {func(c *Config) { c.IdentityTTL = 300 }, "Config.IdentityTTL"},
		"IdentityTTL negative":                {func(c *Config) { c.IdentityTTL = -1 }, "Config.IdentityTTL"},
		"IdentityTTL over IdentityMaxStale's": {func(c *Config) { c.IdentityTTL = 2 * time.Hour }, ""},
		"IdentityMaxStale without a unit":     {func(c *Config) { c.IdentityMaxStale = 3600 }, "Config.IdentityMaxStale"},
		"IdentityMaxStale under IdentityTTL":  {func(c *Config) { c.IdentityTTL, c.IdentityMaxStale = time.Hour, time.Minute }, "Config.IdentityMaxStale"},
		"IdentityMaxStale under the default":  {func(c *Config) { c.IdentityMaxStale = time.Minute }, "Config.IdentityMaxStale"},
		"IdentityMaxStale as IdentityTTL":     {func(c *Config) { c.IdentityTTL, c.IdentityMaxStale = time.Minute, time.Minute }, ""},
		"TokenCacheBytes negative means none": {func(c *Config) { c.TokenCacheBytes = -1 }, ""},
		"TokenCacheBytes that counts tokens":  {func(c *Config) { c.TokenCacheBytes = 8192 }, "Config.TokenCacheBytes"},
		"TokenCacheBytes under 64 KiB":        {func(c *Config) { c.TokenCacheBytes = 64<<10 - 1 }, "Config.TokenCacheBytes"},
		"TokenCacheBytes of 64 KiB":           {func(c *Config) { c.TokenCacheBytes = 64 << 10 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Team: "acme", Audiences: []string{testAudience}}
			test.change(&cfg)
			v, err := New(cfg)
			if test.field != "" {
				wantText(t, err, test.field)
			} else if err != nil {
				t.Error(err)
			}
			if (v == nil) != (err != nil) {
				t.Errorf("got %v with error %v", v, err)
			}
		})
	}
}

// The defaults are those of the documentation.
func TestConfigDefaults(t *testing.T) {
	cfg, _, err := Config{Team: "acme", Audiences: []string{testAudience}}.resolve()
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Endpoint != testIssuer || cfg.Leeway != 30*time.Second || cfg.RefreshInterval != time.Hour || cfg.MaxStale != 24*time.Hour ||
		cfg.RefetchCooldown != 10*time.Second || cfg.FetchTimeout != 5*time.Second || cfg.TokenCacheBytes != 16<<20 || cfg.Logger == nil ||
		cfg.IdentityTTL != 5*time.Minute || cfg.IdentityMaxStale != time.Hour {
		t.Errorf("got %+v", cfg)
	}
}

func TestConfigDefaultsDependOnOthers(t *testing.T) {
	const hour = time.Hour
	for _, test := range []struct{ refreshInterval, maxStale, identityTTL, identityMaxStale time.Duration }{
		{hour, 24 * hour, time.Minute, hour},
		{12 * hour, 24 * hour, hour, hour},
		{13 * hour, 26 * hour, 3 * hour, 3 * hour},
	} {
		cfg, _, err := Config{Team: "acme", Audiences: []string{testAudience}, RefreshInterval: test.refreshInterval, IdentityTTL: test.identityTTL}.resolve()
		if err != nil || cfg.MaxStale != test.maxStale || cfg.IdentityMaxStale != test.identityMaxStale {
			t.Errorf("got %v and %v, want %+v, %v", cfg.MaxStale, cfg.IdentityMaxStale, test, err)
		}
	}
}

func TestNewCopiesItsConfig(t *testing.T) {
	tags, client := []string{testAudience}, &http.Client{}
	r := newRig(t, func(c *Config) { client.Transport = c.HTTPClient.Transport; c.Audiences, c.HTTPClient = tags, client })
	tags[0] = otherAudience
	*client = http.Client{}
	verified(t, r, signUser())
}

// Keys that aren't Cloudflare's are worth a WARN each time.
func TestNewWarnsOfKeysFromElsewhere(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		warns  bool
	}{
		"the team domain":             {func(*Config) {}, false},
		"the team domain as Endpoint": {func(c *Config) { c.Endpoint = testIssuer + "/" }, false},
		"an Endpoint on loopback":     {func(c *Config) { c.Endpoint = "http://127.0.0.1:8001" }, true},
		"an Endpoint elsewhere":       {func(c *Config) { c.Endpoint = "https://mirror.example.com" }, true},
		"a Team on loopback":          {func(c *Config) { c.Team = "http://127.0.0.1:8001" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				log := newRig(t, test.change).logged()
				if warned := strings.Contains(log, "level=WARN") && strings.Contains(log, "keys don't come from cloudflareaccess.com"); warned != test.warns {
					t.Errorf("logged %q", log)
				}
			}
		})
	}
}

// The URL of a local Access is the issuer of its tokens.
func TestTeamOfALocalAccess(t *testing.T) {
	s := newServer(t)
	r := newRig(t, fetchedFrom(s), func(c *Config) { c.Team, c.Endpoint = s.URL, "" })
	verified(t, r, signUser(withClaim("iss", s.URL)))
	_, err := r.Verify(t.Context(), signUser())
	wantClass(t, err, ErrIssuer)
}

func TestConfigFromEnv(t *testing.T) {
	type test struct {
		team, aud string
		want      []string
		texts     []string // of the error
	}
	both := []string{testAudience, otherAudience}
	tests := map[string]test{
		"one audience":         {testIssuer, testAudience, both[:1], nil},
		"several audiences":    {testIssuer, testAudience + "," + otherAudience, both, nil},
		"space and empty ones": {testIssuer, " " + testAudience + " , ," + otherAudience + ",\n", both, nil},
		"a team's name":        {"acme", testAudience, both[:1], nil},
		"a local Access":       {"http://127.0.0.1:8001", testAudience, both[:1], nil},
		"no team":              {"", testAudience, nil, []string{"TEAM_DOMAIN is not set"}},
		"a bad team":           {"http://acme", testAudience, nil, []string{"TEAM_DOMAIN"}},
		"no audience":          {testIssuer, "", nil, []string{"POLICY_AUD is not set"}},
		"only commas":          {testIssuer, " , ", nil, []string{"POLICY_AUD is not set"}},
		"one good, one bad":    {testIssuer, testAudience + ",x y", nil, []string{"POLICY_AUD", "space"}},
	}
	for name, audience := range audiences {
		if audience.looks == "" {
			tests[name] = test{testIssuer, audience.tag, []string{audience.tag}, nil}
		} else {
			tests[name] = test{testIssuer, audience.tag, nil, []string{"POLICY_AUD", audience.looks, "Cloudflare's dashboard"}}
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEAM_DOMAIN", test.team)
			t.Setenv("POLICY_AUD", test.aud)
			cfg, err := ConfigFromEnv()
			if test.texts != nil {
				wantText(t, err, test.texts...)
				return
			}
			if err != nil || cfg.Team != test.team || !slices.Equal(cfg.Audiences, test.want) {
				t.Errorf("got %q, %q, %v", cfg.Team, cfg.Audiences, err)
			}
			if _, err := New(cfg); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFromEnv(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		aud    string
		texts  []string // of the error
	}{
		"Access answers":         {200, testAudience, nil},
		"Access can't be asked":  {503, testAudience, []string{"TEAM_DOMAIN", "status 503"}},
		"a mistyped team":        {404, testAudience, []string{"TEAM_DOMAIN", "status 404"}},
		"the environment is bad": {200, `"` + testAudience + `"`, []string{"POLICY_AUD", "quotes"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.answer(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write(team.Certs())
			})
			t.Setenv("TEAM_DOMAIN", s.URL)
			t.Setenv("POLICY_AUD", test.aud)
			v, err := FromEnv(t.Context())
			if test.texts != nil {
				wantText(t, err, test.texts...)
				if v != nil {
					t.Error("a verifier came with an error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s.Close() // the keys are there
			if _, err := v.Verify(t.Context(), signUser(withClaim("iss", s.URL))); err != nil {
				t.Error(err)
			}
		})
	}
}
