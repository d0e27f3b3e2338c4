// Package inspect says for people what is in a token, what each check of core
// finds in it, and which keys a team publishes.
package inspect

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/cfaccess/cfaccess/core"
)

// Result is the outcome of a check, or of all checks: then the worst counts.
type Result string

// The results, from the best to the worst.
const (
	Good    Result = "good"
	Unknown Result = "unknown" // there are no keys, or there is nothing to judge by
	Bad     Result = "bad"
)

// A Report is what is known about a token, without the token itself. Header and
// claims are as they stand there, whether or not the signature is good.
type Report struct {
	Result Result                     `json:"result"`
	Header map[string]json.RawMessage `json:"header"` // nil if it can't be read
	Claims map[string]json.RawMessage `json:"claims"`
	Checks []Check                    `json:"checks"`
}

// A Check is a [core.Check] with its result.
type Check struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	Got    string `json:"got,omitempty"`
	Want   string `json:"want,omitempty"`
	Error  string `json:"error,omitempty"`
	Hint   string `json:"hint,omitempty"` // what a bad result usually means
}

// hints are by the name of a failed check, or by its name and what the token has.
var hints = map[string]string{
	"form":     "a token is three parts of base64url with dots between them: this one was cut off or changed, or is another kind",
	"alg":      "Access signs with RS256 only",
	"kid":      "this kid is not published: the key was rotated out, or is another team's",
	"type org": "this is the team's session token, not an application's: take the cookie of the application's host",
	"iat":      "this machine's clock is behind Access's, or the clock that dated the token was ahead",
}

// namedToken is a token in a header line, a cookie line or a command.
var namedToken = regexp.MustCompile(`(?i)(?:CF_Authorization|Cf-Access-Jwt-Assertion|Cf-Access-Token)\s*[:=]\s*([^;\s'"]*)`)

// Inspect checks a pasted token by core's rules. Without a team, the keys are
// those of the token's own issuer, and without audiences the token's own is only
// shown: the result is then never Good. Keys are fetched from team domains and
// from loopback only.
func Inspect(ctx context.Context, pasted, team string, audiences []string) (*Report, error) {
	token := strings.Trim(pasted, " \t\r\n'\"")
	if named := namedToken.FindStringSubmatch(pasted); named != nil {
		token = named[1]
	}
	segments := strings.Split(token+".", ".")
	r := &Report{Result: Good, Header: decode(segments[0]), Claims: decode(segments[1])}
	hasTeam, hasAudience := team != "", len(audiences) > 0
	var issuer string // stays empty if it is no text
	_ = json.Unmarshal(r.Claims["iss"], &issuer)
	published, noKeys := new(certs), ""
	v, err := published.newVerifier(cmp.Or(team, issuer), audiences)
	if err != nil && !hasTeam {
		noKeys = "the token names no team as its issuer; give --team"
		published.document.Store([]byte("{}")) // so no host is asked
		v, err = published.newVerifier("no-team", audiences)
	}
	if err != nil {
		return nil, err
	}
	for _, check := range v.Explain(ctx, token).Checks {
		c := Check{Name: check.Name, Result: Good, Got: check.Got, Want: check.Want}
		switch {
		case c.Name == "iss" && !hasTeam:
			c.Result, c.Want = Unknown, "not judged: give --team; keys of the token's own issuer prove nothing about your team"
		case c.Name == "aud" && !hasAudience:
			c.Result, c.Want = Unknown, "not judged: give --aud; an application must refuse tokens for others"
		case errors.Is(check.Err, core.ErrKeysUnavailable):
			c.Result, c.Want, c.Error = Unknown, "", cmp.Or(noKeys, check.Err.Error())
		case check.Err != nil:
			c.Result, c.Error, c.Hint = Bad, check.Err.Error(), cmp.Or(hints[c.Name], hints[c.Name+" "+c.Got])
		case c.Name == "kid":
			for _, key := range published.keys() {
				if key.KID == check.Got {
					c.Want += ": " + key.status
				}
			}
		}
		r.Checks = append(r.Checks, c)
		if c.Result == Bad || r.Result == Good {
			r.Result = c.Result
		}
	}
	if _, err := v.Verify(ctx, token); err != nil && r.Result == Good {
		return nil, err // Explain is no verification
	}
	return r, nil
}

// decode returns the JSON object in a segment of a token, or nil.
func decode(segment string) (object map[string]json.RawMessage) {
	text, _ := base64.RawURLEncoding.DecodeString(segment)
	_ = json.Unmarshal(text, &object)
	return object
}
