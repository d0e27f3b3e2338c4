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
	"net"
	"net/mail"
	"os"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
)

// file is the configuration file: see the package's documentation.
type file struct {
	People         []person  `yaml:"people"`
	Services       []service `yaml:"services"`
	Applications   []site    `yaml:"applications"`
	AllowPreflight bool      `yaml:"allow_preflight"`
}

type person struct {
	Name    string         `yaml:"name"`
	Email   string         `yaml:"email"`
	Groups  []any          `yaml:"groups"`
	Country string         `yaml:"country"`
	Custom  map[string]any `yaml:"custom"`
}

type service struct {
	ID     string `yaml:"id"`
	Secret string `yaml:"secret"`
}

type site struct {
	Name     string        `yaml:"name"`
	Host     string        `yaml:"host"`
	Addr     string        `yaml:"addr"`
	Upstream string        `yaml:"upstream"`
	Audience string        `yaml:"audience"`
	Bypass   []string      `yaml:"bypass"`
	Session  time.Duration `yaml:"session"`
}

var (
	audienceForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	countryForm  = regexp.MustCompile(`^[A-Z][A-Z0-9]$`) // Access has T1 for Tor
)

// load reads the configuration file, if there is one, and fills in what the flags
// say. Errors about the file name it and the line.
func load(o Options) (file, error) {
	if o.Session < time.Second {
		return file{}, fmt.Errorf("--session: %v is less than a second", o.Session)
	}
	if o.FailCerts != 0 && (o.FailCerts < 400 || o.FailCerts > 599) {
		return file{}, fmt.Errorf("--fail-certs: %d is not a status from 400 to 599", o.FailCerts)
	}
	var f file
	var root yaml.Node
	if o.Config != "" {
		content, err := os.ReadFile(o.Config)
		if err != nil {
			return file{}, err
		}
		if f, root, err = parse(content); err != nil {
			return file{}, located(o.Config, err)
		}
	}
	switch {
	case len(f.Applications) > 0 && (o.Upstream != "" || o.Audience != ""):
		return file{}, fmt.Errorf("%s has applications: --upstream and --aud have no place beside it", o.Config)
	case len(f.Applications) == 0 && o.Upstream == "":
		return file{}, errors.New("no application: give --upstream, or applications in --config")
	case len(f.Applications) == 0:
		f.Applications = []site{{Name: "app", Upstream: o.Upstream, Audience: o.Audience}}
	}
	for i := range f.Applications {
		a := &f.Applications[i]
		sum := sha256.Sum256([]byte("cfaccess dev: " + a.Name))
		a.Audience = cmp.Or(a.Audience, hex.EncodeToString(sum[:]))
		a.Addr = cmp.Or(a.Addr, o.Addr)
		a.Session = cmp.Or(a.Session, o.Session)
		a.Host = strings.ToLower(a.Host)
	}
	if path, err := f.check(o.Insecure); err != nil {
		err = fmt.Errorf("%v: %w", path[len(path)-1], err)
		if line := lineOf(&root, path); line > 0 {
			err = fmt.Errorf("%s:%d: %w", o.Config, line, err)
		}
		return file{}, err
	}
	return f, nil
}

// parse returns the file, and its nodes for the lines of errors.
func parse(content []byte) (f file, root yaml.Node, err error) {
	if err := yaml.Unmarshal(content, &root); err != nil {
		return f, root, err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil && !errors.Is(err, io.EOF) { // EOF: nothing in it
		return f, root, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return f, root, errors.New("has more than one YAML document")
	}
	return f, root, nil
}

// located returns an error of the YAML decoder with the file in front of each line.
func located(name string, err error) error {
	problems := []string{err.Error()}
	if typed, ok := errors.AsType[*yaml.TypeError](err); ok {
		problems = typed.Errors
	}
	for i, problem := range problems {
		problem = strings.TrimPrefix(problem, "yaml: ")
		problem = regexp.MustCompile(`^line (\d+): `).ReplaceAllString(problem, "$1: ")
		problem = regexp.MustCompile(` not found in type \S+`).ReplaceAllString(problem, " is unknown")
		problems[i] = name + ":" + problem
	}
	return errors.New(strings.Join(problems, "\n"))
}

// lineOf returns the line of the deepest node on a path of keys and indexes that
// is there, 0 if there is no file.
func lineOf(node *yaml.Node, path []any) int {
	if node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	for _, step := range path {
		next := node
		switch step := step.(type) {
		case int:
			if step < len(node.Content) {
				next = node.Content[step]
			}
		case string:
			for i := 0; i+1 < len(node.Content) && node.Kind == yaml.MappingNode; i += 2 {
				if node.Content[i].Value == step {
					next = node.Content[i+1]
				}
			}
		}
		node = next
	}
	return node.Line
}

// check returns the first value that can't be right, by its path in the file.
func (f *file) check(insecure bool) (path []any, err error) {
	known := map[string]bool{}
	isNew := func(kind, key string) bool {
		key = kind + "\x00" + key
		defer func() { known[key] = true }()
		return !known[key]
	}
	for i, p := range f.People {
		_, groupsErr := json.Marshal(p.Groups)
		_, customErr := json.Marshal(p.Custom)
		for _, field := range []problem{
			{"email", !isEmail(p.Email), "want an address such as ada@example.com"},
			{"email", !isNew("person", p.Email), "is a second person's"},
			{"country", p.Country != "" && !countryForm.MatchString(p.Country), "want two letters such as GB"},
			{"groups", groupsErr != nil, "has no JSON form"},
			{"custom", customErr != nil, "has no JSON form"},
		} {
			if field.is {
				return []any{"people", i, field.name}, errors.New(field.text)
			}
		}
	}
	for i, s := range f.Services {
		for _, field := range []problem{
			{"id", s.ID == "", "is missing"},
			{"id", !isNew("service", s.ID), "is a second service's"},
			{"secret", s.Secret == "", "is missing"},
		} {
			if field.is {
				return []any{"services", i, field.name}, errors.New(field.text)
			}
		}
	}
	for i, a := range f.Applications {
		_, port, addrErr := net.SplitHostPort(a.Addr)
		for _, field := range []problem{
			{"name", a.Name == "", "is missing"},
			{"name", !isNew("name", a.Name), "is a second application's"},
			{"upstream", a.Upstream == "", "is missing"},
			{"audience", !audienceForm.MatchString(a.Audience), "want an AUD tag: 64 lower-case hex digits"},
			{"audience", !isNew("audience", a.Audience), "is a second application's"},
			{"addr", addrErr != nil || port == "", "want an address such as 127.0.0.1:8000"},
			{"addr", !insecure && !server.IsLoopback(a.Addr), "is not on loopback, where nobody else can log in as anyone; if this is what you want, give --i-know-this-is-not-secure"},
			{"host", strings.ContainsAny(a.Host, ":/ "), "want a name without a port, such as shop.localhost"},
			{"host", !isNew("host", a.Addr+"/"+a.Host), "is a second application's of this address; give each a host, or an addr"},
			{"session", a.Session < time.Second, "is less than a second"},
		} {
			if field.is {
				return []any{"applications", i, field.name}, errors.New(field.text)
			}
		}
		for j, path := range a.Bypass {
			if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "*?#") {
				return []any{"applications", i, "bypass", j}, fmt.Errorf("%q: want a path such as /healthz, without * or ?", path)
			}
		}
	}
	return nil, nil
}

// problem is a field whose value can't be right if is holds.
type problem struct {
	name string
	is   bool
	text string
}

func isEmail(s string) bool {
	address, err := mail.ParseAddress(s)
	return err == nil && address.Address == s
}
