// Package dev is Cloudflare Access on localhost, for the development of an
// application in any language: a reverse proxy that does what Cloudflare's edge
// does, with keys of its own. testdata/dev.yaml shows every field of its file.
package dev

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// Options are the flags of the command, whose help explains them.
type Options struct {
	Upstream, Addr, Config, State    string
	EndSessions, FailCerts, Insecure bool
	Logger                           *slog.Logger
}

// config is the configuration file. Only the email of a person is required.
type config struct {
	People       []person          // buttons on the login page
	Services     map[string]string // client secrets by client ID, good for every application
	Applications []application     // default: one, of the flags
}

type person struct {
	Name, Email string         // the name's default is the email's part before the @
	Groups      []any          // of get-identity: names, or objects of id, name and email
	Country     string         // two letters; default: US
	Custom      map[string]any // the claim of this name
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
	if err := s.openTeam(); err != nil {
		return nil, fmt.Errorf("state file %s: %w; delete it to begin with new keys", s.State, err)
	}
	s.failing.Store(o.FailCerts)
	s.verifier, err = core.New(core.Config{
		Team: s.team.Issuer(), Audiences: audiences,
		Leeway:     -1,                              // one clock signs and verifies
		HTTPClient: &http.Client{Transport: s.team}, // while the endpoint fails too
		Logger:     slog.New(slog.DiscardHandler),   // it would warn of a local Access
	})
	return s, err
}

// load reads the configuration file, if there is one, and fills in the flags.
func load(o Options) (c config, err error) {
	if o.Config != "" {
		content, err := os.ReadFile(o.Config)
		if err != nil {
			return c, err
		}
		decoder := yaml.NewDecoder(bytes.NewReader(content))
		decoder.KnownFields(true)
		if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) { // EOF: an empty file
			return c, fmt.Errorf("%s: %w", o.Config, err)
		}
	}
	for i, p := range c.People {
		if err := p.check(); err != nil {
			return c, fmt.Errorf("%s: people[%d]: %w", o.Config, i, err)
		}
	}
	if len(c.Applications) == 0 {
		c.Applications = make([]application, 1)
	}
	for i := range c.Applications {
		a := &c.Applications[i]
		a.Name, a.Upstream, a.Addr = cmp.Or(a.Name, "app"), cmp.Or(a.Upstream, o.Upstream), cmp.Or(a.Addr, o.Addr)
		a.Audience = cmp.Or(a.Audience, fmt.Sprintf("%x", sha256.Sum256([]byte("cfaccess dev: "+a.Name))))
		if a.proxy, err = server.Upstream(a.Upstream, o.Logger, edit); err == nil {
			err = a.check(o.Insecure, c.Applications[:i])
		}
		if err != nil {
			return c, fmt.Errorf("%s: applications[%d]: %w", cmp.Or(o.Config, "flags"), i, err)
		}
	}
	return c, nil
}

// check returns the first mistake in a person, of the file or of the login form.
func (p person) check() error {
	custom, customErr := json.Marshal(p.Custom)
	_, groupsErr := json.Marshal(p.Groups)
	address, mailErr := mail.ParseAddress(p.Email)
	return cmp.Or(
		want(mailErr == nil && address.Address == p.Email, "email is not an address such as ada@example.com"),
		want(p.Country == "" || len(p.Country) == 2 && p.Country == strings.ToUpper(p.Country), "country is not two letters such as GB"),
		customErr, groupsErr,
		want(len(custom) <= 2000, "custom has more than 2000 bytes of JSON, and browsers drop large cookies"),
	)
}

// want returns an error unless ok.
func want(ok bool, otherwise string) error {
	if ok {
		return nil
	}
	return errors.New(otherwise)
}

// openTeam makes the team, with the keys of the state file or new ones. A file that
// can't be read stays as it is.
func (s *Server) openTeam() error {
	keys, err := os.ReadFile(s.State)
	if s.EndSessions || errors.Is(err, fs.ErrNotExist) {
		keys, err = nil, nil
	}
	if err != nil {
		return err
	}
	if s.team, err = accesstest.NewLocalTeam(s.url(s.Applications[0].Addr, ""), keys); err != nil {
		return err
	}
	for _, p := range s.People {
		s.team.SetIdentity(p.Email, p.identity())
	}
	if len(keys) > 0 {
		return nil
	}
	return s.saveKeys()
}

// saveKeys writes the state file, which is whole at any time.
func (s *Server) saveKeys() error {
	file := s.State + ".new"
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, s.team.MarshalKeys(), 0o600)); err != nil {
		return err
	}
	return os.Rename(file, s.State)
}

// url returns where a browser on this machine reaches a host of an address.
func (s *Server) url(addr, host string) string {
	ip, port, _ := net.SplitHostPort(s.listeners[addr].Addr().String())
	if net.ParseIP(ip).IsUnspecified() {
		ip = "127.0.0.1"
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
	signals := make(chan os.Signal, 9)
	actions := map[os.Signal]func(){rotateSignal: s.rotateKeys, certsSignal: s.toggleCerts}
	signal.Notify(signals, rotateSignal, certsSignal)
	defer signal.Stop(signals)
	servers, ctx := errgroup.WithContext(ctx)
	for addr, listener := range s.listeners {
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(addr, w, r) })
		servers.Go(func() error { return server.Serve(ctx, listener, handler, s.Logger) })
	}
	for {
		select {
		case received := <-signals:
			actions[received]()
		case <-ctx.Done():
			return servers.Wait()
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
