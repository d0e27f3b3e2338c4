package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Go code in the documentation is an excerpt of an example, which compiles.
// Whole programs are built by scripts/rules. The code to migrate from, after a
// line "Before:", is other people's.
func TestGoInTheDocumentationIsFromAnExample(t *testing.T) {
	var examples strings.Builder
	for _, path := range glob(t, "recipes_test.go", "migration_test.go", "../core/example*_test.go", "../*access/example_test.go") {
		examples.WriteString(unindented(t, path))
	}
	block := regexp.MustCompile("(?ms)^([^\n]*)\n\n( *)```go\n(.*?)^ *```$")
	found := 0
	for _, path := range glob(t, "../README.md", "../docs/*.md", "../*access/README.md") {
		document, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range block.FindAllStringSubmatch(string(document), -1) {
			code := unindent(match[3])
			if match[1] == "Before:" || strings.HasPrefix(code, "package main\n") {
				continue
			}
			found++
			if !strings.Contains(examples.String(), code) {
				t.Errorf("%s: in no example:\n%s", path, match[3])
			}
		}
	}
	if found == 0 {
		t.Error("no document has an excerpt")
	}
}

func glob(t *testing.T, patterns ...string) (paths []string) {
	t.Helper()
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		paths = append(paths, found...)
	}
	return paths
}

// unindented returns the content of a file, unindent applied.
func unindented(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return unindent(string(content))
}

// unindent removes the white space at the beginning of each line.
func unindent(text string) string {
	return regexp.MustCompile(`(?m)^[\t ]+`).ReplaceAllString(text, "")
}
