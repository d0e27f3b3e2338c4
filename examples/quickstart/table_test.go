package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestPrintTable(t *testing.T) {
	good := row{name: "no token", want: "401 token_missing", got: "401 token_missing", holds: true}
	bad := row{name: "200 made-up kids", want: "200 × 401", got: "3 × 401"}

	for name, test := range map[string]struct {
		rows   []row
		table  string
		failed string
	}{
		"every row holds": {[]row{good}, `situation   expected            got
no token    401 token_missing   401 token_missing   ✓

All 1 situations went as expected.
`, ""},
		"a row fails": {[]row{good, bad}, `situation          expected            got
no token           401 token_missing   401 token_missing   ✓
200 made-up kids   200 × 401           3 × 401             ✗
`, "1 of 2 situations"},
	} {
		t.Run(name, func(t *testing.T) {
			var output bytes.Buffer
			err := printTable(&output, test.rows)
			var lines strings.Builder
			for line := range strings.Lines(output.String()) {
				lines.WriteString(strings.TrimRight(line, " \n") + "\n")
			}
			if got := lines.String(); got != test.table {
				t.Errorf("got\n%s\nwant\n%s", got, test.table)
			}
			if test.failed == "" && err != nil || test.failed != "" && (err == nil || !strings.Contains(err.Error(), test.failed)) {
				t.Errorf("got error %v, want %q", err, test.failed)
			}
		})
	}
}

func TestPrintTableReportsWriteError(t *testing.T) {
	if err := printTable(brokenWriter{}, nil); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want %v", err, errBroken)
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }
