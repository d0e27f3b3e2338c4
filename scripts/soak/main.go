// Soak puts the four example servers and a fake team through a storm: thousands
// of sessions, forgeries of every kind, slow clients, and a certs endpoint that
// fails in every way. An oracle that knows the truth about each token judges
// every answer:
//
//	./scripts/soak.sh -for 10m
//
// It prints tables, and exits with 1 if anything was wrong. A run of a minute or
// more writes results.md and results.svg. The seed, which it prints, makes the
// same faults at the same times, and the same choices of each client.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// errWrong is the verdict on servers that did what they must not.
var errWrong = errors.New("what must be zero isn't")

// A run of writtenFrom or more is worth keeping.
const (
	writtenFrom = time.Minute
	resultsHere = "scripts/soak"
)

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.DurationVar(&o.length, "for", 10*time.Minute, "how long the storm lasts")
	flags.Uint64Var(&o.seed, "seed", rand.Uint64N(1_000_000), "of the faults and the choices")
	flags.BoolVar(&o.race, "race", false, "build the servers with the race detector")
	out := flags.String("out", "", "directory for results.md and results.svg; if empty, a run of a minute or more writes to "+resultsHere)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	directory := *out
	if directory == "" && o.length >= writtenFrom {
		directory = resultsHere
	}
	if directory != "" {
		// Before the storm: nobody wants to hear it afterwards.
		if info, err := os.Stat(directory); err != nil || !info.IsDir() {
			return fmt.Errorf("-out %s: not a directory", directory)
		}
	}

	began := time.Now()
	r, err := carryOut(ctx, o, func(what string) { fmt.Fprintf(stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), what) })
	if err != nil {
		return err
	}
	r.print(stdout)
	if directory != "" {
		if err := r.write(directory); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "\nresults.md and results.svg are in %s\n", directory)
	}
	if r.failed() {
		return fmt.Errorf("%w: seed %d", errWrong, o.seed)
	}
	return nil
}
