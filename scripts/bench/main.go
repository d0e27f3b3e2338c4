// Bench measures cfaccess beside its peers, on the same tokens in one run, and
// says which of its targets are met:
//
//	./scripts/bench.sh
//
// It prints the tables, and writes results.md and results.svg. With -quick it
// runs for seconds, to see that it works: the figures mean nothing then, and
// the files go to a temporary directory.
//
// Everything happens on loopback. The program runs itself again for what needs
// a process of its own: "serve" is a server, "load" a load generator.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the program, or one of those that it starts.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	command := func([]string) error { return compare(ctx, args, stdout, stderr) }
	if len(args) > 0 {
		switch args[0] {
		case "serve":
			command = func(args []string) error { return serveCommand(ctx, args[1:], stdin, stdout) }
		case "load":
			command = func(args []string) error { return loadCommand(ctx, args[1:], stdin, stdout) }
		}
	}
	if err := command(args); !errors.Is(err, flag.ErrHelp) {
		return err
	}
	return nil
}

// compare measures everything and hands out the report.
func compare(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "a smoke run of seconds")
	out := flags.String("out", "scripts/bench", "directory for results.md and results.svg; ignored with -quick")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flags.Arg(0))
	}

	size, directory := fullSize(), *out
	if *quick {
		temporary, err := os.MkdirTemp("", "cfaccess-bench-")
		if err != nil {
			return fmt.Errorf("a directory for the results: %w", err)
		}
		size, directory = quickSize(), temporary
	}
	began := time.Now()
	r := &report{
		Command: strings.Join(append([]string{"./scripts/bench.sh"}, args...), " "),
		Quick:   *quick,
		Machine: thisMachine(),
		Size:    size,
	}
	progress := func(what string) { fmt.Fprintf(stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), what) }
	if err := measureAll(ctx, r, progress); err != nil {
		return err
	}
	r.Took = time.Since(began)
	return publish(r, directory, stdout, stderr)
}
