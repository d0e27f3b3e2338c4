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
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
)

// config is the configuration file. Only the upstream of an application, the email
// of a person, and both fields of a service are required.
type config struct {
	People         []person      // buttons on the login page
	Services       []service     // service tokens, good for every application
	Applications   []application // default: one, of the flags
	AllowPreflight bool          `yaml:"allow_preflight"` // pass preflights without a token; default: 403
}

type person struct {
	Name, Email string         // the name's default is the email's part before the @
	Groups      []any          // of get-identity: names, or objects of id, name and email
	Country     string         // two letters; default: US
	Custom      map[string]any // the claim of this name
}

type service struct{ ID, Secret string } // the headers CF-Access-Client-Id and -Secret

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

var audienceForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// load reads the configuration file, if there is one, and fills in the flags.
// Errors about the file name it and the line.
func load(o Options) (c config, err error) {
	var entries map[string][]yaml.Node
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
		_ = yaml.Unmarshal(content, &entries) // fails for allow_preflight, which is no list
	}
	if len(c.Applications) == 0 {
		c.Applications = make([]application, 1)
	}
	for i := range c.Applications {
		a := &c.Applications[i]
		a.Name, a.Upstream, a.Addr = cmp.Or(a.Name, "app"), cmp.Or(a.Upstream, o.Upstream), cmp.Or(a.Addr, o.Addr)
		sum := sha256.Sum256([]byte("cfaccess dev: " + a.Name))
		a.Audience, a.Session = cmp.Or(a.Audience, fmt.Sprintf("%x", sum)), cmp.Or(a.Session, o.Session)
	}
	return c, c.check(o, entries)
}

// check returns an error for the first value that can't be right, with the line of
// the entry that it is in. It also makes the proxies.
func (c *config) check(o Options, entries map[string][]yaml.Node) (err error) {
	list, i := "", 0
	want := func(ok bool, otherwise string) {
		switch {
		case ok || err != nil:
		case i < len(entries[list]):
			err = fmt.Errorf("%s: line %d: %s", o.Config, entries[list][i].Line, otherwise)
		default:
			err = errors.New(otherwise)
		}
	}
	list = "people"
	for i = range c.People {
		p := c.People[i]
		custom, customErr := json.Marshal(p.Custom)
		_, groupsErr := json.Marshal(p.Groups)
		address, mailErr := mail.ParseAddress(p.Email)
		want(mailErr == nil && address.Address == p.Email, "email is not an address such as ada@example.com")
		want(p.Country == "" || len(p.Country) == 2 && p.Country == strings.ToUpper(p.Country), "country is not two letters such as GB")
		want(customErr == nil && groupsErr == nil && len(custom) <= 2000,
			"custom or groups has no JSON form, or custom has more than 2000 bytes, and browsers drop large cookies")
	}
	list = "services"
	for i = range c.Services {
		want(c.Services[i].ID != "" && c.Services[i].Secret != "", "id or secret is missing")
	}
	list = "applications"
	for i = range c.Applications {
		a := &c.Applications[i]
		proxy, upstreamErr := server.Upstream(a.Upstream, o.Logger, edit)
		a.proxy = proxy
		want(upstreamErr == nil, fmt.Sprint(upstreamErr))
		want(audienceForm.MatchString(a.Audience), "audience is not an AUD tag: 64 lower-case hex digits")
		want(o.Insecure || server.IsLoopback(a.Addr), "addr is not on loopback: only --i-know-this-is-not-secure allows it")
		want(a.Host == strings.ToLower(a.Host) && !strings.ContainsAny(a.Host, ":/ "), "host is not a lower-case name without a port")
		want(a.Session >= time.Second, "session is less than a second")
		for _, path := range a.Bypass {
			want(strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "*?#"), "bypass has "+path+": want a path without wildcards")
		}
		isSame := func(b application) bool { return b.Audience == a.Audience || b.Addr == a.Addr && b.Host == a.Host }
		want(!slices.ContainsFunc(c.Applications[:i], isSame), "an earlier application has the same name, audience, or addr and host")
	}
	return err
}
