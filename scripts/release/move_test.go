package main

import (
	"io"
	"path/filepath"
	"testing"
)

func TestReplacePath(t *testing.T) {
	for name, test := range map[string]struct{ text, to, want string }{
		"an import":    {`"example.org/a/core"`, "example.org/b", `"example.org/b/core"`},
		"the whole":    {"go get example.org/a", "example.org/b", "go get example.org/b"},
		"in a URL":     {"https://example.org/a.git", "example.org/b", "https://example.org/b.git"},
		"several":      {"example.org/a example.org/a/c", "b.org", "b.org b.org/c"},
		"another path": {"example.org/ab example.org/a-b", "example.org/b", "example.org/ab example.org/a-b"},
		"below itself": {"example.org/a/core", "example.org/a/b", "example.org/a/b/core"},
		"above itself": {"example.org/a/core", "example.org", "example.org/core"},
		"not there":    {"example.org/c", "example.org/b", "example.org/c"},
		"not text":     {"\x00example.org/a", "example.org/b", "\x00example.org/a"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := replacePath([]byte(test.text), "example.org/a", test.to); string(got) != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// The modules work at another path as they do at this one, also where a path
// has capitals, which proxies spell otherwise.
func TestMove(t *testing.T) {
	r := newCopy(t)
	const to = "example.org/Some/where"
	if err := move(t.Context(), r, to, io.Discard); err != nil {
		t.Fatal(err)
	}
	r = reopened(t, r)
	if r.prefix != to {
		t.Errorf("the modules are at %s, want %s", r.prefix, to)
	}
	for _, name := range changes(t, r) {
		if filepath.Ext(name) != ".go" {
			continue
		}
		unformatted, err := execute(t.Context(), r.root, nil, "gofmt", "-l", name)
		if err != nil || unformatted != "" {
			t.Errorf("not formatted: %s %v", unformatted, err)
		}
	}
	if err := rehearse(t.Context(), r, []string{"stdaccess"}, io.Discard); err != nil {
		t.Error(err)
	}
}

// What can't be replaced is found: it is within another word, or not in text.
func TestProveMoved(t *testing.T) {
	r := newCopy(t)
	write(t, r, "leftover", "see "+r.prefix+"ish")
	checkError(t, move(t.Context(), r, "example.org/b", io.Discard), "leftover still has")
}
