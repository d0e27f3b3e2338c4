package throughput

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/scripts/program"
)

// What docs/gate/gate.yaml says of the application.
const (
	host     = "wiki.example.com"
	audience = "32eafc7626e737119c2f0d90a4e1a1e4f1b42a2a3c5c64a5a1b9d7be5f4a4228"
)

const sessions = 10_000

var (
	tools  = flag.String("tools", "", "`directory` of the programs cfaccess and oauth2-proxy")
	length = flag.Duration("for", 5*time.Second, "`duration` of each measurement")
	rounds = flag.Int("rounds", 3, "`number` of measurements of each way")
)

// BenchmarkThroughput sends requests to the application through each program, and
// prints what each costs as a Markdown table.
func BenchmarkThroughput(b *testing.B) {
	b.Chdir("../..")
	for range b.N {
		if err := run(*tools, *length, *rounds); err != nil {
			b.Fatal(err)
		}
	}
}

func run(tools string, length time.Duration, rounds int) (err error) {
	b := &bench{tools: tools, team: accesstest.NewTeam("acme")}
	defer b.team.Close()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") }))
	defer app.Close()
	b.app = app.Listener.Addr().String()
	// Where oauth2-proxy looks for keys. It answers 404 to the discovery before.
	issuer := httptest.NewServer(http.StripPrefix("/.well-known/jwks.json", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(b.team.Certs())
	})))
	defer issuer.Close()
	b.issuer = issuer.URL
	if b.directory, err = os.MkdirTemp("", "throughput"); err != nil {
		return err
	}
	defer os.RemoveAll(b.directory)
	defer b.stop()
	targets := b.targets()
	if b.err != nil {
		return b.err
	}
	ours, theirs := b.headers("ada@example.com")
	header := func(t *target) http.Header {
		if t.bearer {
			return theirs
		}
		return ours
	}
	for range rounds {
		for _, t := range targets {
			if err := t.measure(header(t), length); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	for i := range sessions {
		ours, theirs = b.headers(fmt.Sprintf("user%d@example.com", i))
		for _, t := range targets {
			if err := t.ask(header(t)); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	return print(targets)
}

// A bench has what the programs share.
type bench struct {
	directory, tools string
	team             *accesstest.Team
	issuer, app      string // URL, address
	started          []*program.Program
	err              error // of programs that don't start
}

// headers returns those of a request with a new token: as Access and nginx send it
// to the gate, and as a client sends it to oauth2-proxy.
func (b *bench) headers(email string) (ours, theirs http.Header) {
	token, bearer := b.team.SignUser(audience, email), b.team.SignUser(audience, email, accesstest.WithClaim("iss", b.issuer))
	return http.Header{core.TokenHeader: {token}, "X-Original-Uri": {"/"}, "X-Original-Method": {"GET"}, "X-Original-Host": {host}},
		http.Header{"Authorization": {"Bearer " + bearer}}
}

// targets starts all programs.
func (b *bench) targets() []*target {
	asked, proxy := b.gate(""), b.gate("    upstream: http://"+b.app+"\n")
	alone, inFront := b.add(program.Nginx(b.directory, asked.Addr, b.app, "auth_request /_cfaccess;", "")), b.add(program.Nginx(b.directory, asked.Addr, b.app))
	targets := []*target{
		{name: "the application alone", url: b.app},
		{name: "nginx", url: alone.Addr, programs: []*program.Program{alone}},
		{name: "nginx and gate", url: inFront.Addr, programs: []*program.Program{inFront, asked}},
		{name: "gate as a proxy", url: proxy.Addr, programs: []*program.Program{proxy}},
		{name: "a decision of the gate", url: asked.Addr + "/auth/nginx", programs: []*program.Program{asked}},
	}
	path := filepath.Join(b.tools, "oauth2-proxy")
	if _, err := os.Stat(path); err != nil {
		return targets
	}
	other := b.add(program.Start(path, func(addr string) []string {
		return []string{"--http-address=" + addr, "--upstream=http://" + b.app, "--skip-jwt-bearer-tokens", "--extra-jwt-issuers=" + b.issuer + "=" + audience,
			"--set-xauthrequest", "--email-domain=*", "--provider=github", "--client-id=x", "--client-secret=x", "--cookie-secret=0123456789abcdef"}
	}))
	inFront = b.add(program.Nginx(b.directory, other.Addr, b.app, "/auth/nginx", "/oauth2/auth"))
	return append(targets,
		&target{name: "nginx and oauth2-proxy", url: inFront.Addr, bearer: true, programs: []*program.Program{inFront, other}},
		&target{name: "oauth2-proxy as a proxy", url: other.Addr, bearer: true, programs: []*program.Program{other}},
		&target{name: "a decision of oauth2-proxy", url: other.Addr + "/oauth2/auth", bearer: true, programs: []*program.Program{other}},
	)
}

// gate starts the gate with docs/gate/gate.yaml and more lines for the application.
func (b *bench) gate(more string) *program.Program {
	config, err := os.ReadFile("docs/gate/gate.yaml")
	b.err = errors.Join(b.err, err)
	edited := strings.Replace(string(config), "    rules:", more+"    rules:", 1)
	return b.add(program.Gate(filepath.Join(b.tools, "cfaccess"), b.directory, "endpoint: "+b.team.URL+"\n"+edited))
}

// add keeps a program until the end.
func (b *bench) add(p *program.Program, err error) *program.Program {
	if err != nil {
		b.err = errors.Join(b.err, err)
		return &program.Program{}
	}
	b.started = append(b.started, p)
	return p
}

// stop ends all programs.
func (b *bench) stop() {
	for _, p := range b.started {
		p.Stop()
	}
}
