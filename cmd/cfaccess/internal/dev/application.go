package dev

import (
	"bytes"
	"crypto/subtle"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/cmd/cfaccess/internal/server"
	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	accessPath   = "/cdn-cgi/access" // what Access keeps for itself
	idHeader     = "Cf-Access-Client-Id"
	secretHeader = "Cf-Access-Client-Secret"
)

var (
	tokenCookie = regexp.MustCompile(`((?:^|;) *` + core.TokenCookie + ` *=)[^;]*`)
	ownCookies  = regexp.MustCompile(`(^|;) *` + core.TokenCookie + `_[^;]*`)
)

// An application is what the edge does for one application.
type application struct {
	site
	config
	state    *state
	url      string
	verifier *core.Verifier
	upstream http.Handler
}

// connect makes what needs the other fields.
func (a *application) connect() (err error) {
	if a.upstream, err = server.Upstream(a.Upstream, a.state.logger, edit); err != nil {
		return err
	}
	a.verifier, err = core.New(core.Config{
		Team: a.state.team.Issuer(), Audiences: []string{a.Audience},
		Leeway:          -1, // one clock signs and verifies
		RefetchCooldown: time.Millisecond,
		HTTPClient:      &http.Client{Transport: certs{a.state.team}},
		Logger:          slog.New(slog.DiscardHandler), // it would warn of a local Access
	})
	return err
}

// certs answers the proxy's own requests for keys, while the endpoint fails too.
type certs struct{ team *accesstest.Team }

// RoundTrip implements [http.RoundTripper].
func (c certs) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(c.team.Certs())), Request: r}, nil
}

// ServeHTTP implements [http.Handler].
func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if clean := path.Clean(r.URL.Path); below(clean, accessPath) {
		a.serveAccess(w, r)
	} else if a.isBypassed(r, clean) {
		a.upstream.ServeHTTP(w, r)
	} else if claims := a.authenticate(r); claims != nil {
		a.upstream.ServeHTTP(w, r.WithContext(core.NewContext(r.Context(), claims)))
	} else {
		a.refuse(w, r)
	}
}

// isBypassed reports whether a request needs no login. One whose path has dot
// segments does: the application may read it as another path.
func (a *application) isBypassed(r *http.Request, clean string) bool {
	return a.AllowPreflight && isPreflight(r) || (r.URL.Path == clean || r.URL.Path == clean+"/") &&
		slices.ContainsFunc(a.Bypass, func(folder string) bool { return below(clean, strings.TrimRight(folder, "/")) })
}

// below reports whether a path is folder or below it.
func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// authenticate returns the claims of a request, or nil. The headers of a service
// token decide alone.
func (a *application) authenticate(r *http.Request) *core.Claims {
	id, secret := r.Header.Get(idHeader), r.Header.Get(secretHeader)
	if id == "" && secret == "" {
		return a.session(r)
	}
	for _, s := range a.Services {
		if s.ID == id && subtle.ConstantTimeCompare([]byte(s.Secret), []byte(secret)) == 1 {
			claims, _ := a.verifier.Verify(r.Context(), a.state.team.SignService(a.Audience, id,
				accesstest.WithClaim("aud", a.Audience), // of a service token it is one string
				accesstest.WithExpiry(time.Now().Add(a.Session))))
			return claims
		}
	}
	return nil
}

// session returns the claims of the request's session of this application, or nil.
func (a *application) session(r *http.Request) *core.Claims {
	for _, token := range a.tokens(r) {
		if claims, err := a.verifier.Verify(r.Context(), token); err == nil {
			return claims
		}
	}
	return nil
}

// tokens returns the tokens in the header and the cookies whose sessions haven't
// ended. They may be expired, or another application's.
func (a *application) tokens(r *http.Request) []string {
	tokens := slices.Clone(r.Header[core.TokenHeader])
	for _, cookie := range slices.Concat(r.CookiesNamed(a.ownCookie()), r.CookiesNamed(core.TokenCookie)) {
		tokens = append(tokens, cookie.Value)
	}
	return slices.DeleteFunc(tokens, func(token string) bool { return !a.state.isLive(token) })
}

// ownCookie names a second cookie for the token. Ports of a host share their
// cookies: without it a login at one application would be a logout at the others.
func (a *application) ownCookie() string { return core.TokenCookie + "_" + a.Audience[:16] }

// refuse answers as the edge does where there is no session.
func (a *application) refuse(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("WWW-Authenticate", "Cloudflare-Access")
	status := http.StatusFound
	switch {
	case isPreflight(r), r.Header.Get(idHeader)+r.Header.Get(secretHeader) != "":
		status = http.StatusForbidden
	case strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest"):
		status = http.StatusUnauthorized
	default:
		query := url.Values{"kid": {a.Audience}, "redirect_url": {r.URL.RequestURI()}}
		w.Header().Set("Location", accessPath+"/login/"+url.PathEscape(r.Host)+"?"+query.Encode())
	}
	http.Error(w, "cfaccess dev: no session: "+http.StatusText(status), status)
}

// edit replaces what the client says of itself by the claims in the context. Some
// servers read _ in a header's name as -: see [core.IsEmailHeader].
func edit(r *httputil.ProxyRequest) {
	isForged := func(name string, _ []string) bool {
		name = http.CanonicalHeaderKey(server.FoldName(name))
		return slices.Contains([]string{core.TokenHeader, core.EmailHeader, idHeader, secretHeader}, name)
	}
	maps.DeleteFunc(r.Out.Header, isForged)
	r.Out.Trailer = nil // some servers read trailers as headers
	claims, ok := core.FromContext(r.In.Context())
	cookies := r.Out.Header["Cookie"]
	r.Out.Header.Del("Cookie")
	for _, line := range cookies {
		if line = strings.TrimLeft(ownCookies.ReplaceAllString(line, ""), "; "); ok {
			line = tokenCookie.ReplaceAllString(line, "${1}"+claims.Token()) // it may be another application's
		}
		if line != "" {
			r.Out.Header.Add("Cookie", line)
		}
	}
	if !ok {
		return
	}
	r.Out.Header.Set(core.TokenHeader, claims.Token())
	if claims.Email != "" {
		r.Out.Header.Set(core.EmailHeader, claims.Email)
	}
}
