package core

import (
	"fmt"
	"slices"
	"strings"
)

// SkipPaths is the decision behind the SkipPaths of every adapter: the function
// that it returns reports whether a path is exactly one of these, such as
// /healthz. The path is compared as the client sent it, escapes included, so
// that /healthz/../admin and /%68ealthz are other paths. SkipPaths panics on a
// path without a leading slash, or with * or ? in it.
func SkipPaths(paths ...string) func(path string) bool {
	for _, path := range paths {
		if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "*?") {
			panic(fmt.Sprintf("cfaccess: SkipPaths: %q is not one exact path", path))
		}
	}
	paths = slices.Clone(paths)
	return func(path string) bool { return slices.Contains(paths, path) }
}
