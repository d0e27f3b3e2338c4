// Quickstart shows how a protected server answers good and bad requests. It
// brings its own Access team and needs neither an account nor a network:
//
//	go run ./examples/quickstart
//
// It prints a table of situations with the expected and the actual answers, then
// curl lines to try, and serves. With -once it exits after the table. The exit
// status is 1 if an answer was not as expected.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"text/tabwriter"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/stdaccess"
)

// audience is the AUD tag of the application that the server serves.
const audience = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"

func main() {
	once := flag.Bool("once", false, "exit after the table")
	addr := flag.String("addr", "127.0.0.1:3000", "address to serve on after the table")
	flag.Parse()

	team := accesstest.NewTeam("acme")
	defer team.Close()
	if err := printTable(os.Stdout, team, newHandler); err != nil {
		log.Fatal(err)
	}
	if *once {
		return
	}
	slog.SetLogLoggerLevel(slog.LevelDebug) // print the reason for each refusal
	printCommands(os.Stdout, team, *addr)
	log.Fatal(http.ListenAndServe(*addr, newHandler(newVerifier(team, slog.Default()))))
}

// newVerifier returns a verifier for the team's tokens. A server behind the real
// Access calls core.FromEnv instead.
func newVerifier(team *accesstest.Team, logger *slog.Logger) *core.Verifier {
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL, Logger: logger})
	if err != nil {
		log.Fatal(err)
	}
	return verifier
}

// newHandler returns the protected server. Only the paths that SkipPaths names
// work without a token.
func newHandler(verifier *core.Verifier) http.Handler {
	optional := stdaccess.New(verifier, stdaccess.Config{Rule: core.Rule{Optional: true}})
	admins := stdaccess.Require(core.EmailDomains("example.com"))

	app := http.NewServeMux()
	app.HandleFunc("GET /{$}", hello)
	app.HandleFunc("GET /email", showEmail)
	app.Handle("/admin/", admins(http.HandlerFunc(hello)))
	app.Handle("GET /welcome", optional(http.HandlerFunc(hello)))
	app.HandleFunc("GET /public", showEmail)
	return stdaccess.New(verifier, stdaccess.Config{Skipper: stdaccess.SkipPaths("/welcome", "/public")})(app)
}

func hello(w http.ResponseWriter, r *http.Request) {
	name := "guest"
	if claims, ok := stdaccess.Claims(r); ok {
		name = cmp.Or(claims.Email, claims.CommonName) // a service token has no email
	}
	fmt.Fprintln(w, "hello", name)
}

// showEmail stands for an application that trusts the unsigned email header.
func showEmail(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "email header %q\n", r.Header.Get(core.EmailHeader))
}

// printTable runs every situation and prints its answer. It returns an error
// unless all answers are as expected.
func printTable(w io.Writer, team *accesstest.Team, newHandler func(*core.Verifier) http.Handler) error {
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "situation\texpected\tactual\t")
	all, failed := situations(team), 0
	for _, s := range all {
		verifier := newVerifier(team, slog.New(slog.DiscardHandler))
		mark, actual := "✓", s.act(&site{team, verifier, newHandler(verifier)})
		if actual != s.want {
			mark = "✗"
			failed++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.name, s.want, actual, mark)
		team.Recover() // for the next situation
	}
	_ = table.Flush()
	if failed > 0 {
		return fmt.Errorf("%d of %d situations did not go as expected", failed, len(all))
	}
	fmt.Fprintf(w, "\nAll %d situations went as expected.\n", len(all))
	return nil
}

// printCommands prints lines for a shell.
func printCommands(w io.Writer, team *accesstest.Team, addr string) {
	fmt.Fprintf(w, `
Serving on http://%[1]s until Ctrl-C. Paste these lines into another terminal:

ADA=%[2]s
EVE=%[3]s
curl -i "http://%[1]s/"                                            # 401 token_missing
curl -i -H "Cf-Access-Jwt-Assertion: $ADA" "http://%[1]s/"         # 200 hello ada@example.com
curl -i -H "Cookie: CF_Authorization=$ADA" "http://%[1]s/"         # 200 hello ada@example.com
curl -i -H "Cf-Access-Jwt-Assertion: $ADA" "http://%[1]s/admin/"   # 200 hello ada@example.com
curl -i -H "Cf-Access-Jwt-Assertion: $EVE" "http://%[1]s/admin/"   # 403 forbidden
curl -i "http://%[1]s/welcome"                                     # 200 hello guest
`, addr, team.SignUser(audience, ada), team.SignUser(audience, eve))
}
