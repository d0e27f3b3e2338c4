package core_test

import (
	"context"
	"errors"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cfaccess/cfaccess/core"
)

func TestPolicies(t *testing.T) {
	person := &core.Claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: "7335d417", Audience: jwt.ClaimStrings{"a", "b"}},
		Email:            "Ada@Example.com", Country: "DE",
	}
	service := &core.Claims{RegisteredClaims: jwt.RegisteredClaims{Audience: jwt.ClaimStrings{"a"}}, CommonName: "ci-bot"}
	// A person who showed a client certificate has a common name too.
	certified := &core.Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "x"}, Email: "eve@example.com", CommonName: "ci-bot"}
	kelvin := &core.Claims{Email: "\u212aate@example.com"}
	quoted := &core.Claims{Email: `"eve@example.com"@evil.example`}
	quotedOurs := &core.Claims{Email: `"a@b"@example.com`}
	idless := &core.Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "x"}, CommonName: "ci-bot"}
	nobody := &core.Claims{}
	allow := func(context.Context, *core.Claims) error { return nil }
	deny := func(context.Context, *core.Claims) error { return errDenied }

	tests := map[string]struct {
		policy core.Policy
		claims *core.Claims
		allows bool
	}{
		"Users: a person":                        {core.Users(), person, true},
		"Users: a service":                       {core.Users(), service, false},
		"Users: nobody":                          {core.Users(), nobody, false},
		"Users: a person listed":                 {core.Users("x", "7335d417"), person, true},
		"Users: a person not listed":             {core.Users("x"), person, false},
		"Users: a certified person":              {core.Users(), certified, true},
		"Services: a service":                    {core.Services(), service, true},
		"Services: a service listed":             {core.Services("other", "ci-bot"), service, true},
		"Services: a service not listed":         {core.Services("other"), service, false},
		"Services: other case":                   {core.Services("CI-BOT"), service, false},
		"Services: a person":                     {core.Services(), person, false},
		"Services: a person with a common name":  {core.Services("ci-bot"), certified, false},
		"Services: nobody":                       {core.Services(), nobody, false},
		"Emails: listed in other case":           {core.Emails("bob@example.com", "ADA@example.COM"), person, true},
		"Emails: not listed":                     {core.Emails("bob@example.com"), person, false},
		"Emails: none listed":                    {core.Emails(), person, false},
		"Emails: no email":                       {core.Emails(""), service, false},
		"Emails: ASCII alone has case":           {core.Emails("kate@example.com"), kelvin, false},
		"EmailDomains: listed":                   {core.EmailDomains("example.org", "EXAMPLE.com"), person, true},
		"EmailDomains: listed with @":            {core.EmailDomains("@example.com"), person, true},
		"EmailDomains: a subdomain":              {core.EmailDomains("com"), person, false},
		"EmailDomains: a parent":                 {core.EmailDomains("mail.example.com"), person, false},
		"EmailDomains: the end of another":       {core.EmailDomains("ample.com"), person, false},
		"EmailDomains: none listed":              {core.EmailDomains(), person, false},
		"EmailDomains: no email":                 {core.EmailDomains(""), service, false},
		"EmailDomains: the last @ is ours":       {core.EmailDomains("example.com"), quotedOurs, true},
		"Services: a person without an email":    {core.Services(), idless, false},
		"EmailDomains: no @ at all":              {core.EmailDomains("example.com"), &core.Claims{Email: "example.com"}, false},
		"EmailDomains: the last @ counts":        {core.EmailDomains("example.com"), quoted, false},
		"EmailDomains: of a certified person":    {core.EmailDomains("example.com"), certified, true},
		"Countries: listed in other case":        {core.Countries("us", "de"), person, true},
		"Countries: not listed":                  {core.Countries("US"), person, false},
		"Countries: none listed":                 {core.Countries(), person, false},
		"Countries: a service has none":          {core.Countries("DE", ""), service, false},
		"Audience: listed":                       {core.Audience("x", "b"), person, true},
		"Audience: not listed":                   {core.Audience("b"), service, false},
		"Audience: none listed":                  {core.Audience(), person, false},
		"Audience: none in the token":            {core.Audience(""), nobody, false},
		"AllOf: all allow":                       {core.AllOf(allow, core.Users(), allow), person, true},
		"AllOf: one denies":                      {core.AllOf(allow, deny, allow), person, false},
		"AllOf: of none":                         {core.AllOf(), person, true},
		"AnyOf: one allows":                      {core.AnyOf(deny, allow), person, true},
		"AnyOf: all deny":                        {core.AnyOf(deny, deny), person, false},
		"AnyOf: of none":                         {core.AnyOf(), person, false},
		"Not: of one that denies":                {core.Not(deny), person, true},
		"Not: of one that allows":                {core.Not(allow), person, false},
		"Not: twice":                             {core.Not(core.Not(core.Users())), person, true},
		"nested: services or a domain, but one":  {core.AllOf(core.AnyOf(core.Services(), core.EmailDomains("example.com")), core.Not(core.Emails("eve@example.com"))), certified, false},
		"nested: services or a domain, a person": {core.AllOf(core.AnyOf(core.Services(), core.EmailDomains("example.com")), core.Not(core.Emails("eve@example.com"))), person, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.policy(t.Context(), test.claims)
			if (err == nil) != test.allows {
				t.Errorf("got %v, want it to allow: %v", err, test.allows)
			}
			_, err = core.Require(core.NewContext(t.Context(), test.claims), test.policy)
			if test.allows {
				wantClass(t, err, nil)
			} else {
				wantClass(t, err, core.ErrForbidden)
			}
		})
	}
}

// A policy that gave up because the request ended has refused nobody.
func TestNotDoesNotAllowWhenTheContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lookUp := func(ctx context.Context, _ *core.Claims) error { return ctx.Err() }
	if err := core.Not(lookUp)(ctx, &core.Claims{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestCombinatorsPanicOnANilPolicy(t *testing.T) {
	for name, make := range map[string]func(){
		"AllOf": func() { core.AllOf(core.Users(), nil) },
		"AnyOf": func() { core.AnyOf(nil) },
		"Not":   func() { core.Not(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic: taken for a policy that allows, nil is a hole")
				}
			}()
			make()
		})
	}
}

// A list that the caller changes afterwards changes no policy.
func TestPoliciesCopyTheirArguments(t *testing.T) {
	person := &core.Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "ada"}}
	subjects := []string{"ada"}
	policy := core.Users(subjects...)
	subjects[0] = "eve"
	if err := policy(t.Context(), person); err != nil {
		t.Error(err)
	}
}

func TestRequire(t *testing.T) {
	claims := &core.Claims{Email: "ada@example.com"}
	with := core.NewContext(context.Background(), claims)

	got, err := core.Require(with, nil)
	if err != nil || got != claims {
		t.Errorf("nil policy: %v, %v", got, err)
	}
	_, err = core.Require(with, core.Services())
	wantClass(t, err, core.ErrForbidden)
	_, err = core.Require(context.Background(), nil)
	wantClass(t, err, core.ErrNoToken)
	_, err = core.Require(core.NewContext(context.Background(), nil), nil)
	wantClass(t, err, core.ErrNoToken)
}
