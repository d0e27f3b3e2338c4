package dev

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
)

// Options are the flags of the command.
type Options struct {
	Upstream  string        // of the only application, if Config has none
	Audience  string        // its AUD tag; default: a fixed one
	Addr      string        // host:port on loopback, of applications without an address
	Config    string        // file; empty: none
	Session   time.Duration // of applications that don't say; at least a second
	FailCerts int           // status of the certs endpoint; 0: it works
	State     string        // file; empty: one below os.UserConfigDir for the address, none for port 0
	Insecure  bool          // allows an Addr that isn't on loopback
	Logger    *slog.Logger
}

// A Server is a local Access with its applications. Make one with [New].
type Server struct {
	state     *state
	logger    *slog.Logger
	listeners []net.Listener // one an address
	hosts     []*hostSwitch  // of the same index
	apps      []*application // in the order of the file
	insecure  bool
	failCerts int

	mu      sync.Mutex // mu guards failing.
	failing bool
}

// hostSwitch passes a request to an application of one address by its Host.
type hostSwitch struct {
	byHost map[string]*application
	first  *application
	any    bool // accepts every IP address as Host
}

// New reads the configuration and the state file, and listens. [Server.Run] serves.
func New(o Options) (*Server, error) {
	f, err := load(o)
	if err != nil {
		return nil, err
	}
	s := &Server{logger: o.Logger, insecure: o.Insecure, failCerts: cmp.Or(o.FailCerts, http.StatusServiceUnavailable)}
	if err := s.open(o, f); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *Server) open(o Options, f file) error {
	byAddr := map[string]int{}
	for _, a := range f.Applications {
		if _, ok := byAddr[a.Addr]; ok {
			continue
		}
		listener, err := server.Listen(a.Addr)
		if err != nil {
			return err
		}
		byAddr[a.Addr] = len(s.listeners)
		s.listeners = append(s.listeners, listener)
		s.hosts = append(s.hosts, &hostSwitch{byHost: map[string]*application{}, any: o.Insecure})
	}
	issuer := baseURL(f.Applications[0].Addr, "", s.listeners[0])
	path := o.State
	if _, port, _ := net.SplitHostPort(f.Applications[0].Addr); path == "" && port != "0" {
		folder, err := os.UserConfigDir()
		if err != nil {
			return fmt.Errorf("no place for the state file: %w; give --state", err)
		}
		name := strings.NewReplacer(":", "-", "[", "", "]", "").Replace(strings.TrimPrefix(issuer, "http://"))
		path = filepath.Join(folder, "cfaccess", "dev-"+name+".json")
	}
	var err error
	if s.state, err = openState(path, issuer); err != nil {
		return err
	}
	for _, p := range f.People {
		s.state.team.SetIdentity(p.Email, p.identity())
	}
	for email, groups := range s.state.saved.Groups {
		if groups != nil {
			s.state.team.SetGroups(email, groups...)
		}
	}
	if o.FailCerts != 0 {
		s.ToggleCerts()
	}
	for _, a := range f.Applications {
		i := byAddr[a.Addr]
		app, err := newApplication(a, f, s.state, baseURL(a.Addr, a.Host, s.listeners[i]), s.logger)
		if err != nil {
			return err
		}
		s.apps = append(s.apps, app)
		s.hosts[i].byHost[a.Host] = app
		if s.hosts[i].first == nil {
			s.hosts[i].first = app
		}
	}
	return nil
}

func (s *Server) close() {
	for _, listener := range s.listeners {
		_ = listener.Close() // nothing was accepted
	}
}

// baseURL returns where a browser on this machine reaches an application.
func baseURL(addr, host string, listener net.Listener) string {
	configured, _, _ := net.SplitHostPort(addr)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if host == "" && server.IsLoopback(addr) {
		host = configured
	}
	return "http://" + net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
}

// Issuer returns the iss claim of the tokens, which is TEAM_DOMAIN.
func (s *Server) Issuer() string { return s.state.team.Issuer() }

// WriteEnvironment writes what each application needs to know, in the form of an
// environment file.
func (s *Server) WriteEnvironment(w io.Writer) {
	for _, a := range s.apps {
		fmt.Fprintf(w, "# %s at %s: open %s\nTEAM_DOMAIN=%s\nPOLICY_AUD=%s\n", a.Name, a.Upstream, a.url, s.Issuer(), a.Audience)
	}
}

// Run serves until ctx ends, or until a listener fails.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for i, listener := range s.listeners {
		running.Go(func() { cancel(server.Serve(ctx, listener, s.hosts[i], s.logger)) })
	}
	running.Go(func() { s.watchSignals(ctx) })
	running.Wait()
	if err := context.Cause(ctx); err != ctx.Err() {
		return err
	}
	return nil
}

// RotateKeys makes a new signing key. The one before stays published and the one
// before that doesn't, so a second call ends the sessions that began before the first.
func (s *Server) RotateKeys(ctx context.Context) error {
	s.state.team.Rotate()
	for _, a := range s.apps {
		if err := a.verifier.Refresh(ctx); err != nil {
			return err
		}
	}
	s.logger.Info("rotated the signing keys", slog.String("kid", s.state.team.KeyID()))
	return s.state.change(func(*saved) {})
}

// EndSessions ends all sessions: everybody logs in again.
func (s *Server) EndSessions() error {
	s.logger.Info("ended all sessions")
	return s.state.change(func(d *saved) { clear(d.Sessions) })
}

// ToggleCerts makes the certs endpoint fail with the status of the options, 503 by
// default, or makes it work again. The proxy goes on.
func (s *Server) ToggleCerts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing = !s.failing; s.failing {
		s.state.team.Fail(s.failCerts)
	} else {
		s.state.team.Recover()
	}
	s.logger.Info("certs endpoint", slog.Bool("failing", s.failing))
}

// ServeHTTP implements [http.Handler].
func (h *hostSwitch) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	app, ok := h.byHost[host]
	if !ok {
		ip, err := netip.ParseAddr(host)
		isLocal := host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && (h.any || ip.Unmap().IsLoopback())
		if host == "" || !isLocal {
			http.Error(w, "cfaccess dev: this Host is not on loopback, and no application has it as its host", http.StatusMisdirectedRequest)
			return
		}
		app = h.first
	}
	app.ServeHTTP(w, r)
}
