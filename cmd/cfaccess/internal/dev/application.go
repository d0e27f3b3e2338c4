package dev

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// accessPath is what Access keeps for itself on every application.
const accessPath = "/cdn-cgi/access"

// The headers of a service token.
const idHeader, secretHeader = "Cf-Access-Client-Id", "Cf-Access-Client-Secret"

// An application is what the edge does for one application.
type application struct {
	site
	url            string
	people         []person
	secrets        map[string]string // of service tokens, by client ID
	allowPreflight bool
	state          *state
	verifier       *core.Verifier
	upstream       http.Handler
	logger         *slog.Logger

	mu       sync.Mutex        // mu guards services.
	services map[string]string // the last token of a service token, by client ID
}

func newApplication(a site, f file, s *state, base string, logger *slog.Logger) (*application, error) {
	app := &application{
		site: a, url: base, people: f.People, secrets: map[string]string{}, allowPreflight: f.AllowPreflight,
		state: s, logger: logger, services: map[string]string{},
	}
	for _, service := range f.Services {
		app.secrets[service.ID] = service.Secret
	}
	var err error
	app.verifier, err = core.New(core.Config{
		Team:            s.team.Issuer(),
		Audiences:       []string{a.Audience},
		Leeway:          -1, // one clock signs and verifies
		RefetchCooldown: time.Millisecond,
		HTTPClient:      &http.Client{Transport: certs{s.team}},
		Logger:          slog.New(slog.DiscardHandler), // it would warn of a local Access
	})
	if err != nil {
		return nil, err
	}
	app.upstream, err = server.Upstream(a.Upstream, logger, app.edit)
	if err != nil {
		return nil, fmt.Errorf("application %s: %w", a.Name, err)
	}
	return app, nil
}

// certs answers the proxy's own requests for keys, while the endpoint fails too.
type certs struct{ team *accesstest.Team }

// RoundTrip implements [http.RoundTripper].
func (c certs) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(c.team.Certs())), Request: r}, nil
}

// ServeHTTP implements [http.Handler].
func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if below(path.Clean(r.URL.Path), accessPath) {
		a.serveAccess(w, r)
		return
	}
	if a.isBypassed(r) {
		a.upstream.ServeHTTP(w, r)
		return
	}
	claims, err := a.authenticate(r)
	switch {
	case err != nil:
		a.logger.Error("can't make a token", slog.Any("error", err))
		http.Error(w, "cfaccess dev: can't make a token, see its log", http.StatusInternalServerError)
	case claims == nil:
		a.refuse(w, r)
	default:
		a.upstream.ServeHTTP(w, r.WithContext(core.NewContext(r.Context(), claims)))
	}
}

// isBypassed reports whether a request needs no login. A path with dot segments
// does: the application may read it as another one.
func (a *application) isBypassed(r *http.Request) bool {
	if a.allowPreflight && isPreflight(r) {
		return true
	}
	clean := path.Clean(r.URL.Path)
	return (clean == r.URL.Path || clean+"/" == r.URL.Path) &&
		slices.ContainsFunc(a.Bypass, func(folder string) bool { return below(clean, strings.TrimRight(folder, "/")) })
}

// below reports whether a path is folder or below it.
func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// authenticate returns the claims that the application gets, or nil. The headers
// of a service token decide alone.
func (a *application) authenticate(r *http.Request) (*core.Claims, error) {
	id, secret := r.Header.Get(idHeader), r.Header.Get(secretHeader)
	if id == "" && secret == "" {
		return a.session(r), nil
	}
	want, known := a.secrets[id]
	if subtle.ConstantTimeCompare([]byte(secret), []byte(want)) == 0 || !known {
		return nil, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if claims := a.verify(r.Context(), a.services[id]); claims != nil {
		return claims, nil
	}
	end := time.Now().Add(a.Session)
	// Access sends aud as one string here.
	token := a.state.team.SignService(a.Audience, id, accesstest.WithClaim("aud", a.Audience), accesstest.WithExpiry(end))
	if err := a.state.begin(token, end); err != nil {
		return nil, err
	}
	a.services[id] = token
	return a.verifier.Verify(r.Context(), token)
}

// session returns the claims of the first token of the request that is a session
// of this application, or nil: the header's, and the cookies'.
//
// Browsers send a cookie to every port of a host, and keep one of a name. So each
// application has a second cookie with a name of its own: else a login at one
// would be a logout at the others.
func (a *application) session(r *http.Request) *core.Claims {
	tokens := slices.Clone(r.Header[core.TokenHeader])
	for _, cookie := range slices.Concat(r.CookiesNamed(a.ownCookie()), r.CookiesNamed(core.TokenCookie)) {
		tokens = append(tokens, cookie.Value)
	}
	for _, token := range tokens {
		if claims := a.verify(r.Context(), token); claims != nil {
			return claims
		}
	}
	return nil
}

func (a *application) ownCookie() string { return core.TokenCookie + "_" + a.Audience[:16] }

func (a *application) verify(ctx context.Context, token string) *core.Claims {
	if !a.state.isLive(token) { // first: it is cheaper
		return nil
	}
	claims, err := a.verifier.Verify(ctx, token)
	if err != nil {
		return nil
	}
	return claims
}

// refuse answers as the edge does where there is no session.
func (a *application) refuse(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("WWW-Authenticate", "Cloudflare-Access")
	switch {
	case isPreflight(r):
		http.Error(w, "cfaccess dev: a preflight has no session; see allow_preflight", http.StatusForbidden)
	case r.Header.Get(idHeader) != "" || r.Header.Get(secretHeader) != "":
		http.Error(w, "cfaccess dev: no service token with this ID and secret", http.StatusForbidden)
	case strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest"):
		http.Error(w, "cfaccess dev: no session", http.StatusUnauthorized)
	default:
		target := r.URL.RequestURI()
		if !isLocal(target) {
			target = "/"
		}
		query := url.Values{"kid": {a.Audience}, "redirect_url": {target}}
		w.Header().Set("Location", accessPath+"/login/"+url.PathEscape(r.Host)+"?"+query.Encode())
		w.WriteHeader(http.StatusFound)
	}
}

// edit replaces whatever the client claims to be with what is verified, which is
// in the context.
func (a *application) edit(r *httputil.ProxyRequest) {
	var token string
	for _, header := range []http.Header{r.Out.Header, r.Out.Trailer} {
		for name := range header {
			if isAccessHeader(name) {
				delete(header, name)
			}
		}
	}
	if claims, ok := core.FromContext(r.In.Context()); ok {
		token = claims.Token()
		r.Out.Header.Set(core.TokenHeader, token)
		if claims.Email != "" {
			r.Out.Header.Set(core.EmailHeader, claims.Email)
		}
	}
	var cookies []string
	for _, line := range r.Out.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.TrimSpace(pair)
			name, _, _ := strings.Cut(pair, "=")
			if strings.HasPrefix(name, core.TokenCookie+"_") {
				continue
			}
			if name == core.TokenCookie && token != "" { // it may be another application's
				pair = name + "=" + token
			}
			cookies = append(cookies, pair)
		}
	}
	if delete(r.Out.Header, "Cookie"); cookies != nil {
		r.Out.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
}

// isAccessHeader reports whether some server reads a header as one that only
// Access may send, or as a service token's: see [core.IsEmailHeader].
func isAccessHeader(name string) bool {
	plain := strings.ReplaceAll(strings.TrimSpace(name), "_", "-")
	return core.IsEmailHeader(name) || slices.ContainsFunc([]string{core.TokenHeader, idHeader, secretHeader},
		func(header string) bool { return strings.EqualFold(plain, header) })
}
