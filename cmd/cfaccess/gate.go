package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/gate"
)

func newGateCommand() *cobra.Command {
	var options gate.Options
	single, config := gate.Application{Hosts: []string{"*"}}, gate.Config{}
	var file, format string
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
			options.Load = func() (*gate.Config, error) { return gate.Load(file, options.Logger) }
			if file == "" {
				options.Load = func() (*gate.Config, error) {
					config := config // each one's own
					config.Applications = []gate.Application{single}
					return &config, config.Check(options.Logger)
				}
				config.Team = cmp.Or(config.Team, os.Getenv("TEAM_DOMAIN"))
				if single.Audiences == nil {
					single.Audiences = strings.FieldsFunc(os.Getenv("POLICY_AUD"), func(r rune) bool { return r == ',' || r == ' ' })
				}
				if config.Team == "" || len(single.Audiences) == 0 {
					return errors.New("want --team and --aud, or TEAM_DOMAIN and POLICY_AUD, or --config")
				}
			}
			return gate.Run(command.Context(), options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.Addr, "addr", "127.0.0.1:9300", "address to listen on, or unix:PATH")
	flags.StringVar(&options.MetricsAddr, "metrics-addr", "127.0.0.1:9301", "address of /healthz, /readyz and /metrics next to a proxy")
	flags.StringVar(&config.Team, "team", "", "team name or domain (default $TEAM_DOMAIN)")
	flags.StringSliceVar(&single.Audiences, "aud", nil, "AUD tag; may be given several times (default $POLICY_AUD)")
	flags.StringVar(&single.Upstream, "upstream", "", "URL of the application, for a proxy")
	flags.StringVar(&config.Endpoint, "endpoint", "", "where Access's endpoints are, instead of the team domain")
	flags.StringVar(&file, "config", "", "YAML file with several applications and rules")
	flags.StringVar(&format, "log-format", "text", "text or json")
	_ = flags.MarkHidden("endpoint") // it exists
	for _, name := range []string{"team", "aud", "upstream", "endpoint"} {
		command.MarkFlagsMutuallyExclusive("config", name)
	}
	command.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "Print every mistake in a configuration file, with its line",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, arguments []string) error {
			if _, err := gate.Load(arguments[0], slog.New(slog.DiscardHandler)); err != nil {
				command.PrintErrln(err)
				return exitError(2)
			}
			return nil
		},
	})
	return command
}
