package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// A proxy is a module proxy of files, for file:// URLs in GOPROXY:
// https://go.dev/ref/mod#goproxy-protocol.
type proxy string

// publish adds what the repository has under the tag of a module's version, in
// the way that the go command makes a module of it.
func (p proxy) publish(ctx context.Context, r *repository, m module.Version) error {
	folder, ok := r.folderOf(m.Path)
	if !ok {
		return fmt.Errorf("%s is not a module of this repository", m.Path)
	}
	tag := folder + "/" + m.Version
	gomod, err := r.git(ctx, "show", "refs/tags/"+tag+":"+folder+"/go.mod")
	if err != nil {
		return err
	}
	stamp, err := r.git(ctx, "log", "-1", "--format=%cI", "refs/tags/"+tag)
	if err != nil {
		return err
	}
	when, err := time.Parse(time.RFC3339, strings.TrimSpace(stamp))
	if err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{m.Version, when.UTC()})
	if err != nil {
		return err
	}

	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	dir := filepath.Join(string(p), filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	base := filepath.Join(dir, m.Version)
	if err := os.WriteFile(base+".info", info, 0o666); err != nil {
		return err
	}
	if err := os.WriteFile(base+".mod", []byte(gomod), 0o666); err != nil {
		return err
	}
	if err := writeZip(base+".zip", r, m, tag, folder); err != nil {
		return err
	}
	return appendLine(filepath.Join(dir, "list"), m.Version)
}

// writeZip writes the module's files as they are under the tag, the licence of
// the root among them.
func writeZip(name string, r *repository, m module.Version, tag, folder string) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return zip.CreateFromVCS(file, m, r.root, tag, folder)
}

func appendLine(name, line string) (err error) {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = fmt.Fprintln(file, line)
	return err
}
