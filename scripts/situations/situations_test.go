package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/scripts/peers"
)

// refresh is short, but long enough for a busy machine.
const refresh = 500 * time.Millisecond

func runOne(t *testing.T, library peers.Library) map[string]string {
	t.Helper()
	result, err := run(t.Context(), []peers.Library{library}, refresh)
	if err != nil {
		t.Fatal(err)
	}
	cells := make(map[string]string)
	for _, row := range result.Rows {
		cells[row.Name] = row.Cells[0]
	}
	return cells
}

func TestOurs(t *testing.T) {
	t.Parallel()
	got := runOne(t, peers.Libraries()[0])
	want := map[string]string{
		"200 tokens with made-up kids":                                      "1 fetch",
		"200 tokens with made-up kids while the certs endpoint answers 500": "1 fetch",
		"200 forged signatures under a known kid":                           "0 fetches",
		"key rotated, then 500 concurrent requests with the new key":        "500 of 500 accepted, 1 fetch",
		"certs endpoint answers `{}` from a made-up kid on":                 "accepted",
		"certs endpoint answers `{}` from a refresh on":                     "accepted",
		"certs endpoint answers 500 from a refresh on":                      "accepted",
		"certs body of 200 MB":                                              "cut off, accepted",
		"key of an unknown type beside good ones":                           "old key accepted, new key accepted",
		"key withdrawn": "refused",
		"last character of the signature re-encoded": "refused",
		"token without a kid":                        "refused",
		"`type: org` token":                          "refused",
		"`crit` header":                              "refused",
		"no `exp`":                                   "refused",
	}
	for name, cell := range got {
		if cell != want[name] {
			t.Errorf("%s: got %q, want %q", name, cell, want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d situations, want %d", len(got), len(want))
	}
}

// always returns a library that gives every token the same result.
func always(result error) peers.Library {
	return peers.Library{Name: "always", New: func(context.Context, peers.Site) (peers.Verify, error) {
		return func(context.Context, string) error { return result }, nil
	}}
}

// The table shows the faults of a library that accepts everything.
func TestAcceptsEverything(t *testing.T) {
	t.Parallel()
	got := runOne(t, always(nil))
	for name, want := range map[string]string{
		"200 forged signatures under a known kid":                    "accepted",
		"key rotated, then 500 concurrent requests with the new key": "500 of 500 accepted, 0 fetches",
		"certs body of 200 MB":                                       "accepted (no fetch)",
		"key withdrawn":                                              "accepted (no fetch)",
		"last character of the signature re-encoded":                 "accepted: 64 spellings",
		"no `exp`": "accepted",
	} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %q", name, got[name], want)
		}
	}
}

// A library that refuses a good token is an error, not a column.
func TestRefusesEverything(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	if _, err := run(t.Context(), []peers.Library{always(refused)}, refresh); !errors.Is(err, refused) {
		t.Errorf("got %v, want %v", err, refused)
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	err := markdown.Execute(&got, table{time.Second, []string{"ours", "theirs v1"}, []row{{"rain", []string{"dry", "wet"}}, {"snow", []string{"warm", "cold"}}}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "| situation | ours | theirs v1 |\n| --- | --- | --- |\n| rain | dry | wet |\n| snow | warm | cold |\n\n- "
	if !strings.HasPrefix(got.String(), want) {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}
