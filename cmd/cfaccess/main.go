// Command cfaccess works with Cloudflare Access from a shell.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// exitError ends the command with a status of its own. The command has printed
// its result already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// run executes the command line and returns the exit status: 2 for a mistake in
// the command line, as for a result that is not known.
func run(ctx context.Context, arguments []string) int {
	root := newCommand()
	root.SetArgs(arguments)
	err := root.ExecuteContext(ctx)
	if status, ok := errors.AsType[exitError](err); ok {
		return int(status)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cfaccess:", err)
		return 2
	}
	return 0
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "cfaccess",
		Short:         "Tools for applications behind Cloudflare Access",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newGateCommand())
	return root
}
