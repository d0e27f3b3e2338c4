package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// takeBack is said before the first change, for those who stop in the middle.
const takeBack = "changing files, committing nothing: git restore . takes it all back"

// changelogName is of the file in the root.
const changelogName = "CHANGELOG.md"

// prepare makes the tree that is to be released as version: the requires and the
// changelog. It checks everything before it changes anything, and commits
// nothing.
func prepare(ctx context.Context, r *repository, version string, now time.Time, out io.Writer) error {
	tags, err := r.tags(ctx)
	if err != nil {
		return err
	}
	if err := checkVersion(version, tags["core"]); err != nil {
		return err
	}
	for _, m := range r.released() {
		if slices.Contains(tags[m.folder], version) {
			return fmt.Errorf("there is a tag %s/%s already; a tag is never moved", m.folder, version)
		}
	}
	if err := r.clean(ctx); err != nil {
		return err
	}
	name := filepath.Join(r.root, changelogName)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	changelog, err := cut(text, version, now)
	if err != nil {
		return fmt.Errorf("%s: %w", changelogName, err)
	}

	fmt.Fprintln(out, takeBack)
	if err := r.setRequires(ctx, version, out); err != nil {
		return err
	}
	if err := os.WriteFile(name, changelog, 0o666); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: what was unreleased is %s\n", changelogName, heading(version, now))
	return nil
}

const unreleased = "## Unreleased"

func heading(version string, now time.Time) string {
	return version + " - " + now.UTC().Format(time.DateOnly)
}

// cut makes the changelog's Unreleased section that of version, below a fresh
// Unreleased one.
func cut(changelog []byte, version string, now time.Time) ([]byte, error) {
	lines := strings.Split(string(changelog), "\n")
	at := slices.Index(lines, unreleased)
	if at < 0 {
		return nil, fmt.Errorf("has no line %q", unreleased)
	}
	if slices.ContainsFunc(lines, func(line string) bool {
		words := strings.Fields(line)
		return len(words) > 1 && words[0] == "##" && words[1] == version
	}) {
		return nil, fmt.Errorf("has a section for %s already", version)
	}
	entries := 0
	for _, line := range lines[at+1:] {
		if strings.HasPrefix(line, "## ") {
			break
		}
		if line != "" && !strings.HasPrefix(line, "#") {
			entries++
		}
	}
	if entries == 0 {
		return nil, errors.New("says of nothing that it is unreleased")
	}
	return bytes.Join([][]byte{
		[]byte(strings.Join(lines[:at+1], "\n")), nil,
		[]byte("## " + heading(version, now)),
		[]byte(strings.Join(lines[at+1:], "\n")),
	}, []byte("\n")), nil
}

// printCommands prints what is left to whoever releases.
func printCommands(r *repository, version string, out io.Writer) error {
	var tags []string
	for _, m := range r.released() {
		tags = append(tags, m.folder+"/"+version)
	}
	fmt.Fprintf(out, "\n%s is ready. Nothing is committed, tagged or pushed. That is left to you, in this order:\n\n", version)
	fmt.Fprintf(out, "git commit --all --message 'repository: release %s'\n", version)
	for _, tag := range tags {
		fmt.Fprintf(out, "git tag %s\n", tag)
	}
	_, err := fmt.Fprintf(out, "git push --atomic origin HEAD %s\n", strings.Join(tags, " "))
	return err
}
