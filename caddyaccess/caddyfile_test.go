package caddyaccess_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// A mistake in the Caddyfile is reported with the file and the line.
func TestCaddyfileMistakes(t *testing.T) {
	for name, test := range map[string]struct{ block, want string }{
		"unknown option":            {"team acme\naudience x\nallow_country US", "allow_country US, at Caddyfile:5"},
		"team without a value":      {"team\naudience x", "team, at Caddyfile:3"},
		"team with two values":      {"team acme other\naudience x", "team acme other, at Caddyfile:3"},
		"team given twice":          {"team acme\naudience x\nteam other", "team other, at Caddyfile:5"},
		"endpoint given twice":      {"team acme\nendpoint http://127.0.0.1:1\nendpoint http://127.0.0.1:2", "at Caddyfile:5"},
		"audience without a value":  {"team acme\naudience", "audience, at Caddyfile:4"},
		"allow list without values": {"team acme\naudience x\nallow_services", "allow_services, at Caddyfile:5"},
		"skip without a path":       {"team acme\nskip\naudience x", "skip, at Caddyfile:4"},
		"optional with a value":     {"team acme\naudience x\noptional off", "optional off, at Caddyfile:5"},
		"header_only with a value":  {"header_only true\nteam acme\naudience x", "header_only true, at Caddyfile:3"},
		"block in the block":        {"team acme\naudience x {\ny\n}", "at Caddyfile:4"},
		"no team":                   {"audience x", "team and audience, and no value in front of it, at Caddyfile:4"},
		"no audience":               {"team acme", "team and audience, and no value in front of it, at Caddyfile:4"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := adapt(":80 {\ncloudflare_access {\n" + test.block + "\n}\n}")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	for _, directive := range []string{"cloudflare_access", "cloudflare_access acme", "cloudflare_access * acme {\nteam acme\naudience x\n}"} {
		if _, _, err := adapt(":80 {\n" + directive + "\n}"); err == nil || !strings.Contains(err.Error(), "want a block") || !strings.Contains(err.Error(), "Caddyfile:2") {
			t.Errorf("%s: got %v", directive, err)
		}
	}
}

// A value that can't be right keeps Caddy from starting, also where it comes from
// JSON or from a placeholder, and leaves no verifier behind.
func TestValuesThatCannotBeRight(t *testing.T) {
	t.Setenv("EMPTY", "")
	t.Setenv("QUOTED", `"`+audience+`"`)
	for name, test := range map[string]struct{ config, want string }{
		"no team":                 {`"audiences": ["AUD"]`, "Config.Team"},
		"no audience":             {`"team": "acme"`, "Config.Audiences"},
		"empty list of audiences": {`"team": "acme", "audiences": []`, "Config.Audiences"},
		"audience in quotes":      {`"team": "acme", "audiences": ["{env.QUOTED}"]`, "has quotes in it"},
		"endpoint without TLS":    {`"team": "acme", "audiences": ["AUD"], "endpoint": "http://acme.example"`, "Config.Endpoint"},
		"empty placeholder":       {`"team": "acme", "audiences": ["AUD"], "allow_emails": ["{env.EMPTY}"]`, "{env.EMPTY}"},
		"empty team":              {`"team": "{env.EMPTY}", "audiences": ["AUD"]`, "{env.EMPTY}"},
		"unknown placeholder":     {`"team": "{http.request.host}", "audiences": ["AUD"]`, "{http.request.host}"},
		"prefix to skip":          {`"team": "acme", "audiences": ["AUD"], "skip": ["/public/*"]`, "skip: "},
		"path without a slash":    {`"team": "acme", "audiences": ["AUD"], "skip": ["healthz"]`, "skip: "},
		"unknown member":          {`"team": "acme", "audience": ["AUD"]`, `unknown field "audience"`},
	} {
		t.Run(name, func(t *testing.T) {
			handler := object{}
			if err := json.Unmarshal([]byte("{"+strings.ReplaceAll(test.config, "AUD", audience)+"}"), &handler); err != nil {
				t.Fatal(err)
			}
			handler["handler"] = "cloudflare_access"
			config := whole(t, object{"http": object{"servers": object{"test": object{
				"listen": []string{"127.0.0.1:0"}, "routes": []object{{"handle": []object{handler}}},
			}}}})
			var parsed caddy.Config
			if err := json.Unmarshal(config, &parsed); err != nil {
				t.Fatal(err)
			}
			before := pooled(t)
			if err := caddy.Validate(&parsed); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if after := pooled(t); after != before {
				t.Errorf("%d handlers have a verifier, and %d before", after, before)
			}
		})
	}
}

// "caddy adapt" writes every option, and Caddy reads from JSON what it has written.
func TestCaddyfileBecomesJSON(t *testing.T) {
	apps, _, err := adapt(fmt.Sprintf(`:80 {
		cloudflare_access /admin/* {
			team     {env.TEAM_DOMAIN}
			audience %s %s
			audience {env.MORE}
			endpoint http://127.0.0.1:8001
			header_only
			allow_emails   ada@example.com bob@example.com
			allow_domains  example.com
			allow_groups   engineering "site reliability"
			allow_services e367826f93b8d711.access
			allow_services ci.access
			optional
			skip /healthz /readyz
		}
	}`, audience, other))
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	for target, text := range map[*any]string{
		&got: marshal(t, apps["http"].(object)["servers"].(object)["srv0"].(object)["routes"]),
		&want: fmt.Sprintf(`[{
			"match": [{"path": ["/admin/*"]}],
			"handle": [{
				"handler": "cloudflare_access",
				"team": "{env.TEAM_DOMAIN}",
				"audiences": [%q, %q, "{env.MORE}"],
				"endpoint": "http://127.0.0.1:8001",
				"header_only": true,
				"allow_emails": ["ada@example.com", "bob@example.com"],
				"allow_domains": ["example.com"],
				"allow_groups": ["engineering", "site reliability"],
				"allow_services": ["e367826f93b8d711.access", "ci.access"],
				"optional": true,
				"skip": ["/healthz", "/readyz"]
			}]
		}]`, audience, other),
	} {
		if err := json.Unmarshal([]byte(text), target); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}

	t.Setenv("TEAM_DOMAIN", "https://acme.cloudflareaccess.com")
	t.Setenv("MORE", strings.Repeat("ab", 32))
	var config caddy.Config
	if err := json.Unmarshal(whole(t, apps), &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		t.Error(err)
	}
}

// The directive stands in front of those that answer or need the caller, wherever
// the Caddyfile has it.
func TestDirectiveOrder(t *testing.T) {
	apps, _, err := adapt(":80 {\nrespond hello\nrequest_header X-User {http.auth.user.id}\nbasic_auth {\nbob $2a$14$x\n}\nrewrite /a /b\n" +
		"cloudflare_access {\nteam acme\naudience x\n}\n}")
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, part := range strings.Split(marshal(t, apps), `"handler":"`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		order = append(order, name)
	}
	if got, want := strings.Join(order, " "), "rewrite cloudflare_access authentication headers static_response"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func marshal(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
