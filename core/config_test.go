package core_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

func TestTeam(t *testing.T) {
	const acme = "https://acme.cloudflareaccess.com"
	tests := map[string]struct {
		team   string
		issuer string // empty: refused
	}{
		"name":                       {"acme", acme},
		"name in upper case":         {"ACME", acme},
		"domain":                     {"acme.cloudflareaccess.com", acme},
		"URL":                        {"https://acme.cloudflareaccess.com", acme},
		"URL with a slash":           {"https://acme.cloudflareaccess.com/", acme},
		"URL in upper case":          {"HTTPS://ACME.CloudflareAccess.com/", acme},
		"space around":               {" acme\n", acme},
		"digits and hyphens":         {"a-1-b", "https://a-1-b.cloudflareaccess.com"},
		"FedRAMP domain":             {"acme.fed.cloudflareaccess.com", "https://acme.fed.cloudflareaccess.com"},
		"FedRAMP URL":                {"https://acme.fed.cloudflareaccess.com/", "https://acme.fed.cloudflareaccess.com"},
		"a team called fed":          {"fed", "https://fed.cloudflareaccess.com"},
		"63 letters":                 {strings.Repeat("a", 63), "https://" + strings.Repeat("a", 63) + ".cloudflareaccess.com"},
		"64 letters":                 {strings.Repeat("a", 64), ""},
		"empty":                      {"", ""},
		"only the domain":            {"cloudflareaccess.com", ""},
		"only the domain, dot":       {".cloudflareaccess.com", ""},
		"only the FedRAMP domain":    {".fed.cloudflareaccess.com", ""},
		"plain http":                 {"http://acme.cloudflareaccess.com", ""},
		"a path":                     {"https://acme.cloudflareaccess.com/cdn-cgi/access/certs", ""},
		"a port":                     {"https://acme.cloudflareaccess.com:443", ""},
		"a user":                     {"https://me@acme.cloudflareaccess.com", ""},
		"a query":                    {"acme.cloudflareaccess.com?x", ""},
		"another domain":             {"acme.example.com", ""},
		"another domain behind":      {"acme.cloudflareaccess.com.evil.example", ""},
		"another domain, look-alike": {"acme.evilcloudflareaccess.com", ""},
		"two labels":                 {"a.acme.cloudflareaccess.com", ""},
		"an underscore":              {"ac_me", ""},
		"a space":                    {"ac me", ""},
		"a hyphen first":             {"-acme", ""},
		"a hyphen last":              {"acme-", ""},
		"not ASCII":                  {"äcme", ""},
		"a slash":                    {"acme/..", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := core.New(core.Config{Team: test.team, Audiences: []string{"x"}})
			switch {
			case test.issuer == "":
				wantFieldError(t, err, "Config.Team")
			case err != nil:
				t.Error(err)
			case v.Issuer() != test.issuer:
				t.Errorf("got %s, want %s", v.Issuer(), test.issuer)
			}
		})
	}
}

func TestEndpoint(t *testing.T) {
	tests := map[string]struct {
		endpoint string
		ok       bool
	}{
		"https":                    {"https://certs.example.com", true},
		"https with a port":        {"https://certs.example.com:8443/", true},
		"https with a path":        {"https://mirror.example.com/access", true},
		"http on 127.0.0.1":        {"http://127.0.0.1:3000", true},
		"http on 127.1.2.3":        {"http://127.1.2.3", true},
		"http on ::1":              {"http://[::1]:3000", true},
		"http on localhost":        {"http://LocalHost:3000", true},
		"http elsewhere":           {"http://acme.cloudflareaccess.com", false},
		"http on a private net":    {"http://10.0.0.1", false},
		"http on a look-alike":     {"http://127.0.0.1.evil.example", false},
		"http on localhost.evil":   {"http://localhost.evil.example", false},
		"http behind a user":       {"http://127.0.0.1@evil.example", false},
		"https with a user":        {"https://me:secret@certs.example.com", false},
		"https with a query":       {"https://certs.example.com/?a=b", false},
		"https with an empty one":  {"https://certs.example.com/?", false},
		"https with a fragment":    {"https://certs.example.com/#a", false},
		"https with a port only":   {"https://:443", false},
		"no scheme":                {"certs.example.com", false},
		"no host":                  {"https://", false},
		"another scheme":           {"file:///etc/passwd", false},
		"another scheme on ::1":    {"ftp://[::1]", false},
		"not a URL":                {"https://%zz", false},
		"a control character":      {"https://certs.example.com/\n", false},
		"a path that looks like a": {"/cdn-cgi/access/certs", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := core.New(core.Config{Team: "acme", Audiences: []string{"x"}, Endpoint: test.endpoint})
			if !test.ok {
				wantFieldError(t, err, "Config.Endpoint")
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("the error shows a password: %v", err)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// Every bad setting fails in New, by the field's name.
func TestConfigRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*core.Config)
		field  string // empty: it is fine
	}{
		"nothing":                           {func(*core.Config) {}, ""},
		"no audience":                       {func(c *core.Config) { c.Audiences = nil }, "Config.Audiences"},
		"an empty audience":                 {func(c *core.Config) { c.Audiences = []string{"x", ""} }, "Config.Audiences[1]"},
		"space in an audience":              {func(c *core.Config) { c.Audiences = []string{"x "} }, "Config.Audiences[0]"},
		"a Leeway without a unit":           {func(c *core.Config) { c.Leeway = 30 }, "Config.Leeway"},
		"a Leeway of 5 minutes":             {func(c *core.Config) { c.Leeway = 5 * time.Minute }, ""},
		"a Leeway over 5 minutes":           {func(c *core.Config) { c.Leeway = 5*time.Minute + 1 }, "Config.Leeway"},
		"RefreshInterval without a unit":    {func(c *core.Config) { c.RefreshInterval = 3600 }, "Config.RefreshInterval"},
		"RefetchCooldown without a unit":    {func(c *core.Config) { c.RefetchCooldown = 10 }, "Config.RefetchCooldown"},
		"FetchTimeout without a unit":       {func(c *core.Config) { c.FetchTimeout = 5 }, "Config.FetchTimeout"},
		"RefreshInterval negative":          {func(c *core.Config) { c.RefreshInterval = -1 }, "Config.RefreshInterval"},
		"MaxStale negative":                 {func(c *core.Config) { c.MaxStale = -1 }, "Config.MaxStale"},
		"RefetchCooldown negative":          {func(c *core.Config) { c.RefetchCooldown = -1 }, "Config.RefetchCooldown"},
		"FetchTimeout negative":             {func(c *core.Config) { c.FetchTimeout = -1 }, "Config.FetchTimeout"},
		"MaxStale under RefreshInterval":    {func(c *core.Config) { c.RefreshInterval, c.MaxStale = 2*time.Hour, time.Hour }, "Config.MaxStale"},
		"MaxStale as RefreshInterval":       {func(c *core.Config) { c.RefreshInterval, c.MaxStale = time.Hour, time.Hour }, ""},
		"RefreshInterval over the default":  {func(c *core.Config) { c.RefreshInterval = 48 * time.Hour }, ""},
		"MaxStale under the default":        {func(c *core.Config) { c.MaxStale = time.Minute }, "Config.MaxStale"},
		"Leeway negative means none":        {func(c *core.Config) { c.Leeway = -1 }, ""},
		"TokenCacheBytes negative means off": {func(c *core.Config) { c.TokenCacheBytes = -1 }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := core.Config{Team: "acme", Audiences: []string{"x"}}
			test.change(&cfg)
			v, err := core.New(cfg)
			if test.field == "" {
				if err != nil || v == nil {
					t.Errorf("got %v, %v", v, err)
				}
				return
			}
			wantFieldError(t, err, test.field)
			if v != nil {
				t.Error("a verifier came with an error")
			}
		})
	}
}

func TestNewCopiesItsConfig(t *testing.T) {
	team := newTeam(t)
	audiences := []string{testAudience}
	client := &http.Client{Transport: inProcess{team}}
	v := newVerifier(t, team, func(c *core.Config) { c.Audiences, c.HTTPClient = audiences, client })
	audiences[0] = otherAudience
	if client.CheckRedirect != nil {
		t.Error("New changed the caller's client")
	}
	*client = http.Client{}
	if _, err := v.Verify(t.Context(), team.SignUser(testAudience, "ada@example.com")); err != nil {
		t.Error(err)
	}
}

func TestNewDoesNoIO(t *testing.T) {
	team := newTeam(t)
	newVerifier(t, team)
	if n := team.Fetches(); n != 0 {
		t.Errorf("%d fetches", n)
	}
}

func TestConfigFromEnv(t *testing.T) {
	const domain = "https://acme.cloudflareaccess.com"
	tests := map[string]struct {
		team, aud string
		want      []string
		names     string // what the error names
	}{
		"one audience":         {domain, "a", []string{"a"}, ""},
		"several audiences":    {domain, "a,b", []string{"a", "b"}, ""},
		"space and empty ones": {domain, " a , ,b,", []string{"a", "b"}, ""},
		"a team's name":        {"acme", "a", []string{"a"}, ""},
		"no team":              {"", "a", nil, "TEAM_DOMAIN"},
		"a bad team":           {"http://acme", "a", nil, "TEAM_DOMAIN"},
		"no audience":          {domain, "", nil, "POLICY_AUD"},
		"only commas":          {domain, " , ", nil, "POLICY_AUD"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEAM_DOMAIN", test.team)
			t.Setenv("POLICY_AUD", test.aud)
			cfg, err := core.ConfigFromEnv()
			if test.names != "" {
				wantFieldError(t, err, test.names)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Team != test.team || !slices.Equal(cfg.Audiences, test.want) {
				t.Errorf("got %q, %q", cfg.Team, cfg.Audiences)
			}
			if _, err := core.New(cfg); err != nil {
				t.Error(err)
			}
		})
	}
}

func wantFieldError(t *testing.T, err error, field string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), field) {
		t.Fatalf("got %v, want an error that names %s", err, field)
	}
}
