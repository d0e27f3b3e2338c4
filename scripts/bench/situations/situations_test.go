package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

// quickSize is for tests. Some peers don't fetch again in so short a time.
func quickSize() size {
	return size{
		MadeUp: 20, Crowd: 50, Body: 8 << 20,
		Refresh: 300 * time.Millisecond, Start: 2 * time.Second, Digest: 100 * time.Millisecond, Limit: 10 * time.Second,
	}
}

// Ours comes out right in every situation.
func TestOurs(t *testing.T) {
	t.Parallel()
	z := quickSize()
	z.Refresh = 500 * time.Millisecond // so that a busy machine keeps up
	r, err := reproduce(t.Context(), peers.Libraries()[:1], z)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"20 tokens with made-up kids":                               "1 fetch",
		"20 made-up kids while the certs endpoint answers 500":      "1 fetch",
		"20 forged signatures under a known kid":                    "no fetch",
		"key rotated, then 50 concurrent requests with the new key": "all accepted, 1 fetch",
		"certs endpoint answers `{}` once: at a refresh":            "accepted",
		"certs endpoint answers `{}` from a refresh on":             "accepted",
		"certs endpoint answers 500 from a refresh on":              "accepted",
		"certs endpoint answers `{}` once: to a made-up kid":        "accepted",
		"certs endpoint answers `{}` from a made-up kid on":         "accepted",
		"certs body of 8 MB":                                        "",
		"key of an unknown type beside good ones: new process":      "accepted",
		"key of an unknown type beside good ones: running process":  "both accepted",
		"withdrawn key: its session goes on":                        "refused",
		"withdrawn key: after a token with the new key":             "refused",
		"last signature character re-encoded":                       "refused",
		"token without a kid":                                       "refused",
		"`type: org` token":                                         "refused",
		"`crit` header":                                             "refused",
		"no `exp`":                                                  "refused",
		"HS256, keyed with the public key":                          "refused",
		"alg `none`":                                                "refused",
	}
	for _, row := range r.Rows {
		expected, ok := want[row.Name]
		delete(want, row.Name)
		switch got := row.Cells[0]; {
		case !ok:
			t.Errorf("%s: no expectation", row.Name)
		case expected == "":
			// How much is read depends on the connection's buffers.
			if !strings.HasSuffix(got, " MB read, accepted") {
				t.Errorf("%s: got %q", row.Name, got)
			}
		case got != expected:
			t.Errorf("%s: got %q, want %q", row.Name, got, expected)
		}
	}
	for name := range want {
		t.Errorf("%s: no such situation", name)
	}
}

// What the peers do is theirs to change; that every cell is filled is ours.
func TestEverybody(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	libraries := peers.Libraries()
	r, err := reproduce(t.Context(), libraries, quickSize())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Columns) != len(libraries) {
		t.Errorf("%d columns, want %d", len(r.Columns), len(libraries))
	}
	for _, row := range r.Rows {
		for i, cell := range row.Cells {
			if cell == "" {
				t.Errorf("%s: %s has no cell", row.Name, libraries[i].Name)
			}
		}
	}
}

// broken returns a library whose verifiers do as they are told.
func broken(verify peers.Verify) peers.Library {
	return peers.Library{Name: "broken", New: func(context.Context, peers.Site) (peers.Verify, error) { return verify, nil }}
}

// The table notices what is wrong with a verifier.
func TestBrokenVerifiers(t *testing.T) {
	t.Parallel()
	team := accesstest.NewTeam(peers.Team)
	defer team.Close()
	z := quickSize()
	find := func(name string) situation {
		for _, in := range situations(z) {
			if in.name == name {
				return in
			}
		}
		t.Fatalf("no situation %q", name)
		return situation{}
	}
	gullible := broken(func(context.Context, string) error { return nil })
	calls := 0
	stubborn := broken(func(context.Context, string) error {
		if calls++; calls > 1 {
			return errors.New("no more")
		}
		return nil
	})
	asked := false
	never := make(chan struct{})
	defer close(never)
	silent := broken(func(context.Context, string) error {
		if asked {
			<-never
		}
		asked = true
		return nil
	})
	for _, test := range []struct {
		library   peers.Library
		situation string
		limit     time.Duration
		want      string
	}{
		{gullible, "alg `none`", z.Limit, "accepted"},
		{gullible, "last signature character re-encoded", z.Limit, "accepted: 64 spellings"},
		{gullible, "20 forged signatures under a known kid", z.Limit, "all accepted, no fetch"},
		{gullible, "withdrawn key: after a token with the new key", z.Limit, "accepted (no fetch)"},
		{stubborn, "certs endpoint answers `{}` from a made-up kid on", z.Limit, "refused (no fetch)"},
		{silent, "no `exp`", 300 * time.Millisecond, "no answer within 0.3 s"},
	} {
		z := z
		z.Limit = test.limit
		got, err := play(t.Context(), find(test.situation), test.library, team, z)
		if err != nil || got != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.situation, got, err, test.want)
		}
	}

	refusing := broken(func(context.Context, string) error { return errors.New("never") })
	if cell, err := play(t.Context(), find("no `exp`"), refusing, team, z); err == nil {
		t.Errorf("a verifier that refuses everything: got %q, want an error", cell)
	}
}

func TestTally(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		t    tally
		want string
	}{
		"accepted": {tally{3, 0}, "all accepted"},
		"refused":  {tally{0, 3}, "all refused"},
		"both":     {tally{1, 2}, "1 accepted, 2 refused"},
	} {
		if got := fmt.Sprint(test.t); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	r := &report{
		Command: "./scripts/situations.sh", Date: time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC), Columns: []string{"ours", "theirs v1"},
		Rows: []row{{"rain", "From above.", []string{"dry", "wet"}}, {"snow", "", []string{"warm", "cold"}}},
	}
	got := r.markdown()
	for _, want := range []string{
		"Written on 2001-02-03 by `./scripts/situations.sh`",
		"| situation | ours | theirs v1 |\n| --- | --- | --- |\n| rain | dry | wet |\n| snow | warm | cold |\n",
		"\n- **rain**: From above.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q isn't in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "**snow**") {
		t.Errorf("a row without a legend has one:\n%s", got)
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":     {[]string{"-fast"}, "not defined"},
		"unknown argument": {[]string{"everything"}, "unknown argument"},
	} {
		if err := run(t.Context(), test.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}
