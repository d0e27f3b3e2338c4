package main

import (
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/dev"
)

func newDevCommand() *cobra.Command {
	options := dev.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	command := &cobra.Command{
		Use:   "dev --upstream URL",
		Short: "Access on localhost, for the development of an application in any language",
		Long: `dev is a reverse proxy on localhost that does what Cloudflare's edge does. It asks for
a login, and sends the application a signed token in the header and the cookie.

Signals, except on Windows: SIGUSR1 rotates the signing keys, and the second one ends
older sessions. SIGUSR2 makes the certs endpoint fail, or work again.`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			server, err := dev.New(options)
			if err != nil {
				return err
			}
			server.WriteEnvironment(command.OutOrStdout())
			return server.Run(command.Context())
		},
	}
	folder, _ := os.UserConfigDir() // without one, the working directory
	flags := command.Flags()
	flags.StringVar(&options.Upstream, "upstream", "", "URL of the application, such as http://127.0.0.1:3000")
	flags.StringVar(&options.Addr, "addr", "127.0.0.1:8000", "address to listen on")
	flags.StringVar(&options.Config, "config", "", "YAML file with people, services and applications, whose defaults are the flags")
	flags.BoolVar(&options.EndSessions, "end-sessions", false, "make new keys, which ends the sessions of earlier runs")
	flags.BoolVar(&options.FailCerts, "fail-certs", false, "make the certs endpoint fail with 503")
	flags.StringVar(&options.State, "state", filepath.Join(folder, "cfaccess", "dev.pem"), "file of signing keys")
	flags.BoolVar(&options.Insecure, "i-know-this-is-not-secure", false, "allow other addresses than loopback: anyone there can log in as anyone")
	return command
}
