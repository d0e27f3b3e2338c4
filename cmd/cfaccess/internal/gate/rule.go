package gate

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cfaccess/cfaccess/core"
)

// A Rule says who may make the requests that it matches. The lists of callers are
// alternatives, and so are the entries of each.
type Rule struct {
	Path, Prefix string   // in normal form, one of them; a prefix ends where a segment does
	Methods      []string // empty: all. GET is HEAD too, which servers answer alike
	Public       bool     // no token is needed

	Emails, Domains, Groups, Services, Countries []string

	path   string // Path or Prefix, decoded
	policy core.Policy
}

// matches compares a decoded path. A rule that demands something matches what many
// servers take for the same: /Admin or /admin/ for /admin, and the method post for
// POST. A public one doesn't.
func (r *Rule) matches(method, path string) bool {
	want := r.path
	if !r.Public {
		method, path = strings.ToUpper(method), strings.ToLower(strings.TrimSuffix(path, "/"))
		want = strings.ToLower(strings.TrimSuffix(want, "/"))
	}
	if rest, isBelow := strings.CutPrefix(path, strings.TrimSuffix(want, "/")); path != want &&
		(r.Prefix == "" || !isBelow || rest != "" && rest[0] != '/') {
		return false
	}
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method) || method == "HEAD" && slices.Contains(r.Methods, "GET")
}

// covers reports whether r matches whatever other matches.
func (r *Rule) covers(other *Rule) bool {
	methods := other.Methods
	if len(methods) == 0 {
		methods = []string{"any"} // which no list has
	}
	isWider := r.path != "" && other.path != "" && (r.Prefix != "" || other.Prefix == "")
	return isWider && !slices.ContainsFunc(methods, func(method string) bool { return !r.matches(method, other.path) })
}

// newPolicy returns nil if the rule has no lists. Groups come last: they may need a
// request to Access.
func (r *Rule) newPolicy() core.Policy {
	var policies []core.Policy
	lists := [...][]string{r.Emails, r.Domains, r.Services, r.Countries, r.Groups}
	for i, policy := range [...]func(...string) core.Policy{core.Emails, core.EmailDomains, core.Services, core.Countries, core.Groups} {
		if len(lists[i]) > 0 {
			policies = append(policies, policy(lists[i]...))
		}
	}
	if len(policies) == 0 {
		return nil
	}
	anyOf := core.AnyOf(policies...)
	return func(ctx context.Context, c *core.Claims) error {
		if err := anyOf(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", cmp.Or(c.Email, c.CommonName), err) // for the log
		}
		return nil
	}
}

// badEscape is the escape of a control character, of "/", "\" or ";", of a letter,
// a digit or one of "-._~" (RFC 3986 section 6.2.2.2), or an escape that is escaped.
var badEscape = regexp.MustCompile(`(?i)%([01].|2[def]|25[0-9a-f]{2}|3[0-9b]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9aef])`)

// normalPath returns the decoded path of a request target such as "/a%20b?q", and
// false unless the path is in normal form: it begins with "/" and is printable
// ASCII without "\", ";", "#", empty segments, "." and "..", and its escapes are
// needed and stand for UTF-8. Servers disagree about every other path. One takes
// it for /admin and another doesn't, so that no rule can be right about it.
func normalPath(target string) (string, bool) {
	raw, _, _ := strings.Cut(target, "?")
	isBad := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' || r == ';' || r == '#' }
	if !strings.HasPrefix(raw, "/") || strings.Contains(raw, "//") || strings.ContainsFunc(raw, isBad) ||
		path.Clean(raw) != cmp.Or(strings.TrimSuffix(raw, "/"), "/") {
		return "", false
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil || badEscape.MatchString(raw) || !utf8.ValidString(decoded) {
		return "", false
	}
	return decoded, true
}
