// Package instrument runs an example server inside a soak test. The soak builds
// each example with one more file, whose init hands the program's run function
// to [Run]: the server is the example's own, only its core.Config is not, since
// the environment can name neither a loopback endpoint nor short times.
//
// The server talks to the soak over its standard streams. It writes an [Event]
// a line to stdout, samples itself when a line comes from stdin, and stops when
// stdin ends. What it writes to stderr is trouble.
package instrument

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// Variable is the environment variable that holds the [Settings] as JSON.
const Variable = "SOAK_SETTINGS"

// The headers that a certs fetch carries, so that the endpoint knows whose it is.
const (
	ServerHeader = "Soak-Server"
	FetchHeader  = "Soak-Fetch"
)

// Settings are what a server has to know. The fields that core.Config has, too,
// are for it.
type Settings struct {
	Name        string
	AdminDomain string

	Team            string
	Audience        string
	Endpoint        string
	Leeway          time.Duration
	RefreshInterval time.Duration
	MaxStale        time.Duration
	RefetchCooldown time.Duration
	FetchTimeout    time.Duration
	TokenCacheSize  int
}

// A Program is the run function of an example.
type Program func(ctx context.Context, cfg core.Config, addr, adminDomain string) error

// Run runs the program until stdin ends, and exits.
func Run(program Program) {
	out := os.Stdout
	os.Stdout = os.Stderr // the journal's alone
	if err := supervise(program, os.Getenv(Variable), os.Stdin, out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func supervise(program Program, settings string, in io.Reader, out io.Writer) error {
	var s Settings
	if err := json.Unmarshal([]byte(settings), &s); err != nil {
		return fmt.Errorf("%s: %w", Variable, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	j := &journal{began: time.Now(), out: json.NewEncoder(out)}
	slog.SetDefault(slog.New(&listener{journal: j, trouble: slog.NewTextHandler(os.Stderr, nil)}))
	watch := newGauge(ctx)
	go func() {
		defer cancel()
		for lines := bufio.NewScanner(in); lines.Scan(); {
			j.write(watch.sample())
		}
	}()
	return program(ctx, s.config(j), "127.0.0.1:0", s.AdminDomain)
}

// config is the core.Config of a server whose fetches are written to j.
func (s Settings) config(j *journal) core.Config {
	t := newTransport(s.Name, j)
	return core.Config{
		Team: s.Team, Audiences: []string{s.Audience}, Endpoint: s.Endpoint,
		Leeway: s.Leeway, RefreshInterval: s.RefreshInterval, MaxStale: s.MaxStale,
		RefetchCooldown: s.RefetchCooldown, FetchTimeout: s.FetchTimeout, TokenCacheSize: s.TokenCacheSize,
		HTTPClient: t.client(),
		Hooks:      core.Hooks{Fetched: t.landed},
	}
}

// A journal is what the server tells the soak. It is safe for concurrent use.
type journal struct {
	began time.Time

	mu  sync.Mutex // guards out
	out *json.Encoder
}

func (j *journal) write(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Since = time.Since(j.began)
	_ = j.out.Encode(e) // the soak is gone, and stdin's end will say so
}
