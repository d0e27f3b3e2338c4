package gate

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// paths are request targets and their decoded paths, "" where they aren't in normal form.
var paths = map[string]string{
	"/": "/", "/a": "/a", "/a/": "/a/", "/a?b//../c": "/a", "/a%20b": "/a b", "/caf%C3%A9": "/café", "/caf%c3%a9": "/café",
	"/a..b": "/a..b", "/...": "/...", "/a.": "/a.", "/a,b@c:d!$&'()*+=~": "/a,b@c:d!$&'()*+=~", "/100%25": "/100%", "/what%3F": "/what?",
	"/c%23": "/c#", "/a[1]|b": "/a[1]|b", "/?": "/",
	"": "", "a": "", "*": "", "?": "", "http://h/a": "", "//a": "", "/a//b": "", "/a//": "", "//": "", "/./a": "", "/a/.": "", "/..": "",
	"/a/../b": "", "/%2e/a": "", "/%2E%2e/a": "", "/.%2e/a": "", "/a%2fb": "", "/a%2Fb": "", `/a\b`: "", "/a%5cb": "", "/a%5Cb": "",
	"/a;b": "", "/a%3bb": "", "/a#b": "", "/a\x00b": "", "/a%00": "", "/a%0d": "", "/a%7f": "", "/a b": "", "/\xe9": "", "/café": "",
	"/%e9": "", "/%c0%af": "", "/%61": "", "/%41": "", "/%30": "", "/%7E": "", "/%2d": "", "/%5f": "", "/%7a": "", "/%5A": "",
	"/%": "", "/%2": "", "/%zz": "", "/%252f": "", "/%2561": "", "/%25%36%31": "",
}

func TestNormalPath(t *testing.T) {
	for target, want := range paths {
		if got, ok := normalPath(target); got != want || ok != (want != "") {
			t.Errorf("normalPath(%q) = %q, %v, want %q", target, got, ok, want)
		}
	}
}

// Every byte's escape that isn't refused stands for a byte that needs one.
func TestEscapes(t *testing.T) {
	for c := range 128 {
		escape := "/%" + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15])
		isOdd := c < ' ' || c == 0x7f || strings.ContainsRune(`/\;-._~`, rune(c)) ||
			'0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if _, ok := normalPath(escape); ok == isOdd {
			t.Errorf("normalPath(%q): %v", escape, ok)
		}
	}
}

func FuzzPath(f *testing.F) {
	for target := range paths {
		f.Add(target)
	}
	f.Fuzz(func(t *testing.T, target string) {
		decoded, ok := normalPath(target)
		if !ok {
			return
		}
		raw, _, _ := strings.Cut(target, "?")
		u, err := url.ParseRequestURI(raw)
		if err != nil || u.Path != decoded {
			t.Errorf("%q: net/url reads %v, %v, not %q", target, u, err, decoded)
		}
		if clean := path.Clean(decoded); clean != decoded && clean+"/" != decoded {
			t.Errorf("%q: cleaned, %q is %q", target, decoded, clean)
		}
		if again, err := url.PathUnescape(decoded); err == nil && again != decoded {
			t.Errorf("%q: decoded twice, it is %q", target, again)
		}
		if strings.ContainsAny(decoded, "\\;\x00\n\r") {
			t.Errorf("%q: decoded to %q", target, decoded)
		}
	})
}
