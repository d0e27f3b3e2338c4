package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readmeProgram returns the whole program that the README shows for the adapter
// at this module path: what a newcomer copies.
func readmeProgram(readme, modulePath string) (string, error) {
	for _, block := range strings.Split(readme, "\n```go\n")[1:] {
		program, _, _ := strings.Cut(block, "\n```")
		if strings.HasPrefix(program, "package main\n") && strings.Contains(program, `"`+modulePath+`"`) {
			return program + "\n", nil
		}
	}
	return "", fmt.Errorf("the README has no program for %s", modulePath)
}

// writeReadmeProgram writes it into a folder of its own below dir.
func (s *rehearsal) writeReadmeProgram(dir string, m goModule) error {
	readme, err := os.ReadFile(filepath.Join(s.copied.root, "README.md"))
	if err != nil {
		return err
	}
	program, err := readmeProgram(string(readme), m.path())
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "readme"), 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "readme", "main.go"), []byte(program), 0o666)
}
