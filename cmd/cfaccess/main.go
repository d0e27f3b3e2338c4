// Command cfaccess works with Cloudflare Access from a shell.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// exitError ends the command with a status of its own. The command has printed
// its result already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// token is what must not be printed, such as one in place of a command's name.
var token = regexp.MustCompile(`eyJ[\w.-]{30,}`)

// run executes the command line and returns the exit status: 2 for a mistake in
// the command line, as for a result that is not known.
func run(ctx context.Context, arguments []string, in io.Reader, out, errs io.Writer) int {
	root := newCommand()
	root.SetArgs(arguments)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if status, ok := errors.AsType[exitError](err); ok {
		return int(status)
	}
	if err != nil {
		text := strings.NewReplacer("cfaccess: ", "", "Config.", "").Replace(err.Error())
		fmt.Fprintln(errs, "cfaccess:", token.ReplaceAllString(text, "(a token)"))
		return 2
	}
	return 0
}

func newCommand() *cobra.Command {
	root := &cobra.Command{Use: "cfaccess", Short: "Tools for applications behind Cloudflare Access", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(newVerifyCommand(), newKeysCommand(), newDevCommand(), newGateCommand())
	return root
}

// accessFlags adds the flags --team and --aud, whose defaults are the environment's.
func accessFlags(command *cobra.Command, team *string, audiences *[]string) {
	tags := strings.Fields(strings.ReplaceAll(os.Getenv("POLICY_AUD"), ",", " "))
	command.Flags().StringVar(team, "team", os.Getenv("TEAM_DOMAIN"), "team `name` or URL (TEAM_DOMAIN)")
	command.Flags().StringSliceVar(audiences, "aud", tags, "AUD `tag` of the application, or several (POLICY_AUD)")
}
