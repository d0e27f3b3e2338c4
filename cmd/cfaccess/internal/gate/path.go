package gate

import (
	"cmp"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

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
	if !strings.Contains(raw, "%") {
		return raw, true
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil || badEscape.MatchString(raw) || !utf8.ValidString(decoded) {
		return "", false
	}
	return decoded, true
}
