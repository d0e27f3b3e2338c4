package core_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// Finding the token, row by row of the design.
func TestAuthenticate(t *testing.T) {
	team := newTeam(t)
	v := newVerifier(t, team)
	ada := team.SignUser(testAudience, "ada@example.com")
	bob := team.SignUser(testAudience, "bob@example.com")
	expired := team.SignUser(testAudience, "old@example.com", accesstest.WithExpiry(time.Now().Add(-time.Hour)))
	forged := team.SignUser(testAudience, "eve@example.com", accesstest.SignedByStranger())
	cookie := func(values ...string) http.Header {
		return http.Header{"Cookie": {"CF_Authorization=" + strings.Join(values, "; CF_Authorization=")}}
	}

	tests := map[string]struct {
		headers http.Header
		email   string
		want    error
	}{
		"nothing":                           {http.Header{}, "", core.ErrNoToken},
		"the header":                        {http.Header{core.TokenHeader: {ada}}, "ada@example.com", nil},
		"the header before the cookie":      {http.Header{core.TokenHeader: {ada}, "Cookie": cookie(bob)["Cookie"]}, "ada@example.com", nil},
		"a bad header is not rescued":       {http.Header{core.TokenHeader: {forged}, "Cookie": cookie(bob)["Cookie"]}, "", core.ErrSignature},
		"an empty header is not rescued":    {http.Header{core.TokenHeader: {""}, "Cookie": cookie(bob)["Cookie"]}, "", core.ErrMalformed},
		"two headers":                       {http.Header{core.TokenHeader: {ada, ada}}, "", core.ErrMalformed},
		"two headers, an intruder's first":  {http.Header{core.TokenHeader: {forged, ada}}, "", core.ErrMalformed},
		"two headers, the second empty":     {http.Header{core.TokenHeader: {ada, ""}}, "", core.ErrMalformed},
		"two tokens in one header":          {http.Header{core.TokenHeader: {ada + ", " + ada}}, "", core.ErrMalformed},
		"the cookie":                        {cookie(ada), "ada@example.com", nil},
		"the cookie among others":           {http.Header{"Cookie": {"a=b; CF_Authorization=" + ada + "; c=d"}}, "ada@example.com", nil},
		"the cookie among malformed ones":   {http.Header{"Cookie": {"=;;\x00; a b=\"; CF_Authorization=" + ada + ";;"}}, "ada@example.com", nil},
		"the cookie in quotes":              {cookie(`"` + ada + `"`), "ada@example.com", nil},
		"the cookie with space around":      {http.Header{"Cookie": {" \tCF_Authorization = " + ada + " \t"}}, "ada@example.com", nil},
		"the cookie in a second line":       {http.Header{"Cookie": {"a=b", "CF_Authorization=" + ada}}, "ada@example.com", nil},
		"the cookie's name has one case":    {http.Header{"Cookie": {"cf_authorization=" + ada}}, "", core.ErrNoToken},
		"another cookie's value":            {http.Header{"Cookie": {"a=CF_Authorization=" + ada}}, "", core.ErrNoToken},
		"another cookie's name":             {http.Header{"Cookie": {"XCF_Authorization=" + ada}}, "", core.ErrNoToken},
		"an empty cookie":                   {cookie(""), "", core.ErrMalformed},
		"the first cookie that verifies":    {cookie(expired, "", bob, ada), "bob@example.com", nil},
		"none verifies, the first's error":  {cookie(expired, forged), "", core.ErrExpired},
		"none verifies, the first's error2": {cookie(forged, expired), "", core.ErrSignature},
		"the fourth cookie":                 {cookie("", "", "", ada), "ada@example.com", nil},
		"not the fifth cookie":              {cookie(expired, "", "", "", ada), "", core.ErrExpired},
		"four at most over several lines":   {http.Header{"Cookie": append(cookie(expired, "", "")["Cookie"], cookie("", ada)["Cookie"]...)}, "", core.ErrExpired},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			claims, err := v.Authenticate(t.Context(), test.headers)
			wantClass(t, err, test.want)
			if test.want == nil && claims.Email != test.email {
				t.Errorf("got %s, want %s", claims.Email, test.email)
			}
			if test.want != nil && claims != nil {
				t.Errorf("claims %v with an error", claims)
			}
		})
	}
}

func TestAdmit(t *testing.T) {
	team := newTeam(t)
	good := http.Header{core.TokenHeader: {team.SignUser(testAudience, "ada@example.com")}}
	bad := http.Header{core.TokenHeader: {team.SignUser(testAudience, "ada@example.com", accesstest.SignedByStranger())}}
	none := http.Header{}
	deny := func(context.Context, *core.Claims) error { return errDenied }

	tests := map[string]struct {
		headers   http.Header
		rule      core.Rule
		anonymous bool
		want      error
	}{
		"zero rule, good token":         {good, core.Rule{}, false, nil},
		"zero rule, bad token":          {bad, core.Rule{}, false, core.ErrSignature},
		"zero rule, no token":           {none, core.Rule{}, false, core.ErrNoToken},
		"optional, good token":          {good, core.Rule{Optional: true}, false, nil},
		"optional, bad token":           {bad, core.Rule{Optional: true}, false, core.ErrSignature},
		"optional, no token":            {none, core.Rule{Optional: true}, true, nil},
		"optional, empty header":        {http.Header{core.TokenHeader: {""}}, core.Rule{Optional: true}, false, core.ErrMalformed},
		"optional, empty cookie":        {http.Header{"Cookie": {"CF_Authorization="}}, core.Rule{Optional: true}, false, core.ErrMalformed},
		"optional, policy denies":       {good, core.Rule{Optional: true, Policy: deny}, false, core.ErrForbidden},
		"optional, policy is not asked": {none, core.Rule{Optional: true, Policy: deny}, true, nil},
		"policy allows":                 {good, core.Rule{Policy: core.Emails("ada@example.com")}, false, nil},
		"policy denies":                 {good, core.Rule{Policy: core.Emails("bob@example.com")}, false, core.ErrForbidden},
		"policy is not asked of a bad":  {bad, core.Rule{Policy: deny}, false, core.ErrSignature},
		"policy with another class":     {good, core.Rule{Policy: func(context.Context, *core.Claims) error { return core.ErrExpired }}, false, core.ErrForbidden},
		"policy with two classes":       {good, core.Rule{Policy: func(context.Context, *core.Claims) error { return errors.Join(core.ErrForbidden, core.ErrNoToken) }}, false, core.ErrForbidden},
		"policy with two others": {good, core.Rule{Policy: func(context.Context, *core.Claims) error {
			return errors.Join(core.ErrForbidden, core.ErrKeysUnavailable)
		}}, false, core.ErrForbidden},
		"policy that says ErrForbidden":   {good, core.Rule{Policy: func(context.Context, *core.Claims) error { return core.ErrForbidden }}, false, core.ErrForbidden},
		"policy that needs the anonymous": {none, core.Rule{Policy: core.Not(core.Users())}, false, core.ErrNoToken},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			claims, err := newVerifier(t, team).Admit(t.Context(), test.headers, test.rule)
			wantClass(t, err, test.want)
			if wantClaims := err == nil && !test.anonymous; (claims != nil) != wantClaims {
				t.Errorf("got claims %v, error %v", claims, err)
			}
		})
	}

	_, err := newVerifier(t, team).Admit(t.Context(), good, core.Rule{Policy: deny})
	if !errors.Is(err, errDenied) {
		t.Errorf("the policy's own error is lost: %v", err)
	}
}

var errDenied = errors.New("denied")

// Each refusal is one line of log, an anonymous caller that may pass none.
func TestRefusalsAreLoggedOnce(t *testing.T) {
	team := newTeam(t)
	var log bytes.Buffer
	v := newVerifier(t, team, func(c *core.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	token := team.SignUser(testAudience, "ada@example.com")
	tests := map[string]struct {
		headers http.Header
		rule    core.Rule
		lines   int
	}{
		"no token":    {http.Header{}, core.Rule{}, 1},
		"anonymous":   {http.Header{}, core.Rule{Optional: true}, 0},
		"two headers": {http.Header{core.TokenHeader: {token, token}}, core.Rule{}, 1},
		"bad token":   {http.Header{core.TokenHeader: {token + "*"}}, core.Rule{}, 1},
		"forbidden":   {http.Header{core.TokenHeader: {token}}, core.Rule{Policy: core.Services()}, 1},
		"good":        {http.Header{core.TokenHeader: {token}}, core.Rule{}, 0},
	}
	claims, err := v.Verify(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			log.Reset()
			_, _ = v.Admit(t.Context(), test.headers, test.rule)
			if lines := strings.Count(log.String(), "\n"); lines != test.lines {
				t.Errorf("got %d lines, want %d:\n%s", lines, test.lines, &log)
			}
		})
	}
	t.Run("forbidden by Require", func(t *testing.T) {
		log.Reset()
		_, _ = core.Require(core.NewContext(t.Context(), claims), core.Services())
		if lines := strings.Count(log.String(), "\n"); lines != 1 {
			t.Errorf("got %d lines, want 1:\n%s", lines, &log)
		}
	})
}
