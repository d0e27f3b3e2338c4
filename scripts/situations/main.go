// Situations runs cfaccess and other libraries through the same situations, such
// as a rotated key or a broken certs endpoint, and prints what each library did
// as a Markdown table. scripts/situations.sh runs it. All traffic is on loopback.
package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"text/template"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/peers"
)

func main() {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // keyfunc logs its failed fetches
	log.SetOutput(os.Stderr)                       // SetDefault changes it
	t, err := run(context.Background(), peers.Libraries(), 1500*time.Millisecond)
	if err != nil {
		log.Fatal(err)
	}
	if err := markdown.Execute(os.Stdout, t); err != nil {
		log.Fatal(err)
	}
}

// A table has a row for each situation and a column for each library.
type table struct {
	Refresh time.Duration
	Columns []string
	Rows    []row
}

type row struct {
	Name  string
	Cells []string
}

var markdown = template.Must(template.New("table").Parse(`| situation |{{range .Columns}} {{.}} |{{end}}
| --- |{{range .Columns}} --- |{{end}}
{{range .Rows}}| {{.Name}} |{{range .Cells}} {{.}} |{{end}}
{{end}}
- Each library is set up as its own documentation says, and go-oidc as Cloudflare's sample for Go says. golang-jwt has every option that checks what
  cfaccess checks. Each cell comes from a new verifier, which has accepted the token of a session before the situation begins.
- In the rows about the certs endpoint and the withdrawn key, the cell says whether the session's token is still accepted. "(no fetch)" means that the
  library didn't fetch the keys again, so it could not notice the change.
- A refresh is a fetch at an interval, here {{.Refresh}}. Those rows last two intervals. go-oidc has no such interval.
- The concurrent requests come from 50 users. Where some of them are refused, the number differs from run to run.
- The large body is a JSON object with one long string. A library that doesn't refresh gets a token with a made-up kid, so that it fetches.
- The key of an unknown type is an ML-DSA key (kty AKP). It appears together with a rotated key.
- Four of the six bits of a signature's last character mean nothing. A lenient decoder accepts 16 spellings of one token.
- The org token belongs to the global session and is not meant for an origin. RFC 7515, section 4.1.11, requires that a token with an unknown crit
  extension is refused.
`))

// run returns the table. The libraries run concurrently, each with a team of its
// own, and fetch the keys again at the refresh interval where a situation says so.
func run(ctx context.Context, libraries []peers.Library, refresh time.Duration) (*table, error) {
	t := &table{Refresh: refresh}
	for _, s := range situations {
		t.Rows = append(t.Rows, row{s.name, make([]string, len(libraries))})
	}
	group, ctx := errgroup.WithContext(ctx)
	for column, library := range libraries {
		t.Columns = append(t.Columns, heading(library))
		group.Go(func() error {
			team := accesstest.NewTeam(peers.Team)
			defer team.Close()
			for i, s := range situations {
				cell, err := s.cell(ctx, library, team, refresh)
				if err != nil {
					return err
				}
				t.Rows[i].Cells[column] = cell
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return t, nil
}

// heading returns the modules of a library with the versions in this program.
func heading(library peers.Library) string {
	versions := make(map[string]string)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Replace == nil { // cfaccess is the working tree
				versions[dependency.Path] = dependency.Version
			}
		}
	}
	var parts []string
	for _, module := range library.Modules {
		parts = append(parts, strings.TrimSpace(module.Name+" "+versions[module.Path]))
	}
	return strings.Join(parts, " + ")
}
