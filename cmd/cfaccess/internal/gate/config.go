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
	"strconv"
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

// yamlMessage matches what package yaml says, and leaves out Go's types.
var yamlMessage = regexp.MustCompile(`(?s)^(?:yaml: )?(?:line (\d+): )?(.*?)(?: (?:in type|into) \S+)?$`)

func parse(path string, content []byte, logger *slog.Logger) (*Config, error) {
	c, m := new(Config), &mistakes{file: path}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil && err != io.EOF {
		messages := []string{err.Error()}
		if several, ok := errors.AsType[*yaml.TypeError](err); ok {
			messages = several.Errors
		}
		for _, message := range messages {
			match := yamlMessage.FindStringSubmatch(message)
			line, _ := strconv.Atoi(match[1])
			m.add(line, "%s", match[2])
		}
	} else if decoder.Decode(new(any)) != io.EOF {
		m.add(1, "there is more than one document in the file")
	}
	var root yaml.Node
	var at position
	_ = yaml.Unmarshal(content, &root) // as Decode has
	if m.addEmpty(&root); len(m.found) == 0 {
		_ = root.Decode(&at)
		c.check(m, at, logger)
	}
	return c, errors.Join(m.found...)
}

// Single returns the configuration of one application, at every host.
func Single(team, upstream string, audiences []string, logger *slog.Logger) (*Config, error) {
	application := Application{Hosts: []string{"*"}, Audiences: audiences, Upstream: upstream}
	c, m := &Config{Team: team, Applications: []Application{application}}, new(mistakes)
	c.check(m, position{Applications: make([]position, 1)}, logger)
	return c, errors.Join(m.found...)
}

var (
	hostForm   = regexp.MustCompile(`^[a-z0-9_]([a-z0-9._-]*[a-z0-9])?$`)
	methodForm = regexp.MustCompile(`^[A-Z]+(-[A-Z]+)*$`)
)

// check adds what is wrong in c, and resolves what requests need.
func (c *Config) check(m *mistakes, at position, logger *slog.Logger) {
	for _, family := range c.IdentityHeaders {
		if !slices.Contains(families(), family) {
			m.add(at.Others["identity_headers"].line, "%q is not one of %s", family, strings.Join(families(), ", "))
		}
	}
	if len(c.IdentityHeaders) == 0 {
		c.IdentityHeaders = []string{"cf-access"}
	}
	someTag := []string{strings.Repeat("0", 64)}
	m.addCore(at.Others["team"].line, core.Config{Team: c.Team, Audiences: someTag})
	m.addCore(at.Others["endpoint"].line, core.Config{Team: "acme", Audiences: someTag, Endpoint: c.Endpoint})
	if len(c.Applications) == 0 {
		m.add(at.line, "applications are missing")
	}
	c.hosts = map[string]*Application{}
	for i := range c.Applications {
		c.Applications[i].check(c, m, at.Applications[i], logger)
	}
}

func (a *Application) check(c *Config, m *mistakes, at position, logger *slog.Logger) {
	a.config = c
	if len(a.Hosts) == 0 || len(a.Audiences) == 0 {
		m.add(at.line, "an application needs hosts and audiences")
	}
	for _, host := range a.Hosts {
		name, line := strings.ToLower(host), at.Others["hosts"].line
		switch {
		case c.hosts[name] != nil:
			m.add(line, "the host %q comes twice", host)
		case name == "*" && (len(c.Applications) > 1 || len(a.Hosts) > 1):
			m.add(line, `the host "*" has to be the only one`)
		case name != "*" && !hostForm.MatchString(name):
			m.add(line, `%q is neither a host name without a port nor "*"`, host)
		}
		c.hosts[name] = a
	}
	if len(a.Audiences) > 0 {
		m.addCore(at.Others["audiences"].line, core.Config{Team: "acme", Audiences: a.Audiences})
	}
	if (a.Upstream != "") != c.isProxy() {
		m.add(at.line, "either all applications have an upstream, or none")
	}
	if a.Upstream != "" {
		var err error
		if a.proxy, err = server.Upstream(a.Upstream, logger, c.forward); err != nil {
			m.add(at.Others["upstream"].line, "%v", err)
		}
	}
	for i := range a.Rules {
		a.Rules[i].check(m, at.Rules[i].line)
	}
}

func (c *Config) isProxy() bool { return c.Applications[0].Upstream != "" }

func (r *Rule) check(m *mistakes, line int) {
	pattern, isNormal := r.Path+r.Prefix, false
	if r.path, isNormal = normalPath(pattern); (r.Path == "") == (r.Prefix == "") {
		m.add(line, "a rule needs either path or prefix")
	} else if !isNormal || strings.Contains(pattern, "?") {
		m.add(line, `%q is not a path in normal form: want "/", then segments, without "//", "..", ";", "\", "?" and needless escapes`, pattern)
	}
	for _, method := range r.Methods {
		if !methodForm.MatchString(method) {
			m.add(line, "%q is not a method; methods are in upper case", method)
		}
	}
	if r.policy = r.newPolicy(); r.Public == (r.policy != nil) {
		m.add(line, "a rule needs either public: true, or some of emails, domains, groups, services and countries")
	}
}

// A position is the line of an entry of a file, and of what is in it.
type position struct {
	line                int
	Applications, Rules []position
	Others              map[string]position `yaml:",inline"`
}

// UnmarshalYAML implements [yaml.Unmarshaler].
func (p *position) UnmarshalYAML(node *yaml.Node) error {
	type fields position          // without this method
	_ = node.Decode((*fields)(p)) // nothing is in what isn't a mapping
	p.line = node.Line
	return nil
}

// mistakes are those of a file, or of a configuration without one.
type mistakes struct {
	file  string // "": none
	found []error
}

func (m *mistakes) add(line int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if m.file != "" {
		text = fmt.Sprintf("%s:%d: %s", m.file, max(line, 1), text)
	}
	m.found = append(m.found, errors.New(text))
}

// addCore adds what core finds wrong in a part of its configuration.
func (m *mistakes) addCore(line int, config core.Config) {
	config.Logger = slog.New(slog.DiscardHandler) // New warns too
	if _, err := core.New(config); err != nil {
		m.add(line, "%s", strings.TrimPrefix(err.Error(), "cfaccess: "))
	}
}

// addEmpty adds what is left empty: methods would mean all methods, for example.
func (m *mistakes) addEmpty(node *yaml.Node) {
	for _, child := range node.Content {
		if len(child.Content) == 0 && (child.ShortTag() == "!!null" || strings.TrimSpace(child.Value) == "") {
			m.add(child.Line, "a value is empty")
		}
		m.addEmpty(child)
	}
}
