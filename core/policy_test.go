package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// answer is a policy that always returns this.
func answer(err error) Policy { return func(context.Context, *Claims) error { return err } }

// errDown is the error of a policy whose backend can't be asked.
var errDown = fmt.Errorf("%w: %w", ErrPolicyUnavailable, io.ErrUnexpectedEOF)

func TestPolicies(t *testing.T) {
	person := &Claims{
		RegisteredClaims: jwt.RegisteredClaims{Subject: "7335d417", Audience: jwt.ClaimStrings{"a", "b"}},
		Email:            "Ada@Example.com", Country: "DE",
		Custom: map[string]any{"department": "research", "groups": []any{"admins", 7.0, "dev,ops"}, "level": 7.0, "manager": true, "empty": "", "none": nil, "site": object{"research": "x"}},
	}
	service := &Claims{RegisteredClaims: jwt.RegisteredClaims{Audience: jwt.ClaimStrings{"a"}}, CommonName: "ci-bot"}
	// A person who showed a client certificate has a common name too.
	certified := &Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "x"}, Email: "eve@example.com", CommonName: "ci-bot"}
	withoutEmail := &Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "x"}, CommonName: "ci-bot"}
	email := func(address string) *Claims { return &Claims{Email: address} }
	empty := &Claims{}
	allow, refuse := answer(nil), answer(errTest)

	for name, test := range map[string]struct {
		policy Policy
		claims *Claims
		want   error
	}{
		"Users: a person":                       {Users(), person, nil},
		"Users: a service":                      {Users(), service, ErrForbidden},
		"Users: no claims":                      {Users(), empty, ErrForbidden},
		"Users: a person listed":                {Users("x", "7335d417"), person, nil},
		"Users: a person not listed":            {Users("x"), person, ErrForbidden},
		"Users: without a subject":              {Users(""), email("ada@example.com"), ErrForbidden},
		"Users: a certified person":             {Users(), certified, nil},
		"Services: a service":                   {Services(), service, nil},
		"Services: a service not listed":        {Services("other"), service, ErrForbidden},
		"Services: other case":                  {Services("CI-BOT"), service, ErrForbidden},
		"Services: a person":                    {Services(), person, ErrForbidden},
		"Services: a person with a common name": {Services("ci-bot"), certified, ErrForbidden},
		"Services: a person without an email":   {Services(), withoutEmail, ErrForbidden},
		"Services: no claims":                   {Services(), empty, ErrForbidden},
		"Emails: listed in other case":          {Emails("bob@example.com", "ADA@example.COM"), person, nil},
		"Emails: none listed":                   {Emails(), person, ErrForbidden},
		"Emails: no email":                      {Emails(""), service, ErrForbidden},
		"Emails: ASCII alone has case":          {Emails("kate@example.com"), email("\u212aate@example.com"), ErrForbidden},
		"EmailDomains: listed":                  {EmailDomains("example.org", "EXAMPLE.com"), person, nil},
		"EmailDomains: listed with @":           {EmailDomains("@example.com"), person, nil},
		"EmailDomains: a subdomain":             {EmailDomains("com"), person, ErrForbidden},
		"EmailDomains: the end of another":      {EmailDomains("ample.com"), person, ErrForbidden},
		"EmailDomains: none listed":             {EmailDomains(), person, ErrForbidden},
		"EmailDomains: no email":                {EmailDomains(""), service, ErrForbidden},
		"EmailDomains: no @ at all":             {EmailDomains("example.com"), email("example.com"), ErrForbidden},
		"EmailDomains: nothing behind the @":    {EmailDomains(""), email("ada@"), ErrForbidden},
		"EmailDomains: the last @ is ours":      {EmailDomains("example.com"), email(`"a@b"@example.com`), nil},
		"EmailDomains: the last @ counts":       {EmailDomains("example.com"), email(`"eve@example.com"@evil.example`), ErrForbidden},
		"Countries: listed in other case":       {Countries("us", "de"), person, nil},
		"Countries: none listed":                {Countries(), person, ErrForbidden},
		"Countries: a service has none":         {Countries("DE", ""), service, ErrForbidden},
		"Audience: listed":                      {Audience("x", "b"), person, nil},
		"Audience: not listed":                  {Audience("b"), service, ErrForbidden},
		"Audience: none listed":                 {Audience(), person, ErrForbidden},
		"Custom: a string":                      {Custom("department", "sales", "research"), person, nil},
		"Custom: another string":                {Custom("department", "sales"), person, ErrForbidden},
		"Custom: other case":                    {Custom("department", "Research"), person, ErrForbidden},
		"Custom: an array with it":              {Custom("groups", "admins"), person, nil},
		"Custom: an array with a list in it":    {Custom("groups", "dev"), person, ErrForbidden},
		"Custom: a number":                      {Custom("level", "7"), person, ErrForbidden},
		"Custom: a boolean":                     {Custom("manager", "true"), person, ErrForbidden},
		"Custom: an object":                     {Custom("site", "research"), person, ErrForbidden},
		"Custom: null":                          {Custom("none", ""), person, ErrForbidden},
		"Custom: absent":                        {Custom("absent", ""), person, ErrForbidden},
		"Custom: the empty string":              {Custom("empty", ""), person, nil},
		"Custom: no value":                      {Custom("department"), person, ErrForbidden},
		"Custom: no claims at all":              {Custom("department", "research"), service, ErrForbidden},
		"AllOf: all allow":                      {AllOf(allow, Users(), allow), person, nil},
		"AllOf: one refuses":                    {AllOf(allow, refuse, allow), person, ErrForbidden},
		"AllOf: of none":                        {AllOf(), person, nil},
		"AllOf: one unavailable":                {AllOf(allow, answer(errDown), allow), person, ErrPolicyUnavailable},
		"AllOf: a refusal wins, after":          {AllOf(answer(errDown), refuse), person, ErrForbidden},
		"AllOf: a refusal wins, before":         {AllOf(refuse, answer(errDown)), person, ErrForbidden},
		"AnyOf: one allows":                     {AnyOf(refuse, allow), person, nil},
		"AnyOf: all refuse":                     {AnyOf(refuse, refuse), person, ErrForbidden},
		"AnyOf: of none":                        {AnyOf(), person, ErrForbidden},
		"AnyOf: one that allows wins":           {AnyOf(answer(errDown), refuse, allow), person, nil},
		"AnyOf: then unavailable":               {AnyOf(refuse, answer(errDown), refuse), person, ErrPolicyUnavailable},
		"Not: of one that refuses":              {Not(refuse), person, nil},
		"Not: of one that allows":               {Not(allow), person, ErrForbidden},
		"Not: of an unavailable one":            {Not(answer(errDown)), person, ErrPolicyUnavailable},
		"Not: twice":                            {Not(Not(Users())), person, nil},
		"Not: twice, unavailable":               {Not(Not(answer(errDown))), person, ErrPolicyUnavailable},
		"nested: services or a domain, but one": {AllOf(AnyOf(Services(), EmailDomains("example.com")), Not(Emails("eve@example.com"))), certified, ErrForbidden},
		"a policy of one's own: unavailable":    {answer(ErrPolicyUnavailable), person, ErrPolicyUnavailable},
		// Any error refuses; one that matches both classes is unavailable.
		"an error of both classes":             {answer(errors.Join(ErrForbidden, ErrPolicyUnavailable)), person, ErrPolicyUnavailable},
		"an error of both classes, wrapped":    {AnyOf(answer(fmt.Errorf("%w: %w", ErrForbidden, errDown))), person, ErrPolicyUnavailable},
		"an error that says ErrForbidden":      {answer(ErrForbidden), person, ErrForbidden},
		"another verifier's ErrExpired":        {answer(fmt.Errorf("inner: %w", ErrExpired)), person, ErrForbidden},
		"another verifier's keys unavailable":  {answer(errors.Join(errTest, ErrKeysUnavailable)), person, ErrForbidden},
		"a backend that can't be dialed":       {answer(errors.New("dial tcp: connection refused")), person, ErrForbidden},
		"a backend that can't be dialed, said": {answer(fmt.Errorf("%w: dial tcp", ErrPolicyUnavailable)), person, ErrPolicyUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.policy(t.Context(), test.claims); (err == nil) != (test.want == nil) {
				t.Errorf("the policy returns %v", err)
			}
			claims, err := Require(NewContext(t.Context(), test.claims), test.policy)
			wantClass(t, err, test.want)
			if (claims == test.claims) != (err == nil) {
				t.Errorf("got %v, %v", claims, err)
			}
		})
	}
}

// A policy's error keeps its cause, whatever class it has.
func TestPolicyErrorsKeepTheirCause(t *testing.T) {
	_, refused := newRig(t).Admit(t.Context(), inHeader(signUser(forged)), Rule{})
	for name, test := range map[string]struct {
		err   error
		want  error
		cause error
	}{
		"a refusal":          {errTest, ErrForbidden, errTest},
		"unavailable":        {errDown, ErrPolicyUnavailable, io.ErrUnexpectedEOF},
		"another verifier's": {fmt.Errorf("%w: %w", refused, io.EOF), ErrForbidden, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newRig(t).Admit(t.Context(), inHeader(signUser()), Rule{Policy: AnyOf(answer(test.err))})
			wantClass(t, err, test.want)
			wantText(t, err, test.err.Error())
			if !errors.Is(err, test.cause) {
				t.Errorf("error %q doesn't match its cause", err)
			}
		})
	}
	_, err := Require(NewContext(t.Context(), &Claims{}), answer(&time.ParseError{Layout: "x"}))
	if cause, ok := errors.AsType[*time.ParseError](err); !ok || cause.Layout != "x" {
		t.Errorf("errors.As doesn't find the cause of %v", err)
	}
}

// A policy that gave up because the request ended has refused nobody.
func TestNotUnderAnEndedContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range map[string]error{"its error": context.Canceled, "an error of its own": errTest, "it allows": nil} {
		t.Run(name, func(t *testing.T) {
			_, err := Require(NewContext(ended, &Claims{}), Not(answer(err)))
			wantClass(t, err, ErrPolicyUnavailable)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %q doesn't match context.Canceled", err)
			}
		})
	}
}

func TestCombinatorsPanicOnANilPolicy(t *testing.T) {
	wantPanic(t, "AllOf", func() { AllOf(Users(), nil) })
	wantPanic(t, "AnyOf", func() { AnyOf(nil) })
	wantPanic(t, "Not", func() { Not(nil) })
}

// A list that the caller changes afterwards changes no policy.
func TestPoliciesCopyTheirArguments(t *testing.T) {
	emails, policies := []string{"ada@example.com"}, []Policy{Users()}
	asked := AllOf(Emails(emails...), AllOf(policies...))
	emails[0], policies[0] = "eve@example.com", answer(errTest)
	if err := asked(t.Context(), &Claims{Email: "ada@example.com"}); err != nil {
		t.Error(err)
	}
}

func TestRequire(t *testing.T) {
	claims := &Claims{Email: "ada@example.com"}
	for name, test := range map[string]struct {
		ctx    context.Context
		policy Policy
		want   error
	}{
		"a caller, no policy":      {NewContext(t.Context(), claims), nil, nil},
		"a caller, it refuses":     {NewContext(t.Context(), claims), Services(), ErrForbidden},
		"no caller, no policy":     {t.Context(), nil, ErrNoToken},
		"no caller, a policy":      {t.Context(), answer(nil), ErrNoToken},
		"nil claims, no policy":    {NewContext(t.Context(), nil), nil, ErrNoToken},
		"a framework's own caller": {frameworkContext{t.Context(), map[string]any{"cfaccess": claims}}, Users(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Require(test.ctx, test.policy)
			wantClass(t, err, test.want)
			if (got == claims) != (err == nil) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
