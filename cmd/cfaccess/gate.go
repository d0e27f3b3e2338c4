package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/gate"
	"github.com/cfaccess/cfaccess/core"
)

func newGateCommand() *cobra.Command {
	var options gate.Options
	var team, upstream, file string
	var audiences []string
	var asJSON bool
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
			options.Logger = slog.New(slog.NewTextHandler(command.ErrOrStderr(), nil))
			if asJSON {
				options.Logger = slog.New(slog.NewJSONHandler(command.ErrOrStderr(), nil))
			}
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
	flags.StringVar(&options.MetricsAddr, "metrics-addr", "", "another address of /healthz, /readyz and /metrics; a proxy has them nowhere else")
	flags.StringVar(&team, "team", "", "team name or domain (default $TEAM_DOMAIN)")
	flags.StringSliceVar(&audiences, "aud", nil, "AUD tag; may be given several times (default $POLICY_AUD)")
	flags.StringVar(&upstream, "upstream", "", "URL of the application, for a proxy")
	flags.StringVar(&file, "config", "", "YAML file with several applications and rules")
	flags.BoolVar(&asJSON, "json", false, "write the log as JSON")
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
