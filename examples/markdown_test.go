package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Go code in the documentation is an excerpt of an example, which compiles.
// Whole programs are built by scripts/rules. The code to migrate from, after a
// line "Before:", is other people's.
func TestGoInTheDocumentationIsFromAnExample(t *testing.T) {
	var examples strings.Builder
	for _, path := range glob(t, "recipes_test.go", "migration_test.go", "../*access/example_test.go") {
		examples.WriteString(strings.Join(lines(t, path), "\n") + "\n")
	}
	found := 0
	for _, path := range glob(t, "../README.md", "../docs/*.md", "../*access/README.md") {
		for _, code := range excerpts(lines(t, path)) {
			found++
			if !strings.Contains(examples.String(), code) {
				t.Errorf("%s: in no example:\n%s", path, code)
			}
		}
	}
	if found == 0 {
		t.Error("no document has an excerpt")
	}
}

// excerpts returns the Go code of a document, without its indentation.
func excerpts(document []string) (found []string) {
	intro, code, inCode := "", "", false
	for _, line := range document {
		switch {
		case line == "```go":
			inCode, code = true, ""
		case inCode && line == "```":
			inCode = false
			if intro != "Before:" && !strings.HasPrefix(code, "package main\n") {
				found = append(found, code)
			}
		case inCode:
			code += line + "\n"
		case line != "":
			intro = line
		}
	}
	return found
}

// lines returns the lines of a file, without the white space around them.
func lines(t *testing.T, path string) (found []string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		found = append(found, strings.TrimSpace(line))
	}
	return found
}

// glob returns the paths that match. Each pattern matches one at least.
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
