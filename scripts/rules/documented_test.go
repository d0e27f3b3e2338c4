package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Go in the documentation is Go, and formatted. It need not be a whole file.
func TestGoInTheDocumentationIsFormatted(t *testing.T) {
	for _, file := range files(t, ".md") {
		for _, b := range parseMarkdown(string(read(t, file))).blocks {
			if b.info != "go" {
				continue
			}
			formatted, err := format.Source([]byte(b.code))
			switch {
			case err != nil:
				t.Errorf("%s: %v in\n%s", file, err, b.code)
			case !bytes.Equal(formatted, []byte(b.code)):
				t.Errorf("%s: not as gofmt has it:\n%s", file, b.code)
			}
		}
	}
}

// A whole program in the documentation builds, against the modules as they are
// here. It is no file of the repository: the go command is told that it is.
func TestProgramsInTheDocumentationBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	examples, err := filepath.Abs(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	var packages []string
	folder := t.TempDir()
	for _, file := range files(t, ".md") {
		for i, b := range parseMarkdown(string(read(t, file))).blocks {
			if b.info != "go" || !strings.HasPrefix(b.code, "package main\n") {
				continue
			}
			program := filepath.Join(folder, fmt.Sprintf("%s-%d.go", filepath.Base(file), i))
			if err := os.WriteFile(program, []byte(b.code), 0o600); err != nil {
				t.Fatal(err)
			}
			name := fmt.Sprintf("documented%d", len(packages))
			overlay.Replace[filepath.Join(examples, name, "main.go")] = program
			packages = append(packages, "./"+name)
		}
	}
	if len(packages) == 0 {
		t.Fatal("no document has a whole program")
	}
	overlayFile := filepath.Join(folder, "overlay.json")
	content, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlayFile, content, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", append([]string{"build", "-overlay", overlayFile}, packages...)...)
	command.Dir = examples
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
