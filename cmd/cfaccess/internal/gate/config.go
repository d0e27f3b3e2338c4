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

	verifier *verifier
	proxy    http.Handler // to Upstream
}

// Load reads a configuration file. Its error has a line with the file's name and
// the line's number for every mistake.
func Load(path string, logger *slog.Logger) (*Config, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, content, logger)
}

func parse(path string, content []byte, logger *slog.Logger) (*Config, error) {
	c, m := new(Config), &mistakes{file: path}
	if err := yaml.Unmarshal(content, &m.root); err != nil {
		m.addYAML(err.Error())
		return nil, errors.Join(m.found...)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err, ok := errors.AsType[*yaml.TypeError](decoder.Decode(c)); ok { // any other, Unmarshal had too
		for _, message := range err.Errors {
			m.addYAML(message)
		}
	}
	if decoder.Decode(new(any)) != io.EOF {
		m.add(1, "there is more than one document in the file")
	}
	m.addEmpty(&m.root)
	return c, c.check(m, logger)
}

// Check reports the mistakes in a configuration that isn't from a file, and
// prepares it for [New].
func (c *Config) Check(logger *slog.Logger) error { return c.check(&mistakes{}, logger) }

// check adds what is wrong in c, and resolves what requests need.
func (c *Config) check(m *mistakes, logger *slog.Logger) error {
	for i, family := range c.IdentityHeaders {
		if _, email, _ := names(family); email == "" {
			m.add(m.line("identity_headers", i), "%q is not one of cf-access, x-auth-request and remote", family)
		}
	}
	if len(c.IdentityHeaders) == 0 {
		c.IdentityHeaders = []string{"cf-access"}
	}
	const someTag = "0000000000000000000000000000000000000000000000000000000000000000"
	m.addCore(m.line("team"), core.Config{Team: c.Team, Audiences: []string{someTag}})
	m.addCore(m.line("endpoint"), core.Config{Team: "acme", Audiences: []string{someTag}, Endpoint: c.Endpoint})
	if len(c.Applications) == 0 {
		m.add(m.line("applications"), "applications are missing")
	}
	c.hosts = map[string]*Application{}
	for i := range c.Applications {
		a, line := &c.Applications[i], func(path ...any) int { return m.line(append([]any{"applications", i}, path...)...) }
		if len(a.Hosts) == 0 || len(a.Audiences) == 0 {
			m.add(line(), "an application needs hosts and audiences")
		}
		for j, host := range a.Hosts {
			name := strings.ToLower(host)
			switch {
			case c.hosts[name] != nil:
				m.add(line("hosts", j), "the host %q comes twice", host)
			case name == "*" && (len(c.Applications) > 1 || len(a.Hosts) > 1):
				m.add(line("hosts", j), `the host "*" has to be the only one`)
			case name != "*" && !hostForm.MatchString(name):
				m.add(line("hosts", j), `%q is neither a host name without a port nor "*"`, host)
			}
			c.hosts[name] = a
		}
		for j, tag := range a.Audiences {
			m.addCore(line("audiences", j), core.Config{Team: "acme", Audiences: []string{tag}})
		}
		if (a.Upstream == "") != (c.Applications[0].Upstream == "") {
			m.add(line("upstream"), "either all applications have an upstream, or none")
		}
		if a.Upstream != "" {
			var err error
			if a.proxy, err = server.Upstream(a.Upstream, logger, forward); err != nil {
				m.add(line("upstream"), "%v", err)
			}
		}
		for j := range a.Rules {
			a.Rules[j].check(m, a.Rules[:j], func(path ...any) int { return line(append([]any{"rules", j}, path...)...) })
		}
	}
	return errors.Join(m.found...)
}

var (
	hostForm   = regexp.MustCompile(`^[a-z0-9_]([a-z0-9._-]*[a-z0-9])?$`)
	methodForm = regexp.MustCompile(`^[A-Z]+(-[A-Z]+)*$`)
	yamlLine   = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)
	yamlGoType = regexp.MustCompile(` (in type|into) .*`)
)

func (r *Rule) check(m *mistakes, before []Rule, line func(path ...any) int) {
	if (r.Path == "") == (r.Prefix == "") {
		m.add(line(), "a rule needs either path or prefix")
		return
	}
	key, isNormal := "path", false
	if r.Prefix != "" {
		key = "prefix"
	}
	if r.path, isNormal = normalPath(r.Path + r.Prefix); !isNormal || strings.Contains(r.Path+r.Prefix, "?") {
		m.add(line(key), `%q is not a path in normal form: want "/", then segments, without "//", "..", ";", "\", "?" and needless escapes`, r.Path+r.Prefix)
		return
	}
	for i, method := range r.Methods {
		if !methodForm.MatchString(method) {
			m.add(line("methods", i), "%q is not a method; methods are in upper case", method)
		}
	}
	if r.policy = r.newPolicy(); r.Public == (r.policy != nil) {
		m.add(line(), "a rule needs either public: true, or some of emails, domains, groups, services and countries")
	}
	if i := slices.IndexFunc(before, func(earlier Rule) bool { return earlier.path != "" && earlier.covers(r) }); i >= 0 {
		m.add(line(), "this rule never matches, since rule %d of the application covers it", i+1)
	}
}

// mistakes are those of a file, or of a configuration without one.
type mistakes struct {
	file  string // "": none
	root  yaml.Node
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
	config.Logger = slog.New(slog.DiscardHandler)
	if _, err := core.New(config); err != nil {
		m.add(line, "%s", strings.TrimPrefix(err.Error(), "cfaccess: "))
	}
}

// addYAML adds a message of package yaml, without names of Go's types.
func (m *mistakes) addYAML(message string) {
	line := 1
	if match := yamlLine.FindStringSubmatch(message); match != nil {
		line, _ = strconv.Atoi(match[1]) // digits
		message = message[len(match[0]):]
	}
	m.add(line, "%s", yamlGoType.ReplaceAllString(message, ""))
}

// addEmpty adds what is left empty: methods would mean all methods, for example.
func (m *mistakes) addEmpty(node *yaml.Node) {
	for i, child := range node.Content {
		isKey := node.Kind == yaml.MappingNode && i%2 == 0
		if !isKey && child.Kind != yaml.AliasNode && len(child.Content) == 0 &&
			(child.ShortTag() == "!!null" || strings.TrimSpace(child.Value) == "") {
			m.add(child.Line, "a value is empty")
		}
		m.addEmpty(child)
	}
}

// line returns the line of the value at a path of keys and indexes, or of the
// innermost one that is there.
func (m *mistakes) line(path ...any) int {
	node := &m.root
	if node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	for _, step := range path {
		at, isIndex := step.(int)
		if node.Kind == yaml.AliasNode {
			node = node.Alias
		}
		if !isIndex {
			at = 1 + slices.IndexFunc(node.Content, func(key *yaml.Node) bool { return key.Value == step })
		}
		if at >= len(node.Content) || !isIndex && at == 0 {
			break
		}
		node = node.Content[at]
	}
	return node.Line
}
