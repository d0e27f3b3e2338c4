// Package alike holds the example servers to one list of requests: whichever
// framework answers them, the status, the headers that matter and the body are
// the same.
//
// What the routers do each in its own way, and an example leaves as it is:
//   - a path spelled oddly, and a rare method: see [Own];
//   - net/http answers "OPTIONS *" itself, and a request line that it can't
//     parse; fiber lets Access decide about those;
//   - fiber answers a header block over its ReadBufferSize with 431, and a body
//     over 4 MiB with 413, before Access is asked; net/http has 431 over 1 MiB;
//   - fiber announces a Content-Length with the refusal of a HEAD request;
//   - http.NotFound adds X-Content-Type-Options to its 404;
//   - a handler's panic is a 500, but a cut connection with net/http alone.
package alike

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	audience    = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"
	adminDomain = "example.com"
	patience    = 10 * time.Second // for what takes milliseconds
)

// A Program is the run function of an example.
type Program func(ctx context.Context, cfg core.Config, addr, adminDomain string) error

func newTeam(t *testing.T) *accesstest.Team {
	team := accesstest.NewTeam("acme")
	t.Cleanup(team.Close)
	return team
}

func configOf(team *accesstest.Team) core.Config {
	return core.Config{
		Team:      "acme",
		Audiences: []string{audience},
		Endpoint:  team.URL,
		Logger:    slog.New(slog.DiscardHandler),
	}
}

// start runs a program on a free port and returns the URL that it logs. The
// program is stopped at the end of the test, and has to end well.
func start(t *testing.T, run Program, cfg core.Config, adminDomain string) string {
	t.Helper()
	announced := announcements(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, cfg, "127.0.0.1:0", adminDomain) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the program ended with %v, want nil", err)
		}
	})
	select {
	case url := <-announced:
		return url
	case err := <-ended:
		ended <- err
		t.Fatal("the program ended early")
	case <-time.After(patience):
		t.Fatalf("the program announced no URL in %v", patience)
	}
	panic("unreachable")
}

// announcements returns a channel of the URLs that are logged until the test
// ends. Nothing else that is logged meanwhile is kept.
func announcements(t *testing.T) <-chan string {
	urls := make(announcer, 1)
	// SetDefault takes over package log too, and does not give it back.
	logger, out, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(urls))
	t.Cleanup(func() {
		slog.SetDefault(logger)
		log.SetOutput(out)
		log.SetFlags(flags)
	})
	return urls
}

// An announcer is a slog.Handler that sends the url of each record that has one.
type announcer chan string

func (a announcer) Enabled(context.Context, slog.Level) bool { return true }
func (a announcer) WithAttrs([]slog.Attr) slog.Handler       { return a }
func (a announcer) WithGroup(string) slog.Handler            { return a }

func (a announcer) Handle(_ context.Context, record slog.Record) error {
	record.Attrs(func(attr slog.Attr) bool {
		if attr.Key == "url" {
			a <- attr.Value.String()
		}
		return true
	})
	return nil
}

// send sends a request on a connection of its own and follows no redirect.
func send(method, url string, header http.Header) (answer, error) {
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		request.Header = header.Clone()
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       patience,
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", method, url, err)
	}
	return answer{response.StatusCode, response.Header, string(body)}, nil
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}
