package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/gate"
	"github.com/cfaccess/cfaccess/core"
)

func newGateCommand() *cobra.Command {
	var options gate.Options
	var team, upstream, file, format string
	var audiences []string
	command := &cobra.Command{
		Use:   "gate",
		Short: "Check Access in front of any application: for nginx, Traefik, Caddy and Envoy, or as a proxy",
		Long: `gate decides about requests to applications that aren't written in Go. A proxy asks
it at /auth/nginx, /auth/traefik, /auth/caddy or /auth/envoy. With an upstream it
is a reverse proxy itself. SIGHUP reloads the configuration file.`,
		Example: `cfaccess gate --team acme --aud TAG --upstream http://127.0.0.1:3000
cfaccess gate --config gate.yaml
cfaccess gate check gate.yaml`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			handlers := map[string]slog.Handler{
				"text": slog.NewTextHandler(command.ErrOrStderr(), nil),
				"json": slog.NewJSONHandler(command.ErrOrStderr(), nil),
			}
			if handlers[format] == nil {
				return fmt.Errorf("--log-format %q: want text or json", format)
			}
			options.Logger = slog.New(handlers[format])
			options.MetricsAsked = command.Flags().Changed("metrics-addr")
			options.Load = func() (*gate.Config, error) { return gate.Load(file, options.Logger) }
			if file == "" {
				if team == "" && audiences == nil {
					environment, err := core.ConfigFromEnv()
					if err != nil {
						return err
					}
					team, audiences = environment.Team, environment.Audiences
				}
				options.Load = func() (*gate.Config, error) {
					return gate.Single(team, upstream, audiences, options.Logger)
				}
			}
			return gate.Run(command.Context(), options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.Addr, "addr", "127.0.0.1:9300", "address to listen on, or unix:PATH")
	flags.StringVar(&options.MetricsAddr, "metrics-addr", "127.0.0.1:9301", "address of /healthz, /readyz and /metrics of a proxy")
	flags.StringVar(&team, "team", "", "team name or domain (default $TEAM_DOMAIN)")
	flags.StringSliceVar(&audiences, "aud", nil, "AUD tag; may be given several times (default $POLICY_AUD)")
	flags.StringVar(&upstream, "upstream", "", "URL of the application, for a proxy")
	flags.StringVar(&file, "config", "", "YAML file with several applications and rules")
	flags.StringVar(&format, "log-format", "text", "text or json")
	command.MarkFlagsRequiredTogether("team", "aud")
	command.MarkFlagsMutuallyExclusive("config", "team")
	command.MarkFlagsMutuallyExclusive("config", "upstream")
	command.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "Print every mistake in a configuration file, with its line",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			logger := slog.New(slog.NewTextHandler(command.ErrOrStderr(), nil))
			config, err := gate.Load(arguments[0], logger)
			if err == nil {
				_, err = gate.New(config, logger) // warns of odd settings
			}
			if err != nil {
				command.PrintErrln(err)
				return exitError(2)
			}
			return nil
		},
	})
	return command
}
