// Package inspect says for people what is in a token, what each check of core
// finds in it, and which keys a team publishes.
package inspect

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/cfaccess/cfaccess/core"
)

// Result is the outcome of a check, or of all checks.
type Result string

// The results, from the best to the worst.
const (
	NotJudged Result = "not judged" // shown only: there is nothing to judge it by
	Good      Result = "good"
	Unknown   Result = "unknown" // could not tell
	Bad       Result = "bad"
)

// A Report is what is known about a token. Header and claims are shown whether
// or not a signature is good. The token itself is not part of it.
type Report struct {
	Result Result         `json:"result"`
	Reason string         `json:"reason"`
	Header map[string]any `json:"header"` // nil if it can't be read
	Claims map[string]any `json:"claims"`
	Checks []Check        `json:"checks"`
	Key    string         `json:"key,omitempty"` // that signed: "current" or "previous"
	Hints  []string       `json:"hints,omitempty"`
}

// A Check is one of core's checks of a token.
type Check struct {
	Name   string `json:"name"`
	Result Result `json:"result"`
	Got    string `json:"got,omitempty"`
	Want   string `json:"want,omitempty"`
	Error  string `json:"error,omitempty"`
}

// errNoTeam is why no keys are asked for.
var errNoTeam = errors.New("the token names no team as its issuer; give --team")

// Inspect checks a token by core's rules. Without a team, the keys are those of
// the token's own issuer, and without audiences the token's own is only shown:
// the result is then never Good. Keys are fetched from team domains and from
// loopback only.
func Inspect(ctx context.Context, token, team string, audiences []string) (*Report, error) {
	r := &Report{Result: Good, Header: decodeSegment(token, 0), Claims: decodeSegment(token, 1)}
	hasTeam, hasAudience := team != "", len(audiences) > 0
	if !hasTeam {
		team, _ = r.Claims["iss"].(string)
	}
	if !hasAudience {
		audiences = []string{noTag} // core wants one
	}
	var certs atomic.Pointer[[]byte]
	v, err := newVerifier(team, audiences, record(&certs))
	if err != nil && !hasTeam {
		v, err = newVerifier("no-team", audiences, roundTrip(func(*http.Request) (*http.Response, error) { return nil, errNoTeam }))
	}
	if err != nil {
		return nil, err
	}

	_, verdict := v.Verify(ctx, token) // fetches the keys
	keys := parseKeys(ctx, &certs)
	for _, check := range v.Explain(ctx, token).Checks {
		c := Check{Name: check.Name, Result: Good, Got: check.Got, Want: check.Want}
		switch {
		case c.Name == "iss" && !hasTeam, c.Name == "aud" && !hasAudience:
			c.Result, c.Want = NotJudged, "not judged"
		case errors.Is(check.Err, core.ErrKeysUnavailable):
			c.Result, c.Error = Unknown, check.Err.Error()
			if errors.Is(check.Err, errNoTeam) {
				c.Error = errNoTeam.Error()
			}
		case check.Err != nil:
			c.Result, c.Error = Bad, check.Err.Error()
			r.addHint(c)
		}
		r.Checks = append(r.Checks, c)
		if results := []Result{NotJudged, Good, Unknown, Bad}; slices.Index(results, c.Result) > slices.Index(results, r.Result) {
			r.Result, r.Reason = c.Result, c.Error
		}
		for _, key := range keys {
			if c.Name == "signature" && c.Result == Good && key.KID == r.Header["kid"] {
				r.Key = key.Status
			}
		}
	}
	switch {
	case r.Result != Good:
	case !hasTeam:
		r.Result, r.Reason = Unknown, "give --team: keys of the token's own issuer prove nothing about your team"
	case !hasAudience:
		r.Result, r.Reason = Unknown, "give --aud: an application must refuse tokens for others"
	case verdict != nil: // Explain must not be kinder than Verify
		r.Result, r.Reason = Bad, verdict.Error()
	default:
		r.Reason = "signed by the team, for this application, and in its time"
	}
	return r, nil
}

// In a header line, a cookie line or a curl command, the token follows its name.
var tokenName = regexp.MustCompile(`(?i)(CF_Authorization=|Cf-Access-Jwt-Assertion\s*[:=]|Cf-Access-Token\s*[:=])\s*`)

// FindToken returns the token in a pasted text: a token alone, or the first one
// in a header line, a cookie line or a command.
func FindToken(pasted string) string {
	if name := tokenName.FindStringIndex(pasted); name != nil {
		pasted = pasted[name[1]:]
		if end := strings.IndexAny(pasted, "; \t\r\n'\""); end >= 0 {
			pasted = pasted[:end]
		}
	}
	return strings.Trim(pasted, " \t\r\n'\"")
}

// decodeSegment returns the JSON object in a segment of a token, or nil.
func decodeSegment(token string, n int) (decoded map[string]any) {
	segments := strings.Split(token, ".")
	if n < len(segments) {
		decoder := json.NewDecoder(base64.NewDecoder(base64.RawURLEncoding, strings.NewReader(segments[n])))
		decoder.UseNumber() // a date as it stands
		_ = decoder.Decode(&decoded)
	}
	return decoded
}
