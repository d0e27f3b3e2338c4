package inspect

import "strings"

// hints say what a failed check usually means. For each check the first row
// counts whose text its error has.
var hints = []struct{ check, in, hint string }{
	{"form", "no token", "the cookie is CF_Authorization, and the request header Cf-Access-Jwt-Assertion"},
	{"form", "line break", "the token was copied from lines that a terminal or an editor had wrapped"},
	{"form", "without a kid", "every token of Access names its key in a kid"},
	{"form", "", "a token is three parts of base64url with dots between them: it was cut off, changed, or is of another kind, such as oauth:…"},
	{"alg", "", "Access signs with RS256 only, so it has not made this token"},
	{"kid", "names the issuer", "this is another team's token"},
	{"kid", "", "this kid is not published: the key was rotated out (the previous key is published for seven days), or it is another team's"},
	{"signature", "verification error", "another key signed the token, or it was changed: a forgery, or a mistake in copying"},
	{"iss", "/sso/oidc/", "this is a token of Access as an OpenID Connect provider, not of an application"},
	{"iss", "", "this token is not the team's"},
	{"aud", "", "this token is for another application; the AUD tag is on the application's page in Cloudflare's dashboard"},
	{"type", `"org"`, "this is the team's session token, not an application's: take the cookie of the application's host"},
	{"type", `"m`, "Access gives tokens of this type to strangers too, so no application may accept them"},
	{"type", "", "this is not the token of an application"},
	{"exp", " ago", "the session is over: log in again, for example with cloudflared access login"},
	{"nbf", "", "this machine's clock is behind Access's, or the clock that dated the token was ahead"},
	{"iat", "", "this machine's clock is behind Access's, or the clock that dated the token was ahead"},
}

// addHint adds the hint for a failed check.
func (r *Report) addHint(c Check) {
	for _, row := range hints {
		if row.check == c.Name && strings.Contains(c.Error, row.in) {
			if last := len(r.Hints) - 1; last < 0 || r.Hints[last] != row.hint {
				r.Hints = append(r.Hints, row.hint)
			}
			return
		}
	}
}
