package dev

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
)

// config is the configuration file. Only the upstream of an application, the email
// of a person, and both fields of a service are required.
type config struct {
	People         []person  // buttons on the login page
	Services       []service // service tokens, good for every application
	Applications   []site    // default: one, of the flags
	AllowPreflight bool      `yaml:"allow_preflight"` // pass preflights without a token; default: 403
}

type person struct {
	Name, Email string         // the name's default is the email's part before the @
	Groups      []any          // of get-identity: names, or objects of id, name and email
	Country     string         // two letters; default: US
	Custom      map[string]any // the claim of this name
}

type service struct{ ID, Secret string } // the headers CF-Access-Client-Id and -Secret

type site struct {
	Name     string        // default: app
	Upstream string        // such as http://127.0.0.1:3000
	Addr     string        // default: --addr
	Host     string        // tells applications of the same addr apart, such as shop.localhost
	Audience string        // AUD tag; default: derived from the name
	Session  time.Duration // default: --session
	Bypass   []string      // these paths and all below them need no login
}

var (
	audienceForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	countryForm  = regexp.MustCompile(`^[A-Z][A-Z0-9]$`) // Access has T1 for Tor
	yamlLine     = regexp.MustCompile(`(?m)^(yaml: unmarshal errors:\n)?(yaml:)? *(line (\d+): )?`)
)

// load reads the configuration file, if there is one, and fills in the flags.
// Errors about the file name it and the line.
func load(o Options) (c config, err error) {
	var lines map[string][]yaml.Node
	if o.Config != "" {
		content, err := os.ReadFile(o.Config)
		if err != nil {
			return c, err
		}
		decoder := yaml.NewDecoder(bytes.NewReader(content))
		decoder.KnownFields(true)
		if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) { // EOF: an empty file
			return c, errors.New(yamlLine.ReplaceAllString(err.Error(), o.Config+":$4: "))
		}
		_ = yaml.Unmarshal(content, &lines) // fails for allow_preflight, which is no list
	}
	if len(c.Applications) > 0 && o.Upstream+o.Audience != "" {
		return c, errors.New("--config has applications: --upstream and --aud can't be given too")
	} else if len(c.Applications) == 0 {
		c.Applications = []site{{Upstream: o.Upstream, Audience: o.Audience}}
	}
	for i := range c.Applications {
		a := &c.Applications[i]
		a.Name, a.Addr, a.Session = cmp.Or(a.Name, "app"), cmp.Or(a.Addr, o.Addr), cmp.Or(a.Session, o.Session)
		sum := sha256.Sum256([]byte("cfaccess dev: " + a.Name))
		a.Audience = cmp.Or(a.Audience, hex.EncodeToString(sum[:]))
	}
	return c, c.check(o, lines)
}

// check returns an error for the first value that can't be right, with the line of
// the entry that it is in.
func (c *config) check(o Options, lines map[string][]yaml.Node) (err error) {
	list, i, seen := "", 0, map[string]bool{}
	want := func(ok bool, field, otherwise string) {
		switch {
		case ok || err != nil:
		case i < len(lines[list]):
			err = fmt.Errorf("%s:%d: %s %s", o.Config, lines[list][i].Line, field, otherwise)
		default:
			err = fmt.Errorf("%s %s", field, otherwise)
		}
	}
	unique := func(field, value string) {
		key := list + " " + field + " " + value
		want(!seen[key], field, "is the same as an earlier entry's")
		seen[key] = true
	}
	want(o.FailCerts == 0 || o.FailCerts >= 400 && o.FailCerts <= 599, "--fail-certs", "is not a status from 400 to 599")
	list = "people"
	for i = range c.People {
		p := c.People[i]
		custom, customErr := json.Marshal(p.Custom)
		_, groupsErr := json.Marshal(p.Groups)
		address, mailErr := mail.ParseAddress(p.Email)
		want(mailErr == nil && address.Address == p.Email, "email", "is not an address such as ada@example.com")
		want(p.Country == "" || countryForm.MatchString(p.Country), "country", "is not two letters such as GB")
		want(groupsErr == nil && customErr == nil, "custom", "or groups has no JSON form")
		want(len(custom) <= 2000, "custom", "has more than 2000 bytes as JSON, and browsers drop large cookies")
		unique("email", strings.ToLower(p.Email))
	}
	list = "services"
	for i = range c.Services {
		want(c.Services[i].ID != "" && c.Services[i].Secret != "", "id", "or secret is missing")
		unique("id", c.Services[i].ID)
	}
	list = "applications"
	for i = range c.Applications {
		a := c.Applications[i]
		want(a.Upstream != "", "upstream", "is missing: give --upstream, or applications in --config")
		want(audienceForm.MatchString(a.Audience), "audience", "is not an AUD tag: 64 lower-case hex digits")
		want(o.Insecure || server.IsLoopback(a.Addr), "addr", "is not on loopback, and others could log in as anyone; --i-know-this-is-not-secure allows it")
		want(a.Host == strings.ToLower(a.Host) && !strings.ContainsAny(a.Host, ":/ "), "host", "is not a lower-case name such as shop.localhost, without a port")
		want(a.Session >= time.Second, "session", "is less than a second")
		for _, path := range a.Bypass {
			want(strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "*?#"), "bypass", "has "+path+", which is not a path such as /healthz, without wildcards")
		}
		unique("name", a.Name)
		unique("audience", a.Audience)
		unique("host", a.Addr+" "+a.Host)
	}
	return err
}
