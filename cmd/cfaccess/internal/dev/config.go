package dev

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
)

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

// An application is what the edge does for one application.
type application struct {
	Name     string        // default: app
	Upstream string        // default: --upstream
	Addr     string        // default: --addr
	Host     string        // tells applications of the same addr apart, such as shop.localhost
	Audience string        // AUD tag; default: derived from the name
	Session  time.Duration // default: --session
	Bypass   []string      // these paths and all below them need no login

	server *Server
	proxy  http.Handler // to Upstream
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
		sum := sha256.Sum256([]byte("cfaccess dev: " + a.Name))
		a.Audience, a.Session = cmp.Or(a.Audience, fmt.Sprintf("%x", sum)), cmp.Or(a.Session, o.Session)
		if a.proxy, err = server.Upstream(a.Upstream, o.Logger, edit); err == nil {
			err = a.check(o.Insecure, c.Applications[:i])
		}
		if err != nil {
			return c, fmt.Errorf("%s: applications[%d]: %w", cmp.Or(o.Config, "flags"), i, err)
		}
	}
	return c, nil
}

// want returns an error unless ok.
func want(ok bool, format string, arguments ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, arguments...)
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

// check returns the first mistake in an application that comes after others.
func (a *application) check(isInsecure bool, earlier []application) error {
	isBad := func(path string) bool { return !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "*?#") }
	isSame := func(b application) bool { return b.Audience == a.Audience || b.Addr == a.Addr && b.Host == a.Host }
	return cmp.Or(
		want(isInsecure || server.IsLoopback(a.Addr), "addr is not on loopback: only --i-know-this-is-not-secure allows it"),
		want(a.Host == strings.ToLower(a.Host) && !strings.ContainsAny(a.Host, ":/ "), "host is not a lower-case name without a port"),
		want(a.Session >= time.Second, "session is less than a second"),
		want(!slices.ContainsFunc(a.Bypass, isBad), "bypass has a path with a wildcard or without a slash in front"),
		want(!slices.ContainsFunc(earlier, isSame), "an earlier application has the same name, audience, or addr and host"),
	)
}
