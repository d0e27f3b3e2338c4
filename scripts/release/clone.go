package main

import (
	"context"
	"path/filepath"
)

// maintainer makes commits that depend on nobody's settings: hooks, signatures.
var maintainer = []string{
	"-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost",
	"-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null",
}

// clone returns a copy of the repository in dir, which must not exist: its
// commits, its tags, and on top of them as a commit whatever is uncommitted, so
// that what is rehearsed is what would be committed now. The repository itself
// isn't touched, not even its objects.
func clone(ctx context.Context, r *repository, dir string) (*repository, error) {
	if _, err := execute(ctx, "", nil, "git", "clone", "--quiet", "--no-checkout", r.root, dir); err != nil {
		return nil, err
	}
	if _, err := r.git(ctx, "--git-dir", filepath.Join(dir, ".git"), "--work-tree", r.root, "add", "--all"); err != nil {
		return nil, err
	}
	copied := &repository{root: dir}
	if err := copied.commit(ctx, "what is not committed yet"); err != nil {
		return nil, err
	}
	if _, err := copied.git(ctx, "reset", "--quiet", "--hard"); err != nil {
		return nil, err
	}
	return open(ctx, dir)
}

// commit commits the index, changed or not.
func (r *repository) commit(ctx context.Context, message string) error {
	_, err := r.git(ctx, append(maintainer, "commit", "--quiet", "--allow-empty", "--message", message)...)
	return err
}

// tag tags the last commit.
func (r *repository) tag(ctx context.Context, folder, version string) error {
	// An update-ref with no old value: as "git tag" does, it refuses to move a
	// tag, and unlike it has no setting that asks for a signature.
	_, err := r.git(ctx, "update-ref", "refs/tags/"+folder+"/"+version, "HEAD", "")
	return err
}
