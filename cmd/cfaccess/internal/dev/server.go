// Package dev is Cloudflare Access on localhost, for the development of an
// application in any language: a reverse proxy that does what Cloudflare's edge
// does, with keys of its own. testdata/dev.yaml shows every field of its file.
package dev

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
)

// Options are the flags of the command, whose help explains them. Without a State
// file there is one for the port below os.UserConfigDir, and none for port 0.
type Options struct {
	Upstream, Audience, Addr, Config, State string

	Session   time.Duration
	FailCerts int // 0: the certs endpoint works
	Insecure  bool
	Logger    *slog.Logger
}

// A Server is a local Access with its applications. Its issuer is the URL of the
// first application's address. Make one with [New].
type Server struct {
	options   Options
	state     *state
	addresses map[string]*address
	apps      []*application
	failing   bool // the certs endpoint
}

// An address listens, and passes requests to its applications by Host.
type address struct {
	net.Listener
	apps     []*application
	insecure bool
}

// New reads the configuration and the state file, and listens. [Server.Run] serves.
// After an error the process has to end: it may listen already.
func New(o Options) (*Server, error) {
	c, err := load(o)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, addresses: map[string]*address{}}
	for _, a := range c.Applications {
		if s.addresses[a.Addr] == nil {
			listener, err := net.Listen("tcp", a.Addr)
			if err != nil {
				return nil, err
			}
			s.addresses[a.Addr] = &address{Listener: listener, insecure: o.Insecure}
		}
		at := s.addresses[a.Addr]
		if s.state == nil {
			if s.state, err = openState(o, c.People, at.url("")); err != nil {
				return nil, err
			}
		}
		app := &application{site: a, config: c, state: s.state, url: at.url(a.Host)}
		if err := app.connect(); err != nil {
			return nil, err
		}
		at.apps, s.apps = append(at.apps, app), append(s.apps, app)
	}
	if o.FailCerts != 0 {
		s.toggleCerts()
	}
	return s, nil
}

// url returns where a browser on this machine reaches a host of the address.
func (at *address) url(host string) string {
	tcp := at.Addr().(*net.TCPAddr)
	if host == "" && tcp.IP.IsLoopback() {
		host = tcp.IP.String()
	}
	return "http://" + net.JoinHostPort(cmp.Or(host, "127.0.0.1"), strconv.Itoa(tcp.Port))
}

// ServeHTTP implements [http.Handler]. An application gets the requests that name
// its host, and the first one those for localhost, *.localhost and loopback
// addresses. With other names a web page could reach it by DNS rebinding.
func (at *address) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := strings.ToLower((&url.URL{Host: r.Host}).Hostname())
	for _, app := range at.apps {
		if app.Host == host && host != "" {
			app.ServeHTTP(w, r)
			return
		}
	}
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && (at.insecure || ip.Unmap().IsLoopback()) {
		at.apps[0].ServeHTTP(w, r)
	} else {
		http.Error(w, "cfaccess dev: this Host is not on loopback, and no application has it", http.StatusMisdirectedRequest)
	}
}

// WriteEnvironment writes what each application needs to know, in the form of an
// environment file.
func (s *Server) WriteEnvironment(w io.Writer) {
	for _, a := range s.apps {
		fmt.Fprintf(w, "# %s at %s: open %s\nTEAM_DOMAIN=%s\nPOLICY_AUD=%s\n", a.Name, a.Upstream, a.url, s.state.team.Issuer(), a.Audience)
	}
}

// Run serves and acts on signals until ctx ends, or until a listener fails.
func (s *Server) Run(ctx context.Context) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var servers sync.WaitGroup
	defer servers.Wait()
	for _, at := range s.addresses {
		servers.Go(func() { stop(server.Serve(running, at, at, s.options.Logger)) })
	}
	signals := make(chan os.Signal, 1)
	actions := map[os.Signal]func(){rotateSignal: s.rotateKeys, endSignal: s.endSessions, certsSignal: s.toggleCerts}
	signal.Notify(signals, slices.Collect(maps.Keys(actions))...)
	defer signal.Stop(signals)
	for running.Err() == nil {
		select {
		case received := <-signals:
			actions[received]()
		case <-running.Done():
		}
	}
	if ctx.Err() != nil {
		return nil // servers that had to cut off a request are no failure
	}
	return context.Cause(running)
}

// rotateKeys makes a new signing key. The last one stays published, and the one
// before that is withdrawn.
func (s *Server) rotateKeys() {
	s.state.change(s.state.team.Rotate)
	for _, a := range s.apps {
		_ = a.verifier.Refresh(context.Background()) // from memory: can't fail
	}
	s.options.Logger.Info("rotated the signing keys", slog.String("kid", s.state.team.KeyID()))
}

func (s *Server) endSessions() {
	s.state.change(func() { clear(s.state.Sessions) })
	s.options.Logger.Info("ended all sessions")
}

// toggleCerts makes the certs endpoint fail, or work again. The proxy goes on.
func (s *Server) toggleCerts() {
	if s.failing = !s.failing; s.failing {
		s.state.team.Fail(cmp.Or(s.options.FailCerts, http.StatusServiceUnavailable))
	} else {
		s.state.team.Recover()
	}
	s.options.Logger.Info("certs endpoint", slog.Bool("failing", s.failing))
}
