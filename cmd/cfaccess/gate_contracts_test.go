package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A contract does to requests what a proxy that isn't here does, by its
// documentation and the recipe.
type contract struct {
	host    string // the only one that has a route
	prepare func(w http.ResponseWriter, r *http.Request) bool
	ask     func(r *http.Request) *http.Request // the request to the gate
	allows  func(status int) bool               // by the gate's status
	merge   func(client, fromGate http.Header)  // the gate's headers into the client's
	next    func(client http.Header)            // what the route does to the headers
	app     http.Handler                        // the application
}

func (c *contract) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if !strings.EqualFold(host, c.host) {
		http.NotFound(w, r)
		return
	}
	removeNamedByConnection(r.Header) // both proxies do, before they ask
	if !c.prepare(w, r) {
		return
	}
	answer, err := http.DefaultTransport.RoundTrip(c.ask(r))
	if err != nil {
		http.Error(w, "no answer", http.StatusServiceUnavailable)
		return
	}
	defer answer.Body.Close()
	if !c.allows(answer.StatusCode) {
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, answer.Body) // the client sees what is missing
		return
	}
	c.merge(r.Header, answer.Header)
	c.next(r.Header)
	c.app.ServeHTTP(w, r)
}

func removeNamedByConnection(h http.Header) {
	isUpgrade := false
	for _, names := range h["Connection"] {
		for name := range strings.SplitSeq(names, ",") {
			if name = textproto.TrimString(name); strings.EqualFold(name, "Upgrade") {
				isUpgrade = true
			} else {
				h.Del(name)
			}
		}
	}
	if h.Del("Connection"); isUpgrade {
		h.Set("Connection", "Upgrade")
	}
}

func newContract(t *testing.T, app *application) *contract {
	t.Helper()
	target, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &contract{
		host:    siteHost,
		prepare: func(http.ResponseWriter, *http.Request) bool { return true },
		app: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host, r.Out.URL.RawQuery = r.In.Host, r.In.URL.RawQuery
		}},
	}
}

// newTraefik is Traefik with the recipe traefik.yaml.
func newTraefik(t *testing.T, app *application, gate string) http.Handler {
	var config struct {
		HTTP struct {
			Routers map[string]struct {
				Rule        string
				Middlewares []string
			}
			Middlewares map[string]struct {
				ForwardAuth struct {
					Address            string
					TrustForwardHeader bool     `yaml:"trustForwardHeader"`
					RequestHeaders     []string `yaml:"authRequestHeaders"`
					ResponseHeaders    string   `yaml:"authResponseHeadersRegex"`
				} `yaml:"forwardAuth"`
				Headers struct {
					Custom map[string]string `yaml:"customRequestHeaders"`
				}
			}
		}
	}
	decode(t, recipe(t, "traefik.yaml", "127.0.0.1:9300", gate), &config)
	router := config.HTTP.Routers["wiki"]
	if router.Rule != "Host(`"+siteHost+"`)" || len(router.Middlewares) != 2 {
		t.Fatalf("the router is %+v", router)
	}
	auth := config.HTTP.Middlewares[router.Middlewares[0]].ForwardAuth
	replaced, err := regexp.Compile(auth.ResponseHeaders)
	if err != nil || auth.ResponseHeaders == "" || auth.TrustForwardHeader {
		t.Fatalf("forwardAuth is %+v: %v", auth, err)
	}
	c := newContract(t, app)
	c.allows = func(status int) bool { return status >= 200 && status < 300 }
	c.ask = func(r *http.Request) *http.Request {
		question := newRequest(r, http.MethodGet, auth.Address)
		for _, name := range auth.RequestHeaders {
			question.Header[textproto.CanonicalMIMEHeaderKey(name)] = r.Header.Values(name)
		}
		question.Header.Set("X-Forwarded-Method", r.Method)
		question.Header.Set("X-Forwarded-Host", r.Host)
		question.Header.Set("X-Forwarded-Uri", r.URL.RequestURI())
		return question
	}
	c.merge = func(client, fromGate http.Header) {
		for name := range client {
			if replaced.MatchString(name) {
				delete(client, name)
			}
		}
		for name, values := range fromGate {
			if replaced.MatchString(name) {
				client[name] = values
			}
		}
	}
	c.next = func(client http.Header) {
		for name, value := range config.HTTP.Middlewares[router.Middlewares[1]].Headers.Custom {
			if client.Set(name, value); value == "" {
				client.Del(name)
			}
		}
	}
	return c
}

// newEnvoy is Envoy with the recipe envoy.yaml.
func newEnvoy(t *testing.T, app *application, gate string) http.Handler {
	type patterns struct {
		Patterns []struct{ Exact, Prefix string }
	}
	var config struct {
		Filters []struct {
			Config struct {
				Mutations struct {
					Request []struct{ Remove string } `yaml:"request_mutations"`
				}
				FailureModeAllow bool     `yaml:"failure_mode_allow"`
				Allowed          patterns `yaml:"allowed_headers"`
				Service          struct {
					Server   struct{ URI string } `yaml:"server_uri"`
					Prefix   string               `yaml:"path_prefix"`
					Response struct {
						Upstream patterns `yaml:"allowed_upstream_headers"`
					} `yaml:"authorization_response"`
				} `yaml:"http_service"`
			} `yaml:"typed_config"`
		} `yaml:"http_filters"`
		Protocol struct {
			Underscores string `yaml:"headers_with_underscores_action"`
		} `yaml:"common_http_protocol_options"`
		Normalize bool   `yaml:"normalize_path"`
		Merge     bool   `yaml:"merge_slashes"`
		Slashes   string `yaml:"path_with_escaped_slashes_action"`
		Routes    struct {
			Hosts []struct {
				Remove []string `yaml:"request_headers_to_remove"`
			} `yaml:"virtual_hosts"`
		} `yaml:"route_config"`
	}
	decode(t, recipe(t, "envoy.yaml", "127.0.0.1:9300", gate), &config)
	auth := config.Filters[1].Config
	if !config.Normalize || !config.Merge || config.Slashes != "REJECT_REQUEST" || config.Protocol.Underscores != "REJECT_REQUEST" || auth.FailureModeAllow {
		t.Fatalf("the options are %+v", config)
	}
	matching := func(p patterns, header http.Header) http.Header {
		found := http.Header{}
		for name, values := range header {
			for _, pattern := range p.Patterns {
				name := strings.ToLower(name)
				if name == pattern.Exact || pattern.Prefix != "" && strings.HasPrefix(name, pattern.Prefix) {
					found[textproto.CanonicalMIMEHeaderKey(name)] = values
				}
			}
		}
		return found
	}
	c := newContract(t, app)
	c.prepare = func(w http.ResponseWriter, r *http.Request) bool {
		rawPath, query, hasQuery := strings.Cut(r.RequestURI, "?")
		escaped := regexp.MustCompile(`(?i)%2f|%5c`).MatchString(rawPath)
		for name := range r.Header {
			escaped = escaped || strings.Contains(name, "_")
		}
		if escaped || !strings.HasPrefix(rawPath, "/") {
			http.Error(w, "bad request", http.StatusBadRequest)
			return false
		}
		rawPath = regexp.MustCompile(`(?i)%2e`).ReplaceAllString(strings.ReplaceAll(rawPath, `\`, "/"), ".")
		clean := path.Clean(rawPath)
		if strings.HasSuffix(rawPath, "/") && clean != "/" {
			clean += "/"
		}
		if hasQuery {
			clean += "?" + query
		}
		var err error
		if r.URL, err = url.ParseRequestURI(clean); err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return false
		}
		for _, mutation := range config.Filters[0].Config.Mutations.Request {
			r.Header.Del(mutation.Remove)
		}
		return true
	}
	c.allows = func(status int) bool { return status == 200 }
	c.ask = func(r *http.Request) *http.Request {
		question := newRequest(r, r.Method, auth.Service.Server.URI)
		question.URL.Opaque = auth.Service.Prefix + r.URL.RequestURI()
		question.Host = r.Host
		question.Header = matching(auth.Allowed, r.Header)
		return question
	}
	c.merge = func(client, fromGate http.Header) {
		for name, values := range matching(auth.Service.Response.Upstream, fromGate) {
			client[name] = values
		}
	}
	c.next = func(client http.Header) {
		for _, name := range config.Routes.Hosts[0].Remove {
			client.Del(name)
		}
	}
	return c
}

// newRequest returns a request without headers in the context of r.
func newRequest(r *http.Request, method, rawURL string) *http.Request {
	question, err := http.NewRequestWithContext(r.Context(), method, rawURL, nil)
	if err != nil {
		panic(err) // of the recipe's address
	}
	return question
}

func decode(t *testing.T, content string, config any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(content), config); err != nil {
		t.Fatal(err)
	}
}
