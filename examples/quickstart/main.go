// Quickstart shows what a protected server does with good and bad requests. It
// brings its own Access team and needs neither an account nor a network:
//
//	go run ./examples/quickstart -once
//
// starts a team and a server on loopback, sends requests, and prints what was
// expected and what came. The exit status is 0 if every row holds, else 1.
// Without -once it goes on serving, and prints curl commands to try.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// Who the server works for. An AUD tag is 64 hex digits, one an application.
const (
	teamName = "acme"
	audience = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], newHandler, os.Stdout, os.Stderr))
}

// run is the program. It returns the exit status. newHandler makes the server
// that is put to the test.
func run(ctx context.Context, args []string, newHandler func(*core.Verifier) http.Handler, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	once := flags.Bool("once", false, "print the table and exit")
	addr := flags.String("addr", "127.0.0.1:3000", "address to serve on after the table")
	verbose := flags.Bool("v", false, "print the library's log, with the reason for each refusal")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}

	// Some situations make the certs endpoint fail. What the library logs of
	// that would only clutter the table.
	logger := slog.New(slog.DiscardHandler)
	if *verbose {
		logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	var err error
	if *once {
		err = try(ctx, newHandler, logger, stdout)
	} else {
		err = tryAndServe(ctx, *addr, newHandler, logger, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "quickstart:", err)
		return 1
	}
	return 0
}

// try prints the table. It returns an error unless every row holds.
func try(ctx context.Context, newHandler func(*core.Verifier) http.Handler, logger *slog.Logger, stdout io.Writer) error {
	team := accesstest.NewTeam(teamName)
	defer team.Close()
	trial := newTrial(team, newHandler, logger)
	defer trial.close()
	rows := trial.playAll(ctx, situations())
	if ctx.Err() != nil {
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	return printTable(stdout, rows)
}

// tryAndServe prints the table, and then serves on addr until ctx ends.
func tryAndServe(ctx context.Context, addr string, newHandler func(*core.Verifier) http.Handler, logger *slog.Logger, stdout io.Writer) error {
	// Before the table, so that a taken address shows at once.
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("can't serve on %s; choose another address with -addr: %w", addr, err)
	}
	defer listener.Close()
	if err := try(ctx, newHandler, logger, stdout); err != nil {
		return err
	}

	team := accesstest.NewTeam(teamName)
	defer team.Close()
	verifier, err := newVerifier(team, logger)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout)
	printCommands(stdout, team, "http://"+listener.Addr().String())
	return serve(ctx, listener, newHandler(verifier))
}
