// Differential has a million tokens judged by cfaccess, by two of its peers and
// by the rules written down a second time, and fails if they differ for a reason
// that nobody has named:
//
//	./scripts/differential.sh
//
// The tokens are good ones, and what mutations at every level make of them. They
// come from a seed: -seed and -only make one of them again, but for the time,
// since the dates in a token are near the time at which it is judged.
//
// With -out it writes results.md into that directory. A run that is interrupted
// reports what it has judged so far, and fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/cfaccess/cfaccess/scripts/table"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "differential:", err)
		os.Exit(1)
	}
}

// shownFailures is how many failures are printed.
const shownFailures = 5

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("differential", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seed := flags.Uint64("seed", 1, "what the tokens come from")
	count := flags.Int("n", 1_000_000, "how many tokens")
	only := flags.Int("only", -1, "judge the token of this number alone, and show it")
	out := flags.String("out", "", "directory for results.md; none if empty")
	workers := flags.Int("workers", runtime.GOMAXPROCS(0), "how many tokens at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if *count < 1 || *workers < 1 {
		return errors.New("-n and -workers are 1 or more")
	}
	c, err := newCourt(ctx, *seed)
	if err != nil {
		return err
	}
	if *only >= 0 {
		return showOne(ctx, c, *only, stdout)
	}

	began := time.Now()
	t := newTally()
	interrupted := c.sit(ctx, *count, *workers, t, func(done int) { fmt.Fprintf(stderr, "%s tokens\n", table.Thousands(done)) })
	r := &report{seed: *seed, took: time.Since(began), tally: t}
	r.print(stdout)
	for _, f := range t.first(shownFailures) {
		fmt.Fprintf(stdout, "\nFAILURE: %s\n%s  again:     ./scripts/differential.sh -seed %d -only %d\n",
			printable(f.err.Error()), describeOutcome(f.outcome, *seed), *seed, f.outcome.number)
	}
	if *out != "" {
		if err := r.write(*out); err != nil {
			return err
		}
	}
	return errors.Join(t.verdict(), interrupted)
}

// showOne judges one token as the whole run would.
func showOne(ctx context.Context, c *court, number int, stdout io.Writer) error {
	t := newTally()
	c.session(ctx, number-number%perSession, number, number+1, func(o *outcome) {
		t.add(o)
		fmt.Fprint(stdout, describeOutcome(o, c.seed))
		for i := range peers {
			if class, _ := o.classOf(i); class != nil {
				fmt.Fprintf(stdout, "  %s differs: %s: %s\n", peers[i], class.name, class.why)
			}
		}
	})
	for _, f := range t.failures {
		return f.err
	}
	return nil
}
