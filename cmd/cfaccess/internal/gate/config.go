package gate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httputil"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
	"github.com/cfaccess/cfaccess/core"
)

// Config says which applications the gate is in front of. See [Load].
type Config struct {
	Team, Endpoint string // as in core.Config
	Applications   []Application

	IdentityHeaders []string // the families told back; default cf-access
	ForwardToken    bool     // a proxy keeps the token
}

// An Application is what one Access application protects.
type Application struct {
	Hosts     []string // in lower case, without port; "*" alone is any
	Audiences []string // as in core.Config
	Upstream  string   // URL; empty for forward authentication

	rules []rule
}

// document is the configuration file.
type document struct {
	Team            text
	Endpoint        text
	IdentityHeaders []text `yaml:"identity_headers"`
	ForwardToken    bool   `yaml:"forward_token"`
	Applications    []struct {
		Hosts, Audiences []text
		Upstream         text
		Rules            []ruleDocument
	}
}

type ruleDocument struct {
	Path, Prefix                                 text
	Methods                                      []text
	Public                                       bool
	Emails, Domains, Groups, Services, Countries []text
}

// text is a scalar and its line. It is taken literally: 0123 and no are texts.
type text struct {
	value string
	line  int
}

// UnmarshalYAML implements [yaml.Unmarshaler].
func (t *text) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: want one text here", node.Line)}}
	}
	*t = text{node.Value, node.Line}
	return nil
}

func values(list []text) []string {
	var all []string
	for _, t := range list {
		all = append(all, t.value)
	}
	return all
}

// Load reads a configuration file. Its error has a line for every mistake, with
// the file's name and the line's number.
func Load(path string) (*Config, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, content)
}

func parse(path string, content []byte) (*Config, error) {
	var d document
	var root yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	err := decoder.Decode(&d)
	r := &reader{hosts: map[string]int{}}
	if invalid, ok := errors.AsType[*yaml.TypeError](err); ok {
		for _, message := range invalid.Errors {
			r.addYAML(message)
		}
	} else if err != nil && err != io.EOF {
		r.addYAML(err.Error())
		return nil, r.error(path)
	}
	if err := decoder.Decode(new(any)); err != io.EOF {
		r.add(0, "a second document in the file")
	}
	if err := yaml.Unmarshal(content, &root); err != nil {
		r.addYAML(err.Error())
	}
	r.empty(&root)
	config := r.config(&d, &root)
	return config, r.error(path)
}

// A reader collects what is wrong in a file.
type reader struct {
	mistakes []text
	hosts    map[string]int // the lines of those that have an application
}

func (r *reader) add(line int, format string, args ...any) {
	r.mistakes = append(r.mistakes, text{fmt.Sprintf(format, args...), max(line, 1)})
}

var (
	yamlLine    = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)
	yamlUnknown = regexp.MustCompile(`field (.*) not found in type .*`)
	yamlType    = regexp.MustCompile(`cannot unmarshal (.*) into .*`)
)

// addYAML adds a message of package yaml, without the names of Go's types.
func (r *reader) addYAML(message string) {
	line := 1
	if match := yamlLine.FindStringSubmatch(message); match != nil {
		line, _ = strconv.Atoi(match[1]) // digits
		message = message[len(match[0]):]
	}
	message = yamlUnknown.ReplaceAllString(message, `unknown key "$1"`)
	r.add(line, "%s", yamlType.ReplaceAllString(message, "$1 is of the wrong kind"))
}

// error returns the mistakes in the order of their lines, or nil.
func (r *reader) error(path string) error {
	slices.SortStableFunc(r.mistakes, func(a, b text) int { return cmp.Compare(a.line, b.line) })
	var all []error
	for _, mistake := range slices.Compact(r.mistakes) {
		all = append(all, fmt.Errorf("%s:%d: %s", path, mistake.line, mistake.value))
	}
	return errors.Join(all...)
}

// empty adds every value that is left out. An empty list of methods would
// otherwise mean all of them, and an empty list of emails nobody.
func (r *reader) empty(node *yaml.Node) {
	for i, child := range node.Content {
		isKey := node.Kind == yaml.MappingNode && i%2 == 0
		isList := child.Kind == yaml.SequenceNode && len(child.Content) == 0
		if !isKey && (isList || child.Kind == yaml.ScalarNode && strings.TrimSpace(child.Value) == "") {
			name := "an entry of the list"
			if node.Kind == yaml.MappingNode {
				name = node.Content[i-1].Value
			}
			r.add(child.Line, "%s is empty", name)
		}
		r.empty(child)
	}
}

// lines returns the lines of the entries of the list under a key.
func entries(node *yaml.Node, key string, want int) []*yaml.Node {
	found := make([]*yaml.Node, 0, want)
	for i := 1; i < len(node.Content); i += 2 {
		if list := node.Content[i]; node.Content[i-1].Value == key {
			found = append(found, list.Content...)
		}
	}
	for len(found) < want { // behind an alias
		found = append(found, node)
	}
	return found
}

var (
	hostForm   = regexp.MustCompile(`^[a-z0-9_]([a-z0-9._-]*[a-z0-9])?$`)
	methodForm = regexp.MustCompile(`^[A-Z]+(-[A-Z]+)*$`)
	country    = regexp.MustCompile(`^[A-Za-z]{2}$`)
)

func (r *reader) config(d *document, root *yaml.Node) *Config {
	if root.Kind == yaml.DocumentNode {
		root = root.Content[0]
	}
	config := &Config{Team: d.Team.value, Endpoint: d.Endpoint.value, IdentityHeaders: values(d.IdentityHeaders), ForwardToken: d.ForwardToken}
	for _, family := range d.IdentityHeaders {
		if _, _, _, ok := families(family.value); !ok {
			r.add(family.line, "%q is no family of headers; want %s, %s or %s", family.value, familyAccess, familyRequest, familyRemote)
		}
	}
	if d.Team.value == "" {
		r.add(0, "team is missing")
	} else {
		r.check(d.Team, core.Config{Team: d.Team.value})
	}
	if d.Endpoint.value != "" {
		r.check(d.Endpoint, core.Config{Endpoint: d.Endpoint.value})
	}
	if len(d.Applications) == 0 {
		r.add(0, "applications is missing")
	}
	nodes := entries(root, "applications", len(d.Applications))
	for i, a := range d.Applications {
		line := nodes[i].Line
		application := Application{Audiences: values(a.Audiences), Upstream: a.Upstream.value}
		for _, host := range a.Hosts {
			application.Hosts = append(application.Hosts, strings.ToLower(host.value))
			r.host(host, len(d.Applications) == 1 && len(a.Hosts) == 1)
		}
		if len(a.Hosts) == 0 {
			r.add(line, "hosts is missing")
		}
		if len(a.Audiences) == 0 {
			r.add(line, "audiences is missing")
		}
		for _, tag := range a.Audiences {
			r.check(tag, core.Config{Audiences: []string{tag.value}})
		}
		if a.Upstream.value == "" && d.Applications[0].Upstream.value != "" || a.Upstream.value != "" && d.Applications[0].Upstream.value == "" {
			r.add(line, "either every application has an upstream, or none")
		}
		if a.Upstream.value != "" {
			if _, err := server.Upstream(a.Upstream.value, slog.New(slog.DiscardHandler), func(*httputil.ProxyRequest) {}); err != nil {
				r.add(a.Upstream.line, "%v", err)
			}
		}
		for j, node := range entries(nodes[i], "rules", len(a.Rules)) {
			if j < len(a.Rules) {
				application.rules = append(application.rules, r.rule(a.Rules[j], node.Line, application.rules))
			}
		}
		config.Applications = append(config.Applications, application)
	}
	return config
}

// check adds what core finds wrong in a value, the only field of config that is
// set.
func (r *reader) check(value text, config core.Config) {
	config.Logger = slog.New(slog.DiscardHandler)
	config.Team = cmp.Or(config.Team, "acme")
	if config.Audiences == nil {
		config.Audiences = []string{strings.Repeat("0", 64)}
	}
	if _, err := core.New(config); err != nil {
		r.add(value.line, "%s", strings.TrimPrefix(err.Error(), "cfaccess: "))
	}
}

func (r *reader) host(host text, isOnly bool) {
	name := strings.ToLower(host.value)
	switch other := r.hosts[name]; {
	case other != 0:
		r.add(host.line, "the host %q is in line %d already", host.value, other)
	case name == "*" && !isOnly:
		r.add(host.line, `the host "*" must be the only one of the only application`)
	case name != "*" && !hostForm.MatchString(name):
		r.add(host.line, `%q is not a host name without a port, nor "*"`, host.value)
	}
	r.hosts[name] = host.line
}

// rule returns a rule that follows others of the same application.
func (r *reader) rule(d ruleDocument, line int, before []rule) rule {
	made := rule{isPrefix: d.Prefix.value != "", methods: values(d.Methods), public: d.Public}
	if (d.Path.value == "") == (d.Prefix.value == "") {
		r.add(line, "a rule has either path or prefix")
	}
	target := cmp.Or(d.Path, d.Prefix)
	path, isNormal := normalPath(target.value)
	made.path = path
	if target.value != "" && (!isNormal || strings.Contains(target.value, "?")) {
		r.add(target.line, `%q is not a path in normal form: it begins with "/", without "//", "/./", "/../", ";", "\", "?" and needless escapes`, target.value)
	}
	for _, method := range d.Methods {
		if !methodForm.MatchString(method.value) {
			r.add(method.line, "%q is not a method; methods are in upper case", method.value)
		}
	}
	for _, email := range d.Emails {
		if !strings.Contains(email.value, "@") {
			r.add(email.line, "%q is not an email address", email.value)
		}
	}
	for _, code := range d.Countries {
		if !country.MatchString(code.value) {
			r.add(code.line, "%q is not a country's code of two letters", code.value)
		}
	}
	made.policy = d.policy()
	switch {
	case d.Public && made.policy != nil:
		r.add(line, "a public rule asks nobody who they are; remove public, or the lists of callers")
	case !d.Public && made.policy == nil:
		r.add(line, "the rule has no effect; want public: true, or one of emails, domains, groups, services and countries")
	}
	for i := range before {
		if isNormal && before[i].covers(&made) {
			r.add(line, "the rule never matches, since rule %d of the application comes first", i+1)
			break
		}
	}
	return made
}

// policy asks what needs no request to Access first.
func (d *ruleDocument) policy() core.Policy {
	var policies []core.Policy
	for _, kind := range []struct {
		list []text
		new  func(...string) core.Policy
	}{
		{d.Emails, core.Emails}, {d.Domains, core.EmailDomains}, {d.Services, core.Services},
		{d.Countries, core.Countries}, {d.Groups, core.Groups},
	} {
		if len(kind.list) > 0 {
			policies = append(policies, kind.new(values(kind.list)...))
		}
	}
	return newPolicy(policies)
}
