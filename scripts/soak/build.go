package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// overlay is the file that is added to each example: see package instrument.
//
//go:embed overlay.txt
var overlay []byte

// examples are the servers, each a package of the module of that path.
var examples = []string{"std", "gin", "echo", "fiber"}

const examplesModule = "github.com/cfaccess/cfaccess/examples"

// build builds the examples, instrumented, into directory. It needs the
// workspace: the examples don't require this module.
func build(ctx context.Context, directory string, race bool) error {
	root, err := goTool(ctx, "", "list", "-m", "-f", "{{.Dir}}", examplesModule)
	if err != nil {
		return err
	}
	root = strings.TrimSpace(root)
	added := filepath.Join(directory, "overlay.go")
	if err := os.WriteFile(added, overlay, 0o600); err != nil {
		return fmt.Errorf("the overlay: %w", err)
	}
	var replacements struct{ Replace map[string]string }
	replacements.Replace = make(map[string]string)
	packages := make([]string, len(examples))
	for i, name := range examples {
		replacements.Replace[filepath.Join(root, name, "soak_overlay.go")] = added
		packages[i] = "./" + name
	}
	description, err := json.Marshal(replacements)
	if err != nil {
		return fmt.Errorf("the overlay: %w", err)
	}
	file := filepath.Join(directory, "overlay.json")
	if err := os.WriteFile(file, description, 0o600); err != nil {
		return fmt.Errorf("the overlay: %w", err)
	}
	args := []string{"build", "-overlay", file, "-o", directory + string(filepath.Separator)}
	if race {
		args = append(args, "-race")
	}
	_, err = goTool(ctx, root, append(args, packages...)...)
	return err
}

// goTool runs the go command in a directory and returns what it prints.
func goTool(ctx context.Context, directory string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = directory
	out, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return string(out), nil
}
