// Situations reproduces what verifiers of Access tokens do when something goes
// wrong: cfaccess and its peers are put through the same situations, and what
// each did becomes a table:
//
//	./scripts/situations.sh
//
// It prints the table as Markdown. With -out it also writes situations.md into
// that directory. Everything happens on loopback, in about half a minute.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cfaccess/cfaccess/scripts/peers"
)

// longest is how long a run may take before it gives up.
const longest = 4 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	// keyfunc logs its failed fetches to the default logger.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "situations:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("situations", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "", "directory for situations.md; none is written without")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()

	began := time.Now()
	r, err := reproduce(ctx, peers.Libraries(), fullSize())
	if err != nil {
		return err
	}
	r.Command = strings.Join(append([]string{"./scripts/situations.sh"}, args...), " ")
	fmt.Fprint(stdout, r.markdown())
	if *out != "" {
		if err := os.WriteFile(filepath.Join(*out, "situations.md"), []byte(r.markdown()), 0o644); err != nil {
			return fmt.Errorf("writing the table: %w", err)
		}
	}
	fmt.Fprintf(stderr, "took %.0f s\n", time.Since(began).Seconds())
	return nil
}
