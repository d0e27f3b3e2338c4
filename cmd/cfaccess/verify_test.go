package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	audience = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
	other    = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

// newTeam returns a team that listens at its issuer.
func newTeam(t *testing.T) *accesstest.Team {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	team, err := accesstest.NewLocalTeam("http://"+server.Listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = team
	server.Start()
	t.Cleanup(server.Close)
	return team
}

// execute runs a command line and returns its exit status and output.
func execute(t *testing.T, input string, arguments ...string) (status int, output string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(t.Context(), arguments, strings.NewReader(input), &out, &errs)
	return status, out.String() + errs.String()
}

func TestVerify(t *testing.T) {
	t.Setenv("TEAM_DOMAIN", "")
	t.Setenv("POLICY_AUD", "")
	team, stranger := newTeam(t), newTeam(t)
	acme := team.Issuer()
	const ada = "ada@example.com"
	user := func(options ...accesstest.Option) string { return team.SignUser(audience, ada, options...) }
	claim, ago := accesstest.WithClaim, func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	good := user()

	both := []string{"--team", acme, "--aud", audience}
	for name, test := range map[string]struct {
		pasted string
		flags  []string
		status int
		texts  []string
	}{
		"good":                   {good, both, 0, []string{"✓ form", "✓ signature", "✓ exp", "email", ada, ", in 2", "(a key that " + acme + " publishes: current, since ", "Result: good"}},
		"several audiences":      {good, []string{"--team", acme, "--aud", other, "--aud", audience}, 0, []string{"✓ aud", audience + " (" + other + " or " + audience + ")"}},
		"the previous key":       {user(accesstest.SignedByPreviousKey()), both, 0, []string{"publishes: previous, since ", "Result: good"}},
		"a header line":          {"cf-access-jwt-assertion: " + good + "\r\n", both, 0, []string{"Result: good"}},
		"a cookie line":          {"Cookie: a=b; CF_Authorization=" + good + "; c=d", both, 0, []string{"Result: good"}},
		"a curl command":         {"curl -H 'Cf-Access-Jwt-Assertion: " + good + "' http://x", both, 0, []string{"Result: good"}},
		"service token":          {team.SignService(audience, "ci-bot.access"), both, 0, []string{"common_name", "ci-bot.access", "Result: good"}},
		"old service token":      {team.SignService(audience, "ci-bot.access", accesstest.WithoutClaim("type"), claim("aud", audience)), both, 0, []string{"✓ type", "Result: good"}},
		"expired":                {user(claim("exp", ago(3*time.Hour))), both, 1, []string{"✗ exp", "exp was 3h0m", "ago, leeway 30s", "3h0m", "Result: bad"}},
		"another team's":         {stranger.SignUser(audience, ada), both, 1, []string{"✗ kid", "✗ signature", "✗ iss", stranger.Issuer(), fmt.Sprintf("want %q", acme), "Hint: this kid is not published"}},
		"another application's":  {team.SignUser(other, ada), both, 1, []string{"✗ aud", other, audience}},
		"the session's":          {user(claim("type", "org")), both, 1, []string{"✗ type", `type is "org", want "app"`, "Hint: this is the team's session token, not an application's"}},
		"of the metadata":        {team.Sign(map[string]any{"type": "meta", "aud": audience, "exp": ago(-time.Minute)}), both, 1, []string{"✗ iss", "✗ type", `type is "meta", want "app"`}},
		"several faults":         {user(claim("type", "org"), claim("aud", other), claim("exp", ago(time.Hour))), both, 1, []string{"✗ aud", "✗ type", "✗ exp", "✓ signature"}},
		"forged":                 {user(accesstest.SignedByStranger()), both, 1, []string{"✓ kid", "✗ signature", "✓ iss", "bad signature"}},
		"truncated":              {good[:500], both, 1, []string{"✗ form", `alg  "RS256"`, "Claims\n  can't be read", "Hint: a token is three parts"}},
		"alg none":               {user(accesstest.Unsigned()), both, 1, []string{"✗ alg", `alg  "none"`, "Hint: Access signs with RS256 only"}},
		"HS256":                  {user(accesstest.SignedHS256()), both, 1, []string{"✗ alg", "✗ signature"}},
		"a line break":           {good[:300] + "\n" + good[300:], both, 1, []string{"✗ form", "line break"}},
		"no kid":                 {user(accesstest.WithoutHeader("kid")), both, 1, []string{"✗ form", "without a kid"}},
		"a key that was rotated": {user(accesstest.WithHeader("kid", "gone")), both, 1, []string{"✗ kid", "Hint: this kid is not published"}},
		"dated ahead":            {user(claim("iat", ago(-2*time.Minute))), both, 1, []string{"✗ iat", "ahead of this clock", "Hint: this machine's clock is behind"}},
		"opaque":                 {"oauth:abc", both, 1, []string{"✗ form", "Header\n  can't be read", "Hint: a token is three parts"}},
		"nothing":                {"", both, 1, []string{"✗ form", "no token"}},
		"no team given":          {good, []string{"--aud", audience}, 2, []string{"? iss", "(not judged: give --team; ", "✓ signature", "Result: unknown"}},
		"no audience given":      {good, []string{"--team", acme}, 2, []string{"? aud", audience + " (not judged: give --aud; ", "Result: unknown"}},
		"neither given":          {good, nil, 2, []string{"? iss", "? aud", "give --team", "give --aud", "Result: unknown"}},
		"neither given, expired": {user(claim("exp", ago(time.Hour))), nil, 1, []string{"✗ exp", "Result: bad"}},
		"names no team":          {team.Sign(map[string]any{"type": "meta", "exp": ago(-time.Minute)}), nil, 1, []string{"? kid", "the token names no team", "✗ type"}},
		"names a team elsewhere": {user(claim("iss", "https://evil.example")), nil, 2, []string{"? signature  the token names no team as its issuer; give --team\n", "Result: unknown"}},
		"control characters":     {user(claim("name", "\x1b[31m\u0085\u061c\u202e")), both, 0, []string{`"\u001b[31m\u0085\u061c\u202e"`}},
		"custom claims":          {user(claim("custom", map[string]any{"groups": []string{"a"}, "id": uint64(1) << 63})), both, 0, []string{`{"groups":["a"],"id":9223372036854775808}`}},
		"a bad AUD tag":          {good, []string{"--team", acme, "--aud", "'x'"}, 2, []string{"has quotes in it"}},
		"a bad team":             {good, []string{"--team", "a b", "--aud", audience}, 2, []string{"is not a team"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, output := execute(t, test.pasted, append([]string{"verify"}, test.flags...)...)
			if status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			for _, text := range test.texts {
				if !strings.Contains(output, text) {
					t.Errorf("the output lacks %q", text)
				}
			}
			for part := range strings.SplitSeq(test.pasted, ".") {
				if len(part) > 20 && strings.Contains(output, part[:20]) {
					t.Errorf("the output has a part of the token: %s", part[:20])
				}
			}
			if t.Failed() || testing.Verbose() {
				t.Logf("\n%s", output)
			}
		})
	}
}

func TestVerifyTellsNothingWithoutKeys(t *testing.T) {
	team := newTeam(t)
	team.Fail(http.StatusInternalServerError)
	flags := []string{"verify", "--team", team.Issuer(), "--aud", audience}
	status, output := execute(t, team.SignUser(audience, "ada@example.com"), flags...)
	if status != 2 || !strings.Contains(output, "? signature") || !strings.Contains(output, "status 500") {
		t.Errorf("exit status %d, want 2:\n%s", status, output)
	}
	// What is bad with any key is bad.
	if status, output = execute(t, team.SignUser(other, "ada@example.com"), flags...); status != 1 {
		t.Errorf("another application's: exit status %d, want 1:\n%s", status, output)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A token must not choose which host this machine asks.
func TestVerifyAsksTeamsAndLoopbackOnly(t *testing.T) {
	network := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = network })
	http.DefaultTransport = roundTrip(func(r *http.Request) (*http.Response, error) {
		t.Errorf("asks %s", r.URL)
		return nil, errors.New("no network")
	})
	for _, issuer := range []string{"https://evil.example", "http://192.0.2.1", "https://acme.cloudflareaccess.com.evil.example", "https://acme.cloudflareaccess.com@evil.example", "https://evil.example/.cloudflareaccess.com"} {
		team := newTeam(t)
		status, output := execute(t, team.SignUser(audience, "ada@example.com", accesstest.WithClaim("iss", issuer)), "verify", "--aud", audience)
		if status != 2 || !strings.Contains(output, "the token names no team") {
			t.Errorf("%s: exit status %d:\n%s", issuer, status, output)
		}
	}
}

func TestVerifyReadsTheEnvironment(t *testing.T) {
	team := newTeam(t)
	t.Setenv("TEAM_DOMAIN", team.Issuer())
	t.Setenv("POLICY_AUD", other+", "+audience)
	if status, output := execute(t, "", "verify", team.SignUser(audience, "ada@example.com")); status != 0 {
		t.Errorf("exit status %d:\n%s", status, output)
	}
}

func TestVerifyJSON(t *testing.T) {
	team := newTeam(t)
	status, output := execute(t, team.SignUser(other, "ada@example.com"), "verify", "--json", "--team", team.Issuer(), "--aud", audience)
	var report struct {
		Result string
		Claims struct{ Email string }
		Checks []struct{ Name, Result, Got, Want, Error string }
	}
	if err := json.Unmarshal([]byte(output), &report); err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	if status != 1 || report.Result != "bad" || report.Claims.Email != "ada@example.com" {
		t.Errorf("exit status %d, report %+v", status, report)
	}
	for _, check := range report.Checks {
		if (check.Name == "aud") != (check.Result == "bad") || check.Name == "aud" && (check.Got != other || check.Want != audience) {
			t.Errorf("check %+v", check)
		}
		if check.Name == "kid" && (check.Got != team.KeyID() || !strings.Contains(check.Want, " publishes: current, since ")) {
			t.Errorf("check %+v", check)
		}
	}
}

func TestKeys(t *testing.T) {
	team := newTeam(t)
	status, output := execute(t, "", "keys", team.Issuer())
	for _, text := range []string{team.Issuer() + " publishes 2 keys", team.KeyID(), "2048  RS256  sig  current, since", "previous, since"} {
		if status != 0 || !strings.Contains(output, text) {
			t.Errorf("exit status %d, the output lacks %q:\n%s", status, text, output)
		}
	}

	var certs struct{ Keys []map[string]any }
	if err := json.Unmarshal(team.Certs(), &certs); err != nil {
		t.Fatal(err)
	}
	good := certs.Keys[0]
	with := func(name string, value any) map[string]any {
		key := map[string]any{"kid": "changed"}
		for n, v := range good {
			if n != "kid" {
				key[n] = v
			}
		}
		key[name] = value
		return key
	}
	for name, test := range map[string]struct {
		keys   []any
		status int
		texts  []string
	}{
		"another use":        {[]any{good, with("use", "enc")}, 0, []string{`skipped: key use "enc"`}},
		"another type":       {[]any{good, with("kty", "EC")}, 0, []string{`skipped: key type "EC"`}},
		"a small exponent":   {[]any{good, with("e", "Aw")}, 0, []string{"skipped: RSA exponent 3"}},
		"no key id":          {[]any{good, with("kid", "")}, 0, []string{"skipped: key without a kid"}},
		"not a key":          {[]any{good, "x"}, 0, []string{"skipped: json"}},
		"no usable key":      {[]any{with("use", "enc")}, 2, []string{`skipped: key use "enc"`, "no usable key"}},
		"a kid twice":        {[]any{good, with("kid", good["kid"]), certs.Keys[1]}, 0, nil},
		"control characters": {[]any{good, with("kid", "\x1b[2J")}, 0, []string{`\u001b[2J`}},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := json.Marshal(map[string]any{"keys": test.keys})
			if err != nil {
				t.Fatal(err)
			}
			team.Serve(string(body))
			status, output := execute(t, "", "keys", team.Issuer())
			if status != test.status {
				t.Errorf("exit status %d, want %d:\n%s", status, test.status, output)
			}
			for _, text := range test.texts {
				if !strings.Contains(output, text) {
					t.Errorf("the output lacks %q:\n%s", text, output)
				}
			}
		})
	}
	// Access's documentation says that public_cert may be stale.
	t.Run("a stale public_cert", func(t *testing.T) {
		var old, stale struct {
			Keys         []any          `json:"keys"`
			PublicCert   map[string]any `json:"public_cert"`
			Certificates []any          `json:"public_certs"`
		}
		synctest.Test(t, func(t *testing.T) { // where it is the year 2000
			local, err := accesstest.NewLocalTeam("http://127.0.0.1:1", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(local.Certs(), &old); err != nil {
				t.Fatal(err)
			}
		})
		if err := json.Unmarshal(team.Certs(), &stale); err != nil {
			t.Fatal(err)
		}
		stale.Keys[0], stale.Certificates[0], stale.PublicCert = old.Keys[1], old.Certificates[1], old.PublicCert
		body, err := json.Marshal(stale)
		if err != nil {
			t.Fatal(err)
		}
		team.Serve(string(body))
		_, output := execute(t, "", "keys", team.Issuer())
		for line := range strings.Lines(output) {
			if strings.Contains(line, team.KeyID()) && !strings.Contains(line, "current") {
				t.Errorf("the newest key is not the current one:\n%s", output)
			}
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		if status, output := execute(t, "", "keys", server.URL); status != 2 || !strings.Contains(output, "refused") {
			t.Errorf("exit status %d:\n%s", status, output)
		}
	})
	t.Run("no team", func(t *testing.T) {
		if status, output := execute(t, "", "keys"); status != 2 || !strings.Contains(output, "is not a team") {
			t.Errorf("exit status %d:\n%s", status, output)
		}
	})
}

// A shell's history or a CI log must not get a token that was typed in the wrong place.
func TestMistypedTokenIsNotPrinted(t *testing.T) {
	token := newTeam(t).SignUser(audience, "ada@example.com")
	for _, arguments := range [][]string{{token}, {"keys", token}, {"verify", "--team", token}, {"verify", "--aud", token, "--team", "acme"}, {"verify", token, token}} {
		status, output := execute(t, "", arguments...)
		if status == 0 || strings.Contains(output, token[:40]) || strings.Contains(output, token[200:240]) {
			t.Errorf("exit status %d: %s", status, output)
		}
	}
}

func TestJSONHasNoControlCharacters(t *testing.T) {
	const name = "\x1b[31m\x7f\u009b\u202e\u2066"
	team := newTeam(t)
	_, output := execute(t, team.SignUser(audience, "ada@example.com", accesstest.WithClaim("name", name)), "verify", "--json", "--team", team.Issuer())
	var report struct{ Claims struct{ Name string } }
	if err := json.Unmarshal([]byte(output), &report); err != nil || report.Claims.Name != name {
		t.Errorf("%v, name %q", err, report.Claims.Name)
	}
	if strings.ContainsAny(output, name[:1]+name[5:]) {
		t.Errorf("printed %q", output)
	}
}

// A terminal may take a byte that isn't UTF-8 for a control character of ISO 8859-1.
func TestVerifyPrintsNoByteOutsideUTF8(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + encode([]byte("{\"name\":\"\x9b31m\",\"\x9b\\n\":1}")) + ".AAAA"
	for _, flags := range [][]string{nil, {"--json"}} {
		_, output := execute(t, token, append([]string{"verify"}, flags...)...)
		if !utf8.ValidString(output) || !strings.Contains(output, `\ufffd31m`) || strings.Contains(output, "\n\":") {
			t.Errorf("%v: printed %q", flags, output)
		}
	}
}

// The keys that are shown are those that were used.
func TestVerifyFetchesOnce(t *testing.T) {
	for name, options := range map[string][]accesstest.Option{"good": nil, "an unknown key": {accesstest.WithHeader("kid", "gone")}} {
		team := newTeam(t)
		execute(t, team.SignUser(audience, "ada@example.com", options...), "verify", "--team", team.Issuer(), "--aud", audience)
		if fetches := team.Fetches(); fetches != 1 {
			t.Errorf("%s: %d fetches", name, fetches)
		}
	}
}
