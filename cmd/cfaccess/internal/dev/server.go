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
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// Options are the flags of the command, whose help explains them. Without a State
// file there is one for the port below os.UserConfigDir, and none for port 0.
type Options struct {
	Upstream, Addr, Config, State string

	Session     time.Duration
	EndSessions bool // of earlier runs: begin with new keys
	FailCerts   int  // 0: the certs endpoint works
	Insecure    bool
	Logger      *slog.Logger
}

// A Server is a local Access with its applications. Its issuer is the URL of the
// first application's address. Make one with [New].
type Server struct {
	Options
	config
	team      *accesstest.Team
	verifier  *core.Verifier          // for all applications
	listeners map[string]net.Listener // by the Addr of their applications
	ended     sync.Map                // tokens, by logout
	failing   atomic.Bool             // the certs endpoint
}

// New reads the configuration and the state file, and listens. [Server.Run] serves.
// After an error the process has to end: it may listen already.
func New(o Options) (*Server, error) {
	c, err := load(o)
	if err != nil {
		return nil, err
	}
	s := &Server{Options: o, config: c, listeners: map[string]net.Listener{}}
	var audiences []string
	for i := range s.Applications {
		a := &s.Applications[i]
		if s.listeners[a.Addr] == nil {
			if s.listeners[a.Addr], err = net.Listen("tcp", a.Addr); err != nil {
				return nil, err
			}
		}
		a.server, audiences = s, append(audiences, a.Audience)
	}
	if err := s.openTeam(s.url(s.Applications[0].Addr, "")); err != nil {
		return nil, err
	}
	s.failing.Store(o.FailCerts != 0)
	s.verifier, err = core.New(core.Config{
		Team: s.team.Issuer(), Audiences: audiences,
		Leeway:     -1, // one clock signs and verifies
		HTTPClient: &http.Client{Transport: s},
		Logger:     slog.New(slog.DiscardHandler), // it would warn of a local Access
	})
	return s, err
}

// RoundTrip answers the proxy's own requests for keys, while the endpoint fails too.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	body := io.NopCloser(strings.NewReader(string(s.team.Certs())))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
}

// url returns where a browser on this machine reaches a host of an address.
func (s *Server) url(addr, host string) string {
	ip, port, _ := net.SplitHostPort(s.listeners[addr].Addr().String())
	if s.Insecure {
		ip = "127.0.0.1" // core takes no other issuer
	}
	return "http://" + net.JoinHostPort(cmp.Or(host, ip), port)
}

// serve passes a request that came to addr to the application with its Host. The
// first application there gets those for localhost, *.localhost and loopback
// addresses. With other names a web page could reach it by DNS rebinding.
func (s *Server) serve(addr string, w http.ResponseWriter, r *http.Request) {
	host := strings.ToLower((&url.URL{Host: r.Host}).Hostname())
	ip := net.ParseIP(host)
	isLocal := host == "localhost" || strings.HasSuffix(host, ".localhost") || ip.IsLoopback() || ip != nil && s.Insecure
	i := slices.IndexFunc(s.Applications, func(a application) bool { return a.Addr == addr && a.Host == host && host != "" })
	if i < 0 && isLocal {
		i = slices.IndexFunc(s.Applications, func(a application) bool { return a.Addr == addr })
	}
	if i < 0 {
		http.Error(w, "cfaccess dev: this Host is not on loopback, and no application has it", http.StatusMisdirectedRequest)
		return
	}
	s.Applications[i].ServeHTTP(w, r)
}

// WriteEnvironment writes what each application needs to know, in the form of an
// environment file.
func (s *Server) WriteEnvironment(w io.Writer) {
	for _, a := range s.Applications {
		fmt.Fprintf(w, "# %s at %s: open %s\nTEAM_DOMAIN=%s\nPOLICY_AUD=%s\n",
			a.Name, a.Upstream, s.url(a.Addr, a.Host), s.team.Issuer(), a.Audience)
	}
}

// Run serves and acts on signals until ctx ends, or until a listener fails.
func (s *Server) Run(ctx context.Context) error {
	signals := make(chan os.Signal, 1)
	actions := map[os.Signal]func(){rotateSignal: s.rotateKeys, certsSignal: s.toggleCerts}
	signal.Notify(signals, rotateSignal, certsSignal)
	defer signal.Stop(signals)
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var servers sync.WaitGroup
	defer servers.Wait()
	for addr, listener := range s.listeners {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(addr, w, r) })
		servers.Go(func() { stop(server.Serve(running, listener, handler, s.Logger)) })
	}
	for {
		select {
		case received := <-signals:
			actions[received]()
		case <-running.Done():
			if ctx.Err() != nil {
				return nil // servers that had to cut off a request are no failure
			}
			return context.Cause(running)
		}
	}
}

// rotateKeys makes a new signing key. The last one stays published, and the one
// before that is withdrawn.
func (s *Server) rotateKeys() {
	s.team.Rotate()
	if err := s.saveKeys(); err != nil {
		s.Logger.Error("a restart will end sessions", slog.Any("error", err))
	}
	_ = s.verifier.Refresh(context.Background()) // from memory: can't fail
	s.Logger.Info("rotated the signing keys", slog.String("kid", s.team.KeyID()))
}

// toggleCerts makes the certs endpoint fail, or work again. The proxy goes on.
func (s *Server) toggleCerts() {
	s.failing.Store(!s.failing.Load())
	s.Logger.Info("certs endpoint", slog.Bool("failing", s.failing.Load()))
}
