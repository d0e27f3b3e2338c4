package gate

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// normalPath returns the decoded path of a request target such as "/a%20b?q", and
// false unless the path is in normal form. Servers disagree about every other
// form: one serves /admin for it, and another looks for a file of that name. So
// no rule can be right about it.
//
// In normal form a path begins with "/" and is printable ASCII without "\", ";"
// and "#". It has no empty segment except the last one, and no "." or "..". An
// escape doesn't stand for "/", "\" or ";", for a letter, a digit or one of "-._~"
// (RFC 3986 section 6.2.2.2), nor for the "%" of another escape. The decoded
// path is UTF-8 without control characters.
func normalPath(target string) (string, bool) {
	path, _, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(path, "/") {
		return "", false
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`\;#`, c) >= 0 {
			return "", false
		}
	}
	for rest := path[1:]; rest != ""; {
		var segment string
		segment, rest, _ = strings.Cut(rest, "/")
		if segment == "" || segment == "." || segment == ".." {
			return "", false
		}
	}
	if strings.IndexByte(path, '%') < 0 {
		return path, true
	}
	decoded, err := url.PathUnescape(path)
	if err != nil || !utf8.ValidString(decoded) || strings.ContainsFunc(decoded, unicode.IsControl) {
		return "", false
	}
	for _, escape := range strings.Split(path, "%")[1:] {
		c, _ := unescape(escape)
		if isLetterOrDigit(c) || strings.IndexByte(`-._~/\;`, c) >= 0 {
			return "", false
		}
	}
	for _, rest := range strings.Split(decoded, "%")[1:] {
		if _, isEscape := unescape(rest); isEscape {
			return "", false // decoded twice, it is another path
		}
	}
	return decoded, true
}

// unescape returns the byte that two hex digits in front of s stand for.
func unescape(s string) (byte, bool) {
	c, err := strconv.ParseUint(s[:min(2, len(s))], 16, 8)
	return byte(c), err == nil && len(s) >= 2
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}
