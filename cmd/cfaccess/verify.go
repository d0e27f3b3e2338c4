package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/inspect"
)

func newVerifyCommand() *cobra.Command {
	var team, endpoint string
	var audiences []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify [TOKEN|-]",
		Short: "Say what each check finds in a token",
		Long: `verify prints the header and claims of a token, and what each check finds. The
token is the argument or, so that the shell's history doesn't keep it, standard
input. A pasted header line or cookie line will do.

The exit status is 0 for a good token, 1 for a bad one, and 2 if verify can't
tell: keys can't be fetched, or the team or the AUD tag isn't given.`,
		Example: `  cloudflared access token --app=https://app.example.com | cfaccess verify --team acme --aud 32ea…4228
  cfaccess verify --team http://127.0.0.1:8000 <<<"Cookie: CF_Authorization=…"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			pasted := strings.Join(arguments, "")
			if pasted == "" || pasted == "-" {
				input, err := io.ReadAll(io.LimitReader(c.InOrStdin(), 1<<20))
				if err != nil {
					return err
				}
				pasted = string(input)
			}
			report, err := inspect.Inspect(c.Context(), inspect.FindToken(pasted), team, endpoint, audiences)
			if err != nil {
				return err
			}
			if asJSON {
				encoder := json.NewEncoder(c.OutOrStdout())
				encoder.SetIndent("", "  ")
				err = encoder.Encode(report)
			} else {
				report.Print(c.OutOrStdout(), time.Now())
			}
			switch {
			case err != nil:
				return err
			case report.Result == inspect.Bad:
				return exitError(1)
			case report.Result != inspect.Good:
				return exitError(2)
			}
			return nil
		},
	}
	var tags []string
	if tag := os.Getenv("POLICY_AUD"); tag != "" {
		tags = strings.Split(tag, ",")
	}
	c.Flags().StringVar(&team, "team", os.Getenv("TEAM_DOMAIN"), "team `name` or URL; without it, the token's own issuer (environment: TEAM_DOMAIN)")
	c.Flags().StringSliceVar(&audiences, "aud", tags, "AUD `tag` of the application; may be given several times (environment: POLICY_AUD)")
	c.Flags().StringVar(&endpoint, "endpoint", "", "`URL` of a local Access that has the keys of --team")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func newKeysCommand() *cobra.Command {
	var endpoint string
	c := &cobra.Command{
		Use:   "keys [TEAM]",
		Short: "List the keys that a team publishes",
		Long: `keys lists the keys that a team publishes, and says which ones cfaccess skips and
why. TEAM is a name, a domain or the URL of a local Access; without it, TEAM_DOMAIN.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			team := os.Getenv("TEAM_DOMAIN")
			if len(arguments) > 0 {
				team = arguments[0]
			}
			issuer, keys, err := inspect.Keys(c.Context(), team, endpoint)
			if len(keys) > 0 {
				inspect.PrintKeys(c.OutOrStdout(), issuer, keys, time.Now())
			}
			if err != nil {
				return fmt.Errorf("keys: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&endpoint, "endpoint", "", "`URL` of a local Access that has the keys of the team")
	return c
}
