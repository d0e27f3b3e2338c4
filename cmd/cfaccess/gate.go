package main

import (
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/gate"
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
		Example: `  cfaccess gate --team acme --aud TAG --upstream http://127.0.0.1:3000
  cfaccess gate --config gate.yaml
  cfaccess gate check gate.yaml`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			options.Logger = slog.New(slog.NewTextHandler(command.ErrOrStderr(), nil))
			if asJSON {
				options.Logger = slog.New(slog.NewJSONHandler(command.ErrOrStderr(), nil))
			}
			if file == "" && (team == "" || len(audiences) == 0) {
				return errors.New("want --team and --aud, or TEAM_DOMAIN and POLICY_AUD, or --config")
			}
			options.Load = func() (*gate.Config, error) { return gate.Load(file, options.Logger) }
			if file == "" {
				options.Load = func() (*gate.Config, error) { return gate.Single(team, upstream, audiences, options.Logger) }
			}
			return gate.Run(command.Context(), options)
		},
	}
	accessFlags(command, &team, &audiences)
	flags := command.Flags()
	flags.StringVar(&options.Addr, "addr", "127.0.0.1:9300", "address to listen on, or unix:PATH")
	flags.StringVar(&options.MetricsAddr, "metrics-addr", "", "another address of /healthz, /readyz and /metrics; a proxy has them nowhere else")
	flags.StringVar(&upstream, "upstream", "", "URL of the application, for a proxy")
	flags.StringVar(&file, "config", "", "YAML file with several applications and rules")
	flags.BoolVar(&asJSON, "json", false, "write the log as JSON")
	for _, name := range []string{"team", "aud", "upstream"} {
		command.MarkFlagsMutuallyExclusive("config", name)
	}
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
			return err
		},
	})
	return command
}
