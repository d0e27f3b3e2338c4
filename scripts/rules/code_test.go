package rules

import (
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Go blocks of the documentation need not be whole files.
func TestGoBlocksAreFormatted(t *testing.T) {
	for file, d := range documents(t) {
		for _, b := range d.blocks {
			if b.language != "go" {
				continue
			}
			formatted, err := format.Source([]byte(b.code))
			if err != nil {
				t.Errorf("%s:%d: %v", file, b.line, err)
			} else if string(formatted) != b.code {
				t.Errorf("%s:%d: not formatted", file, b.line)
			}
		}
	}
}

// Whole programs build against the modules as they are here. An overlay puts them
// below examples/, whose go.mod has every framework.
func TestProgramsBuild(t *testing.T) {
	examples, err := filepath.Abs(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	// This builds without linking.
	command := exec.CommandContext(t.Context(), "go", "list", "-export", "-f=", "-overlay", filepath.Join(folder, "overlay.json"))
	command.Dir = examples
	for file, d := range documents(t) {
		for _, b := range d.blocks {
			if b.language != "go" || !strings.HasPrefix(b.code, "package main\n") {
				continue
			}
			name := fmt.Sprintf("program%d", len(overlay.Replace))
			program := filepath.Join(folder, name+".go")
			// The directive makes errors name the document.
			if err := os.WriteFile(program, fmt.Appendf(nil, "//line %s:%d\n%s", file, b.line, b.code), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay.Replace[filepath.Join(examples, name, "main.go")] = program
			command.Args = append(command.Args, "./"+name)
		}
	}
	if len(overlay.Replace) == 0 {
		t.Fatal("no document has a whole program")
	}
	content, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "overlay.json"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
