package core

import "testing"

func TestSkipPaths(t *testing.T) {
	skips := SkipPaths("/healthz", "/a/b/")
	for path, want := range map[string]bool{
		"/healthz": true, "/a/b/": true,
		"": false, "/": false, "/healthz/": false, "/healthzx": false, "/HEALTHZ": false, "/a/b": false, "/a/b/c": false,
		"/%68ealthz": false, "/healthz/../admin": false, "//healthz": false, "/healthz?x": false, "healthz": false,
	} {
		if got := skips(path); got != want {
			t.Errorf("%q: got %v", path, got)
		}
	}
	if SkipPaths()("/") {
		t.Error("no path at all skips one")
	}
	for _, path := range []string{"", "healthz", "/static/*", "/healthz?x"} {
		wantPanic(t, path, func() { SkipPaths("/healthz", path) })
	}
}
