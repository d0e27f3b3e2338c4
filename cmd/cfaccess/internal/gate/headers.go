package gate

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
	"github.com/cfaccess/cfaccess/core"
)

func families() []string { return []string{"cf-access", "x-auth-request", "remote"} }

// setIdentity sets all header fields of the chosen families in h. What isn't known
// is empty, and so replaces what a client has sent. A nil c is not known at all.
func setIdentity(ctx context.Context, h http.Header, chosen []string, c *core.Claims) {
	var user, email string
	if c != nil {
		if user, email = c.Email, c.Email; c.IsService() {
			user = c.CommonName
		}
	}
	set := func(name, value string) {
		if strings.ContainsFunc(value, unicode.IsControl) {
			value = "" // as a header field it would be another value
		}
		h.Set(name, value)
	}
	for _, family := range chosen {
		if family == "cf-access" {
			set(core.EmailHeader, email)
			continue
		}
		set(family+"-user", user)
		set(family+"-email", email)
		set(family+"-groups", groupNames(ctx, c))
	}
}

// groupNames returns the names of a person's groups with commas between them, or ""
// if Access can't be asked. It leaves out the names that a reader of the header
// would take for another one, or for several.
func groupNames(ctx context.Context, c *core.Claims) string {
	if c == nil {
		return ""
	}
	identity, err := c.Identity(ctx)
	if err != nil {
		return ""
	}
	var all []string
	for _, group := range identity.Groups {
		isOdd := strings.ContainsFunc(group.Name, func(r rune) bool { return r == ',' || unicode.IsControl(r) })
		if !isOdd && group.Name != "" && strings.TrimSpace(group.Name) == group.Name {
			all = append(all, group.Name)
		}
	}
	return strings.Join(all, ",")
}

var tokenCookie = regexp.MustCompile(`(^|;)[ \t]*` + core.TokenCookie + `[ \t]*=[^;]*`)

// removeIdentity removes what a client says about its identity: the fields of all
// families, in every spelling that some server reads as the same name (see
// server.FoldName), and the token unless keepToken is set.
func removeIdentity(h http.Header, keepToken bool) {
	for name := range h {
		folded := server.FoldName(name)
		isToken := folded == "cf-access-jwt-assertion" && (!keepToken || name != core.TokenHeader)
		if isToken || folded == "cf-access-authenticated-user-email" || strings.HasPrefix(folded, "x-auth-request-") || strings.HasPrefix(folded, "remote-") {
			delete(h, name)
		}
	}
	if keepToken {
		return
	}
	cookies := h["Cookie"]
	delete(h, "Cookie")
	for _, line := range cookies {
		if line = strings.TrimLeft(tokenCookie.ReplaceAllString(line, ""), "; \t"); line != "" {
			h["Cookie"] = append(h["Cookie"], line)
		}
	}
}
