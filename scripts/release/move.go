package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// move gives every module another path: to begins all of them from then on. It
// changes every file that git knows of, and commits nothing.
func move(ctx context.Context, r *repository, to string, out io.Writer) error {
	if err := checkPath(r, to); err != nil {
		return err
	}
	if err := r.clean(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, takeBack)
	names, err := r.files(ctx)
	if err != nil {
		return err
	}
	var goFiles []string
	changed := 0
	for _, name := range names {
		replaced, err := replaceIn(filepath.Join(r.root, name), r.prefix, to)
		if err != nil {
			return err
		}
		if !replaced {
			continue
		}
		changed++
		switch {
		case filepath.Ext(name) == ".go":
			goFiles = append(goFiles, name)
		case filepath.Base(name) == "go.mod":
			if err := sortModule(filepath.Join(r.root, name)); err != nil {
				return err
			}
		}
	}
	// Imports are sorted by path within a block.
	if _, err := execute(ctx, r.root, nil, "gofmt", append([]string{"-w"}, goFiles...)...); err != nil {
		return err
	}
	if err := r.proveMoved(names, to); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s is %s in %d files\n", r.prefix, to, changed)
	return nil
}

// checkPath returns an error if the modules can't have paths that begin with to.
func checkPath(r *repository, to string) error {
	if to == r.prefix {
		return fmt.Errorf("the modules are at %s already", to)
	}
	for _, m := range r.modules {
		if err := module.CheckPath(to + "/" + m.folder); err != nil {
			return fmt.Errorf("%q can't begin a module path: %w", to, err)
		}
	}
	return nil
}

// files returns the names of everything that git knows of, without links.
func (r *repository) files(ctx context.Context) ([]string, error) {
	list, err := r.git(ctx, "ls-files", "-z")
	if err != nil {
		return nil, err
	}
	var files []string
	for name := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		info, err := os.Lstat(filepath.Join(r.root, name))
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	return files, nil
}

// replaceIn replaces a path in a file, unless the file isn't text, and says
// whether it was there.
func replaceIn(name, from, to string) (bool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return false, err
	}
	moved := replacePath(text, from, to)
	if bytes.Equal(moved, text) {
		return false, nil
	}
	return true, os.WriteFile(name, moved, 0o666) // of an existing file: the mode stays
}

// replacePath replaces from where it is a whole path or begins one:
// example.org/a begins example.org/a/b but not example.org/ab or example.org/a-b.
func replacePath(text []byte, from, to string) []byte {
	if bytes.IndexByte(text, 0) >= 0 {
		return text
	}
	var replaced []byte
	for {
		before, after, found := bytes.Cut(text, []byte(from))
		replaced = append(replaced, before...)
		if !found {
			return replaced
		}
		if len(after) > 0 && isWord(after[0]) {
			replaced = append(replaced, from...)
		} else {
			replaced = append(replaced, to...)
		}
		text = after
	}
}

// isWord says whether c goes on with a path element's word; a dot may as well
// end a sentence.
func isWord(c byte) bool {
	return c == '-' || c == '_' || c == '~' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// sortModule sorts the blocks of a go.mod, as go mod tidy would.
func sortModule(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return err
	}
	file.SortBlocks()
	if text, err = file.Format(); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o666)
}

// proveMoved returns an error if the old path is left in any of the files, also
// where it is part of another word, or within a binary.
func (r *repository) proveMoved(names []string, to string) error {
	var left []error
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(r.root, name))
		if err != nil {
			return err
		}
		if strings.Contains(to, r.prefix) { // then it has to be left, within the new one
			text = bytes.ReplaceAll(text, []byte(to), nil)
		}
		if bytes.Contains(text, []byte(r.prefix)) {
			left = append(left, fmt.Errorf("%s still has %s", name, r.prefix))
		}
	}
	return errors.Join(left...)
}
