package gate

import (
	"context"
	"net/http"
	"strings"
	"unicode"

	"github.com/cfaccess/cfaccess/core"
)

// The families of headers that tell an application who the caller is.
const (
	familyAccess  = "cf-access"
	familyRequest = "x-auth-request"
	familyRemote  = "remote"
)

// families are the header fields of a family: the user (an email, or the client id
// of a service token), the email, and the names of the groups.
func families(name string) (user, email, groups string, ok bool) {
	switch name {
	case familyAccess:
		return "", core.EmailHeader, "", true
	case familyRequest:
		return "X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups", true
	case familyRemote:
		return "Remote-User", "Remote-Email", "Remote-Groups", true
	}
	return "", "", "", false
}

// setIdentity sets every header field of the chosen families in h. What is not
// known is empty, so that it replaces what a client has sent. c is nil for a caller
// who is not known.
func setIdentity(ctx context.Context, h http.Header, chosen []string, c *core.Claims) {
	var user, email, groups string
	if c != nil {
		email = headerValue(c.Email)
		user = email
		if c.IsService() {
			user = headerValue(c.CommonName)
		}
	}
	asked := false
	for _, family := range chosen {
		userName, emailName, groupsName, _ := families(family)
		h[emailName] = []string{email}
		if userName == "" {
			continue
		}
		if c != nil && !c.IsService() && !asked {
			asked, groups = true, groupNames(ctx, c)
		}
		h[userName], h[groupsName] = []string{user}, []string{groups}
	}
}

// groupNames returns the names of the caller's groups with commas between them, or
// nothing if Access can't be asked. It leaves out a name that the application would
// read as another one, or as several.
func groupNames(ctx context.Context, c *core.Claims) string {
	identity, err := c.Identity(ctx)
	if err != nil {
		return ""
	}
	var names []string
	for _, group := range identity.Groups {
		if name := headerValue(group.Name); name != "" && name == strings.TrimSpace(name) && !strings.Contains(name, ",") {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// headerValue returns s if it can be a header field's value, and "" otherwise.
func headerValue(s string) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return ""
	}
	return s
}

// removeIdentity removes what claims to tell who the caller is, in every spelling
// that some server reads as the same name (see core.IsEmailHeader). Unless
// keepToken is set it removes the token too.
func removeIdentity(h http.Header, keepToken bool) {
	for name := range h {
		folded := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-")
		isToken := folded == "cf-access-jwt-assertion" && !(keepToken && name == core.TokenHeader)
		if isToken || core.IsEmailHeader(name) || strings.HasPrefix(folded, "x-auth-request-") || strings.HasPrefix(folded, "remote-") {
			delete(h, name)
		}
	}
	if !keepToken {
		removeTokenCookies(h)
	}
}

// removeTokenCookies removes the cookies named core.TokenCookie. The others stay
// as they are, byte for byte.
func removeTokenCookies(h http.Header) {
	lines := h["Cookie"]
	delete(h, "Cookie")
	for _, line := range lines {
		var kept []string
		for pair := range strings.SplitSeq(line, ";") {
			if name, _, _ := strings.Cut(pair, "="); strings.Trim(name, " \t") != core.TokenCookie {
				kept = append(kept, pair)
			}
		}
		if line = strings.TrimLeft(strings.Join(kept, ";"), " \t"); line != "" {
			h["Cookie"] = append(h["Cookie"], line)
		}
	}
}
