package rules

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// root is the repository's, seen from here.
const root = "../.."

// files returns the files with that name or suffix, by their slashed paths from
// the root. It reads the tree and doesn't ask git: the tests pass in an archive too.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	var found []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata"):
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(path, suffix):
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatalf("no %s in the repository", suffix)
	}
	return found
}

// read returns the content of a file.
func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// modules returns the go.mod files by their folders.
func modules(t *testing.T) map[string]*modfile.File {
	t.Helper()
	found := map[string]*modfile.File{}
	for _, path := range files(t, "/go.mod") {
		file, err := modfile.Parse(path, read(t, path), nil)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(path, "/go.mod")] = file
	}
	return found
}

// A sourceFile is a Go file and what it imports.
type sourceFile struct {
	path    string // from the root
	isTest  bool
	imports []string
	ast     *ast.File
}

// sources returns all Go files.
func sources(t *testing.T) []sourceFile {
	t.Helper()
	var found []sourceFile
	for _, path := range files(t, ".go") {
		file, err := parser.ParseFile(token.NewFileSet(), path, read(t, path), parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		source := sourceFile{path: path, isTest: strings.HasSuffix(path, "_test.go"), ast: file}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			source.imports = append(source.imports, name)
		}
		found = append(found, source)
	}
	return found
}
