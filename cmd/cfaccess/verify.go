package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/inspect"
)

func newVerifyCommand() *cobra.Command {
	var team string
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
			pasted := append(arguments, "-")[0]
			if pasted == "-" {
				input, err := io.ReadAll(io.LimitReader(c.InOrStdin(), 1<<20))
				if err != nil {
					return err
				}
				pasted = string(input)
			}
			report, err := inspect.Inspect(c.Context(), pasted, team, audiences)
			if err != nil {
				return err
			}
			report.Print(c.OutOrStdout(), asJSON)
			return map[inspect.Result]error{inspect.Bad: exitError(1), inspect.Unknown: exitError(2)}[report.Result]
		},
	}
	accessFlags(c, &team, &audiences)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func newKeysCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keys [TEAM]",
		Short: "List the keys that a team publishes",
		Long: `keys lists the keys that a team publishes, and says which ones cfaccess skips and
why. TEAM is a name, a domain or the URL of a local Access; without it, TEAM_DOMAIN.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, arguments []string) error {
			return inspect.PrintKeys(c.Context(), c.OutOrStdout(), append(arguments, os.Getenv("TEAM_DOMAIN"))[0])
		},
	}
}
