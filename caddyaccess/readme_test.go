package caddyaccess_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// The Caddyfiles of the README are the files that the tests below run.
func TestREADMEHasTheCaddyfiles(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```caddyfile\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1)
	shown := map[string]bool{}
	for _, block := range blocks {
		shown[block[1]] = true
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !shown[string(content)] {
			t.Errorf("README.md has no block that equals %s", file)
		}
	}
	if len(blocks) != len(files) || len(files) != 3 {
		t.Errorf("%d Caddyfiles in README.md, and %d files", len(blocks), len(files))
	}
}

func TestCaddyfiles(t *testing.T) {
	team := newTeam(t)
	team.SetGroups("ada@example.com", "administrators", "staff")
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "email %q user %q groups %q", r.Header.Get(core.EmailHeader), r.Header.Get("X-User"), r.Header.Get("X-Groups"))
	}))
	t.Cleanup(program.Close)
	t.Setenv("TEAM_DOMAIN", "https://acme.cloudflareaccess.com")
	t.Setenv("POLICY_AUD", audience)
	t.Setenv("WIKI_AUD", audience)
	t.Setenv("BUILDS_AUD", other)
	t.Setenv("DEPLOY_CLIENT_ID", "deploy.access")
	ada, bob := team.SignUser(audience, "ada@example.com"), team.SignUser(audience, "bob@example.com")
	deploy, robot := team.SignService(audience, "deploy.access"), team.SignService(audience, "robot.access")
	builds := team.SignUser(other, "ada@example.com")

	type request struct{ host, path, token, want string }
	for file, requests := range map[string]map[string]request{
		"site": {
			"person":      {"app.example.com", "/", ada, `200 email "ada@example.com" user "ada@example.com" groups ""`},
			"service":     {"app.example.com", "/", robot, `200 email "" user "" groups ""`},
			"no token":    {"app.example.com", "/", "", "401 token_missing"},
			"health":      {"app.example.com", "/healthz", "", `200 email "" user "" groups ""`},
			"application": {"app.example.com", "/", builds, "401 token_invalid"},
		},
		"path": {
			"public, no token":        {"app.example.com", "/", "", `200 email "" user "" groups ""`},
			"public, person":          {"app.example.com", "/", bob, `200 email "bob@example.com" user "" groups ""`},
			"admin, no token":         {"app.example.com", "/admin", "", "401 token_missing"},
			"below admin, no token":   {"app.example.com", "/admin/x", "", "401 token_missing"},
			"escaped admin, no token": {"app.example.com", "/%61dmin/x", "", "401 token_missing"},
			"admin, member":           {"app.example.com", "/admin/", ada, `200 email "ada@example.com" user "" groups ""`},
			"admin, another":          {"app.example.com", "/admin/", bob, "403 forbidden"},
			"admin, service":          {"app.example.com", "/admin/", deploy, `200 email "" user "" groups ""`},
			"admin, another service":  {"app.example.com", "/admin/", robot, "403 forbidden"},
		},
		"sites": {
			"wiki":                  {"wiki.example.com", "/", ada, `200 email "ada@example.com" user "" groups ""`},
			"wiki, other token":     {"wiki.example.com", "/", builds, "401 token_invalid"},
			"wiki, no token":        {"wiki.example.com", "/", "", "401 token_missing"},
			"builds":                {"builds.example.com", "/", builds, `200 email "ada@example.com" user "" groups "administrators,staff"`},
			"builds, other token":   {"builds.example.com", "/", ada, "401 token_invalid"},
			"builds, without token": {"builds.example.com", "/", "", "401 token_missing"},
		},
	} {
		t.Run(file, func(t *testing.T) {
			apps, _, err := adapt(caddyfile(t, file))
			if err != nil {
				t.Fatal(err)
			}
			address := localize(t, apps, team, program.Listener.Addr().String())
			if err := run(t, apps); err != nil {
				t.Fatal(err)
			}
			for name, r := range requests {
				t.Run(name, func(t *testing.T) {
					answers(t, r.want, "http://"+address+r.path, "Host", r.host, core.TokenHeader, r.token, core.EmailHeader, "forged@example.com")
				})
			}
		})
	}
}

func caddyfile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile("testdata/" + name + ".Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// Caddy would write the token to the access log and the error log. The filter of
// site.Caddyfile leaves it out.
func TestLogsWithoutToken(t *testing.T) {
	team, folder := newTeam(t), t.TempDir()
	t.Setenv("POLICY_AUD", audience)
	token := team.SignUser(audience, "ada@example.com", accesstest.WithClaim("sub", "7335d417"))
	for name, test := range map[string]struct {
		filter, logged bool
	}{"with the filter": {true, false}, "without it": {false, true}} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(caddyfile(t, "site"), "app.example.com {", "app.example.com {\nlog\nlog_append email {http.auth.user.email}\n", 1)
			if !test.filter {
				text = strings.Replace(text, "request>headers>Cf-Access-Jwt-Assertion delete", "", 1)
			}
			apps, logging, err := adapt(text)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(folder, name)
			logging["logs"].(object)["default"].(object)["writer"] = object{"output": "file", "filename": file}
			address := localize(t, apps, team, freeAddress(t)) // nothing listens there: an error too
			config := unmarshal(t, string(whole(t, apps)))
			config["logging"] = logging
			if err := caddy.Load([]byte(marshal(t, config)), true); err != nil {
				t.Fatal(err)
			}
			status, _ := get(t, "http://"+address, "Host", "app.example.com", core.TokenHeader, token)
			if err := caddy.Stop(); err != nil { // after what is still to be logged
				t.Fatal(err)
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if status != http.StatusBadGateway || !strings.Contains(string(content), "http.log.access") || !strings.Contains(string(content), "http.log.error") {
				t.Errorf("got %d, and in the log %s", status, content)
			}
			if strings.Contains(string(content), token) != test.logged {
				t.Errorf("got %s", content)
			}
			if !strings.Contains(string(content), `"user_id":"7335d417"`) || !strings.Contains(string(content), `"email":"ada@example.com"`) {
				t.Errorf("the caller is not in the log: %s", content)
			}
		})
	}
}
