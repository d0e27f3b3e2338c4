package gate

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
	"github.com/cfaccess/cfaccess/core"
)

// names returns the header fields of a family, "" for one that it doesn't have.
func names(family string) (user, email, groups string) {
	switch family {
	case "cf-access":
		return "", core.EmailHeader, ""
	case "x-auth-request":
		return "X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups"
	case "remote":
		return "Remote-User", "Remote-Email", "Remote-Groups"
	}
	return "", "", ""
}

// setIdentity sets all header fields of the families in h. What isn't known is
// empty, and so replaces what a client has sent. A nil c is not known at all.
func setIdentity(ctx context.Context, h http.Header, families []string, c *core.Claims) {
	var user, email, groups string
	if c != nil {
		if user, email = c.Email, c.Email; c.IsService() {
			user = c.CommonName
		}
	}
	set := func(name, value string) {
		if strings.ContainsFunc(value, unicode.IsControl) {
			value = "" // as a header field it would be another value
		}
		if name != "" {
			h[name] = []string{value}
		}
	}
	for _, family := range families {
		userName, emailName, groupsName := names(family)
		if c != nil && groupsName != "" && groups == "" {
			groups = groupNames(ctx, c)
		}
		set(userName, user)
		set(emailName, email)
		set(groupsName, groups)
	}
}

// groupNames returns the names of a person's groups with commas between them, or ""
// if Access can't be asked. It leaves out the names that a reader of the header
// would take for another one, or for several.
func groupNames(ctx context.Context, c *core.Claims) string {
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
	cookies := h["Cookie"]
	if keepToken || cookies == nil {
		return
	}
	delete(h, "Cookie")
	for _, line := range cookies {
		kept := slices.DeleteFunc(strings.Split(line, ";"), func(pair string) bool { // byte for byte
			name, _, _ := strings.Cut(pair, "=")
			return strings.Trim(name, " \t") == core.TokenCookie
		})
		if line = strings.TrimLeft(strings.Join(kept, ";"), " \t"); line != "" {
			h["Cookie"] = append(h["Cookie"], line)
		}
	}
}
