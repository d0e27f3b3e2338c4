package core_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// AUD tags, as Cloudflare's dashboard shows them.
const (
	aud      = "32eafc7626e737604f7ac3d8f5eec6d4b3a6e2a4b5ffe2f5cbdcd9c2aa2b4228"
	otherAUD = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

// A real program leaves Endpoint empty; here the team is a fake one.
var exampleVerifier = sync.OnceValues(func() (*core.Verifier, *accesstest.Team) {
	team := accesstest.NewTeam("acme")
	v, err := core.New(core.Config{Team: "acme", Audiences: []string{aud}, Endpoint: team.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	return v, team
})

// What every adapter does: admit, or refuse; forward what the handler may see.
func Example() {
	v, team := exampleVerifier()
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := core.FromContext(r.Context())
		fmt.Fprintf(w, "hello %s\n", claims.Email)
	})
	protected := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, err := v.Admit(r.Context(), r.Header, core.Rule{Policy: core.EmailDomains("example.com")})
		if err != nil {
			core.Refuse(err).ServeHTTP(w, r)
			return
		}
		hello.ServeHTTP(w, core.Forward(r, claims))
	})

	for _, token := range []string{
		team.SignUser(aud, "ada@example.com"),
		team.SignUser(aud, "eve@elsewhere.example"),
		team.SignUser(aud, "ada@example.com", accesstest.SignedByStranger()),
	} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set(core.TokenHeader, token)
		answer := httptest.NewRecorder()
		protected.ServeHTTP(answer, request)
		fmt.Print(answer.Code, " ", answer.Body)
	}
	// Output:
	// 200 hello ada@example.com
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"detail":"You are signed in, but not allowed to do this.","code":"forbidden"}
	// 401 {"type":"about:blank","title":"Unauthorized","status":401,"detail":"The Access token is not valid here.","code":"token_invalid"}
}

func ExampleConfigFromEnv() {
	os.Setenv("TEAM_DOMAIN", "https://acme.cloudflareaccess.com")
	os.Setenv("POLICY_AUD", aud+","+otherAUD)
	defer os.Unsetenv("TEAM_DOMAIN")
	defer os.Unsetenv("POLICY_AUD")
	cfg, err := core.ConfigFromEnv()
	fmt.Println(cfg.Team, len(cfg.Audiences), err)
	// Output: https://acme.cloudflareaccess.com 2 <nil>
}

func ExampleVerifier_Verify() {
	v, team := exampleVerifier()
	claims, err := v.Verify(context.Background(), team.SignUser(aud, "ada@example.com"))
	fmt.Println(claims.Email, err)

	expired := team.SignUser(aud, "ada@example.com", accesstest.WithExpiry(time.Now().Add(-time.Hour)))
	_, err = v.Verify(context.Background(), expired)
	fmt.Println(errors.Is(err, core.ErrExpired))
	// Output:
	// ada@example.com <nil>
	// true
}

func ExampleVerifier_Explain() {
	v, team := exampleVerifier()
	token := team.SignUser(otherAUD, "ada@example.com", accesstest.WithClaim("type", "org"))
	for _, check := range v.Explain(context.Background(), token).Checks {
		if check.Err != nil {
			fmt.Printf("%s: %.8s, want %.8s\n", check.Name, check.Got, check.Want)
		}
	}
	// Output:
	// aud: 0f1e2d3c, want 32eafc76
	// type: org, want app
}

func ExampleVerifier_Admit() {
	v, team := exampleVerifier()
	headers := http.Header{}
	headers.Set(core.TokenHeader, team.SignService(aud, "ci-bot"))
	_, err := v.Admit(context.Background(), headers, core.Rule{Policy: core.Users()})
	fmt.Println(errors.Is(err, core.ErrForbidden))

	claims, err := v.Admit(context.Background(), http.Header{}, core.Rule{Optional: true})
	fmt.Println(claims == nil, err)
	// Output:
	// true
	// true <nil>
}

func ExampleRefuse() {
	refusal := core.Refuse(core.ErrExpired)
	fmt.Println(refusal.Status, refusal.Challenge)
	fmt.Printf("%s", refusal.Body())
	// Output:
	// 401 Bearer realm="Cloudflare Access", error="invalid_token", error_description="The Access token has expired."
	// {"type":"about:blank","title":"Unauthorized","status":401,"detail":"The Access token has expired.","code":"token_expired"}
}

func ExampleClaims_Decode() {
	v, team := exampleVerifier()
	claims, err := v.Verify(context.Background(), team.SignUser(aud, "ada@example.com",
		accesstest.WithClaim("custom", map[string]any{"department": "research"})))
	if err != nil {
		panic(err)
	}
	var payload struct {
		Custom struct{ Department string }
	}
	if err := claims.Decode(&payload); err != nil {
		panic(err)
	}
	fmt.Println(payload.Custom.Department)
	// Output: research
}

func ExampleFromContext() {
	handler := func(ctx context.Context) string {
		claims, ok := core.FromContext(ctx)
		if !ok {
			return "nobody"
		}
		return claims.Email
	}
	fmt.Println(handler(context.Background()))
	fmt.Println(handler(core.NewContext(context.Background(), &core.Claims{Email: "ada@example.com"})))
	// Output:
	// nobody
	// ada@example.com
}

// People of the company, and one service; but not from an embargoed country.
func ExamplePolicy() {
	policy := core.AllOf(
		core.AnyOf(core.EmailDomains("example.com"), core.Services("e367826f93b8d71185e03fe518aff3b4.access")),
		core.Not(core.Countries("XX")),
	)
	for _, c := range []*core.Claims{
		{Email: "ada@example.com", Country: "DE"},
		{Email: "eve@elsewhere.example", Country: "DE"},
		{Email: "ada@example.com", Country: "XX"},
		{CommonName: "e367826f93b8d71185e03fe518aff3b4.access"},
	} {
		fmt.Println(policy(context.Background(), c) == nil)
	}
	// Output:
	// true
	// false
	// false
	// true
}

// A policy may be any function; what it returns is for the operator.
func ExamplePolicy_own() {
	researchers := func(_ context.Context, c *core.Claims) error {
		if department := c.Custom["department"]; department != "research" {
			return fmt.Errorf("department is %v", department)
		}
		return nil
	}
	caller := &core.Claims{Email: "ada@example.com", Custom: map[string]any{"department": "sales"}}
	_, err := core.Require(core.NewContext(context.Background(), caller), researchers)
	fmt.Println(err)
	// Output: cfaccess: forbidden: department is sales
}

// One server, two applications at Access: each route takes the tokens of one.
func ExampleAudience() {
	forWiki := &core.Claims{Email: "ada@example.com"}
	forWiki.Audience = []string{aud}
	payroll := core.Audience(otherAUD)
	fmt.Println(payroll(context.Background(), forWiki) == nil)
	// Output: false
}

// Engineers, as Access knows them from the identity provider.
func ExampleGroups() {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	team.SetGroups("ada@example.com", "engineering")
	v, err := core.New(core.Config{Team: "acme", Audiences: []string{aud}, Endpoint: team.URL})
	if err != nil {
		panic(err)
	}
	engineers := core.Groups("engineering")
	for _, email := range []string{"ada@example.com", "eve@example.com"} {
		claims, err := v.Verify(context.Background(), team.SignUser(aud, email))
		if err != nil {
			panic(err)
		}
		fmt.Println(email, engineers(context.Background(), claims) == nil)
	}
	// Output:
	// ada@example.com true
	// eve@example.com false
}
