package dev

import (
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
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
	cookiePrefix = core.TokenCookie + "_" // see ownCookie
)

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if clean := path.Clean(r.URL.Path); below(clean, accessPath) {
		a.serveAccess(w, r)
	} else if a.isBypassed(r.URL.Path, clean) {
		a.proxy.ServeHTTP(w, core.Forward(r, nil))
	} else if claims := a.authenticate(r); claims != nil {
		a.proxy.ServeHTTP(w, core.Forward(r, claims))
	} else {
		a.refuse(w, r)
	}
}

// isBypassed reports whether a path needs no login. One with dot segments does: the
// application may read it as another path than clean.
func (a *application) isBypassed(path, clean string) bool {
	isBelow := func(folder string) bool { return below(clean, strings.TrimRight(folder, "/")) }
	return (path == clean || path == clean+"/") && slices.ContainsFunc(a.Bypass, isBelow)
}

// below reports whether a path is folder or below it.
func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// authenticate returns the claims of a request, or nil. The headers of a service
// token decide alone.
func (a *application) authenticate(r *http.Request) *core.Claims {
	id, secret := r.Header.Get(idHeader), r.Header.Get(secretHeader)
	if id == "" && secret == "" {
		return a.session(r, false)
	}
	if secret == "" || secret != a.server.Services[id] {
		return nil
	}
	claims, _ := a.server.verifier.Verify(r.Context(), a.server.team.SignService(a.Audience, id,
		accesstest.WithClaim("aud", a.Audience), // of a service token it is one string
		accesstest.WithExpiry(time.Now().Add(a.Session))))
	return claims
}

// session returns the claims of the request's session of this or any application.
func (a *application) session(r *http.Request, ofAny bool) *core.Claims {
	tokens := slices.Clone(r.Header[core.TokenHeader])
	for _, cookie := range slices.Concat(r.CookiesNamed(a.ownCookie()), r.CookiesNamed(core.TokenCookie)) {
		tokens = append(tokens, cookie.Value)
	}
	for _, token := range tokens {
		_, isEnded := a.server.ended.Load(token)
		claims, err := a.server.verifier.Verify(r.Context(), token)
		if err == nil && !isEnded && (ofAny || slices.Contains(claims.Audience, a.Audience)) {
			return claims
		}
	}
	return nil
}

// ownCookie names a second cookie for the token. Ports of a host share their
// cookies: without it a login at one application would be a logout at the others.
func (a *application) ownCookie() string { return cookiePrefix + a.Audience }

// refuse answers as the edge does where there is no session.
func (a *application) refuse(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("WWW-Authenticate", "Cloudflare-Access")
	status, isPreflight := http.StatusFound, r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	switch {
	case isPreflight, r.Header.Get(idHeader)+r.Header.Get(secretHeader) != "":
		status = http.StatusForbidden
	case strings.EqualFold(r.Header.Get("X-Requested-With"), "XMLHttpRequest"):
		status = http.StatusUnauthorized
	default:
		query := url.Values{"kid": {a.Audience}, "redirect_url": {r.URL.RequestURI()}}
		w.Header().Set("Location", accessPath+"/login/"+url.PathEscape(r.Host)+"?"+query.Encode())
	}
	http.Error(w, "cfaccess dev: no session: "+http.StatusText(status), status)
}

// edit does what core.Forward leaves out: it replaces the client's tokens by that in
// the context. It knows every spelling of a header's name: see [server.FoldName].
func edit(r *httputil.ProxyRequest) {
	maps.DeleteFunc(r.Out.Header, func(name string, _ []string) bool {
		name = http.CanonicalHeaderKey(server.FoldName(name))
		return slices.Contains([]string{core.TokenHeader, idHeader, secretHeader}, name)
	})
	claims, _ := core.FromContext(r.In.Context())
	if claims != nil {
		r.Out.Header.Set(core.TokenHeader, claims.Token())
	}
	cookies := strings.FieldsFunc(strings.Join(r.Out.Header["Cookie"], ";"), func(c rune) bool { return c == ';' })
	cookies = slices.DeleteFunc(cookies, func(c string) bool { return strings.HasPrefix(strings.TrimSpace(c), cookiePrefix) })
	for i, cookie := range cookies {
		if name, _, _ := strings.Cut(cookie, "="); strings.TrimSpace(name) == core.TokenCookie && claims != nil {
			cookies[i] = " " + core.TokenCookie + "=" + claims.Token() // it may be another application's
		}
	}
	if r.Out.Header.Del("Cookie"); len(cookies) > 0 {
		r.Out.Header.Set("Cookie", strings.TrimSpace(strings.Join(cookies, ";")))
	}
}
