package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

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
			pasted := strings.Join(arguments, "")
			if len(arguments) == 0 || pasted == "-" {
				input, err := io.ReadAll(io.LimitReader(c.InOrStdin(), 1<<20))
				if err != nil {
					return err
				}
				pasted = string(input)
			}
			report, err := inspect.Inspect(c.Context(), inspect.FindToken(pasted), team, audiences)
			if err != nil {
				return err
			}
			if asJSON {
				var text string
				text, err = report.JSON()
				fmt.Fprintln(c.OutOrStdout(), text)
			} else {
				report.Print(c.OutOrStdout(), time.Now())
			}
			if status := map[inspect.Result]exitError{inspect.Bad: 1, inspect.Unknown: 2}[report.Result]; status != 0 && err == nil {
				return status
			}
			return err
		},
	}
	c.Flags().StringVar(&team, "team", os.Getenv("TEAM_DOMAIN"), "team `name` or URL (TEAM_DOMAIN); without it, the token's own issuer")
	c.Flags().StringSliceVar(&audiences, "aud", nil, "AUD `tag` of the application, or several (POLICY_AUD)")
	if tags := os.Getenv("POLICY_AUD"); tags != "" {
		audiences = strings.FieldsFunc(tags, func(c rune) bool { return c == ',' || c == ' ' })
	}
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
			issuer, keys, err := inspect.Keys(c.Context(), strings.Join(append(arguments, os.Getenv("TEAM_DOMAIN"))[:1], ""))
			if len(keys) > 0 {
				inspect.PrintKeys(c.OutOrStdout(), issuer, keys, time.Now())
			}
			return err
		},
	}
}
