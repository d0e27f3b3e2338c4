package gate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
	"github.com/cfaccess/cfaccess/core"
)

// Config is the configuration file in YAML, with its keys in lower case.
type Config struct {
	Team, Endpoint  string        // as in core.Config
	IdentityHeaders []string      `yaml:"identity_headers"` // cf-access (the default), x-auth-request, remote
	ForwardToken    bool          `yaml:"forward_token"`    // a proxy leaves the token in the request
	Applications    []Application // either all with an upstream, or none

	hosts     map[string]*Application
	verifiers map[string]*verifier
}

// An Application is what one or more AUD tags protect.
type Application struct {
	Hosts     []string // without port; "*" alone, in the only application: any
	Audiences []string // as in core.Config
	Upstream  string   // URL, for a proxy
	Rules     []Rule   // the first that matches decides; without one, every verified caller passes

	config   *Config
	verifier *verifier
	proxy    http.Handler // to Upstream
}

// Load reads a configuration file. Its error has a line with the file's name and
// the line's number for every mistake. Those in YAML hide the others.
func Load(path string, logger *slog.Logger) (*Config, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, content, logger)
}

var (
	hostForm   = regexp.MustCompile(`^[a-z0-9_]([a-z0-9._-]*[a-z0-9])?$`)
	methodForm = regexp.MustCompile(`^[A-Z]+(-[A-Z]+)*$`)
	goType     = regexp.MustCompile(` (in type|into) \S+`) // in errors of package yaml
)

func parse(file string, content []byte, logger *slog.Logger) (*Config, error) {
	c, m := new(Config), &mistakes{file: file, lines: map[string]int{}}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil && err != io.EOF { // EOF: an empty file
		return nil, fmt.Errorf("%s: %s", file, goType.ReplaceAllString(err.Error(), ""))
	}
	if decoder.Decode(new(any)) != io.EOF {
		m.add("", "there is more than one document in the file")
	}
	var root yaml.Node
	_ = yaml.Unmarshal(content, &root) // as Decode has
	if m.read("", &root); len(m.found) == 0 {
		c.check(m, logger)
	}
	return c, errors.Join(m.found...)
}

// Single returns the configuration of one application, at every host.
func Single(team, upstream string, audiences []string, logger *slog.Logger) (*Config, error) {
	c, m := &Config{Team: team, Applications: []Application{{Hosts: []string{"*"}, Audiences: audiences, Upstream: upstream}}}, new(mistakes)
	c.check(m, logger)
	return c, errors.Join(m.found...)
}

// check adds what is wrong in c, and resolves what requests need.
func (c *Config) check(m *mistakes, logger *slog.Logger) {
	for i, family := range c.IdentityHeaders {
		if !slices.Contains(families(), family) {
			m.add(fmt.Sprintf("identity_headers.%d", i), "%q is not one of %s", family, strings.Join(families(), ", "))
		}
	}
	if len(c.IdentityHeaders) == 0 {
		c.IdentityHeaders = []string{"cf-access"}
	}
	someTag := []string{strings.Repeat("0", 64)}
	m.addCore("team", core.Config{Team: c.Team, Audiences: someTag})
	m.addCore("endpoint", core.Config{Team: "acme", Audiences: someTag, Endpoint: c.Endpoint})
	if len(c.Applications) == 0 {
		m.add("applications", "applications are missing")
	}
	c.hosts = map[string]*Application{}
	for i := range c.Applications {
		c.Applications[i].check(c, m, fmt.Sprintf("applications.%d", i), logger)
	}
}

func (a *Application) check(c *Config, m *mistakes, at string, logger *slog.Logger) {
	a.config = c
	if len(a.Hosts) == 0 || len(a.Audiences) == 0 {
		m.add(at, "an application needs hosts and audiences")
	}
	for i, host := range a.Hosts {
		name, at := strings.ToLower(host), fmt.Sprintf("%s.hosts.%d", at, i)
		switch {
		case c.hosts[name] != nil:
			m.add(at, "the host %q comes twice", host)
		case name == "*" && (len(c.Applications) > 1 || len(a.Hosts) > 1):
			m.add(at, `the host "*" has to be the only one`)
		case name != "*" && !hostForm.MatchString(name):
			m.add(at, `%q is neither a host name without a port nor "*"`, host)
		}
		c.hosts[name] = a
	}
	for i, tag := range a.Audiences {
		m.addCore(fmt.Sprintf("%s.audiences.%d", at, i), core.Config{Team: "acme", Audiences: []string{tag}})
	}
	if (a.Upstream != "") != c.isProxy() {
		m.add(at+".upstream", "either all applications have an upstream, or none")
	}
	if a.Upstream != "" {
		var err error
		if a.proxy, err = server.Upstream(a.Upstream, logger, c.forward); err != nil {
			m.add(at+".upstream", "%v", err)
		}
	}
	for i := range a.Rules {
		a.Rules[i].check(m, a.Rules[:i], fmt.Sprintf("%s.rules.%d", at, i))
	}
}

func (c *Config) isProxy() bool { return c.Applications[0].Upstream != "" }

func (r *Rule) check(m *mistakes, before []Rule, at string) {
	pattern, isNormal := r.Path+r.Prefix, false
	if r.path, isNormal = normalPath(pattern); (r.Path == "") == (r.Prefix == "") {
		m.add(at, "a rule needs either path or prefix")
	} else if !isNormal || strings.Contains(pattern, "?") {
		m.add(at, `%q is not a path in normal form: want "/", then segments, without "//", "..", ";", "\", "?" and needless escapes`, pattern)
	}
	for i, method := range r.Methods {
		if !methodForm.MatchString(method) {
			m.add(fmt.Sprintf("%s.methods.%d", at, i), "%q is not a method; methods are in upper case", method)
		}
	}
	if r.policy = r.newPolicy(); r.Public == (r.policy != nil) {
		m.add(at, "a rule needs either public: true, or some of emails, domains, groups, services and countries")
	}
	if i := slices.IndexFunc(before, func(earlier Rule) bool { return earlier.covers(r) }); i >= 0 {
		m.add(at, "this rule never matches, since rule %d of the application covers it", i+1)
	}
}

// mistakes are those of a file, or of a configuration without one.
type mistakes struct {
	file  string         // "": none
	lines map[string]int // of the values by their paths, such as "applications.0.hosts.1"
	found []error
}

// add adds a mistake in the value at a path, or in what is missing from one.
func (m *mistakes) add(path, format string, args ...any) {
	for path != "" && m.lines[path] == 0 {
		path = path[:max(0, strings.LastIndexByte(path, '.'))]
	}
	text := fmt.Sprintf(format, args...)
	if m.file != "" {
		text = fmt.Sprintf("%s:%d: %s", m.file, max(m.lines[path], 1), text)
	}
	m.found = append(m.found, errors.New(text))
}

// addCore adds what core finds wrong in a part of its configuration.
func (m *mistakes) addCore(path string, config core.Config) {
	config.Logger = slog.New(slog.DiscardHandler) // New warns too
	if _, err := core.New(config); err != nil {
		m.add(path, "%s", strings.TrimPrefix(err.Error(), "cfaccess: "))
	}
}

// read notes the line of every value below a path, and adds those that are left
// empty: without methods a rule would be for all methods, for example.
func (m *mistakes) read(path string, node *yaml.Node) {
	m.lines[path] = node.Line
	if node.Kind == yaml.AliasNode && len(node.Alias.Content) == 0 { // other values were read at their anchor
		node = node.Alias
	}
	if node.Kind != yaml.DocumentNode && len(node.Content) == 0 && (node.ShortTag() == "!!null" || strings.TrimSpace(node.Value) == "") {
		m.add(path, "empty: %s", path)
	}
	for i, child := range node.Content {
		switch {
		case node.Kind == yaml.DocumentNode:
			m.read(path, child)
		case node.Kind == yaml.SequenceNode:
			m.read(fmt.Sprintf("%s.%d", path, i), child)
		case i%2 == 1:
			m.read(strings.TrimPrefix(path+"."+node.Content[i-1].Value, "."), child)
		}
	}
}
