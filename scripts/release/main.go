// Release is what the scripts of a release have in common: it knows the modules
// of this repository, and what their go.mod files say of each other.
//
//	release rehearse            [adapter ...]   scripts/rehearse.sh
//	release prepare v0.2.0                      scripts/release.sh v0.2.0
//	release commands v0.2.0                     its last step
//	release requires v0.2.0                     scripts/release.sh -requires v0.2.0
//	release move example.org/some/where         scripts/set-module-path.sh example.org/some/where
//
// It runs in the root of the repository, and has no path of it but what
// core/go.mod says.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C doesn't wait for the temporary files
	if err := run(ctx, ".", os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run is the program, in the repository at root.
func run(ctx context.Context, root string, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("which command? rehearse, prepare, commands, requires or move")
	}
	if err := leaveHook(); err != nil {
		return err
	}
	r, err := open(ctx, root)
	if err != nil {
		return err
	}
	command, args := args[0], args[1:]
	if command == "rehearse" {
		return rehearse(ctx, r, args, out)
	}
	usage, known := map[string]string{
		"prepare":  "scripts/release.sh v1.2.3",
		"commands": "release commands v1.2.3",
		"requires": "scripts/release.sh -requires v1.2.3",
		"move":     "scripts/set-module-path.sh example.org/some/where",
	}[command]
	if known && len(args) != 1 {
		return fmt.Errorf("one argument is wanted, as in: %s", usage)
	}
	switch command {
	case "prepare":
		return prepare(ctx, r, args[0], time.Now(), out)
	case "commands":
		return printCommands(r, args[0], out)
	case "requires":
		return raise(ctx, r, args[0], out)
	case "move":
		return move(ctx, r, args[0], out)
	}
	return fmt.Errorf("unknown command %q", command)
}

// leaveHook drops what git tells its hooks about the repository: the git that
// is started here works on copies too.
func leaveHook() error {
	for _, name := range []string{
		"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR",
		"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
	} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	return nil
}
