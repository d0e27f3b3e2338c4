package dev

import (
	"cmp"
	"crypto/rand"
	_ "embed" // for the page
	"encoding/json"
	"html/template"
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
	// ownCookie and the AUD tag name a second cookie for the token. Ports of a host share
	// their cookies: without it a login at one application would be a logout at the others.
	ownCookie = core.TokenCookie + "_"
)

// An application is what the edge does for one application.
type application struct {
	Name     string   // default: app
	Upstream string   // default: --upstream
	Addr     string   // default: --addr
	Host     string   // tells applications of the same addr apart, such as shop.localhost
	Audience string   // AUD tag; default: derived from the name
	Bypass   []string // these paths and all below them need no login

	server *Server
	proxy  http.Handler // to Upstream
}

// check returns the first mistake in an application that comes after others.
func (a *application) check(isInsecure bool, earlier []application) error {
	isBad := func(path string) bool { return !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "*?#") }
	isSame := func(b application) bool { return b.Audience == a.Audience || b.Addr == a.Addr && b.Host == a.Host }
	return cmp.Or(
		want(isInsecure || server.IsLoopback(a.Addr), "addr is no loopback address with a port, such as 127.0.0.1:8000: only --i-know-this-is-not-secure allows it"),
		want(len(a.Audience) == 64 && strings.Trim(a.Audience, "0123456789abcdef") == "", "audience is not an AUD tag: 64 lower-case hex digits"),
		want(a.Host == strings.ToLower(a.Host) && !strings.ContainsAny(a.Host, ":/ "), "host is not a lower-case name without a port"),
		want(!slices.ContainsFunc(a.Bypass, isBad), "bypass has a path with a wildcard or without a slash in front"),
		want(!slices.ContainsFunc(earlier, isSame), "an earlier application has the same name, audience, or addr and host"),
	)
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if clean := path.Clean(r.URL.Path); isBelow(clean, accessPath) {
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
	return (path == clean || path == clean+"/") &&
		slices.ContainsFunc(a.Bypass, func(folder string) bool { return isBelow(clean, folder) })
}

// isBelow reports whether a path is folder or below it.
func isBelow(path, folder string) bool {
	return strings.HasPrefix(path+"/", strings.TrimRight(folder, "/")+"/")
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
	claims, _ := a.server.verifier.Verify(r.Context(), a.server.team.SignService(a.Audience, id))
	return claims
}

// session returns the claims of the request's session of this or any application.
func (a *application) session(r *http.Request, ofAny bool) *core.Claims {
	tokens := slices.Clone(r.Header[core.TokenHeader])
	for _, cookie := range slices.Concat(r.CookiesNamed(ownCookie+a.Audience), r.CookiesNamed(core.TokenCookie)) {
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

// refuse answers as the edge does where there is no session.
func (a *application) refuse(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("WWW-Authenticate", "Cloudflare-Access")
	isPreflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	status := http.StatusFound
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
		return name == core.TokenHeader || name == idHeader || name == secretHeader
	})
	claims, _ := core.FromContext(r.In.Context())
	if claims != nil {
		r.Out.Header.Set(core.TokenHeader, claims.Token())
	}
	cookies := strings.FieldsFunc(strings.Join(r.Out.Header["Cookie"], ";"), func(c rune) bool { return c == ';' })
	cookies = slices.DeleteFunc(cookies, func(c string) bool { return strings.HasPrefix(strings.TrimSpace(c), ownCookie) })
	for i, cookie := range cookies {
		if name, _, _ := strings.Cut(cookie, "="); strings.TrimSpace(name) == core.TokenCookie && claims != nil {
			cookies[i] = " " + core.TokenCookie + "=" + claims.Token() // it may be another application's
		}
	}
	if r.Out.Header.Del("Cookie"); len(cookies) > 0 {
		r.Out.Header.Set("Cookie", strings.TrimSpace(strings.Join(cookies, ";")))
	}
}

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page is what the template shows.
type page struct {
	*application
	People []person
	Nonce  string
	Error  error
	Form   url.Values // what was typed
}

// serveAccess answers below /cdn-cgi/access/. Nothing there is proxied.
func (a *application) serveAccess(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch endpoint := strings.TrimPrefix(r.URL.Path, accessPath); {
	case endpoint == "/certs" && a.server.failing.Load():
		http.Error(w, "cfaccess dev: --fail-certs", http.StatusServiceUnavailable)
	case endpoint == "/certs":
		a.server.team.ServeHTTP(w, r)
	case endpoint == "/get-identity": // of any application's session: core asks at the issuer
		claims, r := a.session(r, true), r.Clone(r.Context())
		if r.Header.Del("Cookie"); claims != nil {
			r.AddCookie(&http.Cookie{Name: core.TokenCookie, Value: claims.Token()})
		}
		a.server.team.ServeHTTP(w, r)
	case endpoint == "/logout":
		if claims := a.session(r, false); claims != nil {
			a.server.ended.Store(claims.Token(), true)
		}
		a.setCookies(w, "", -1)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case isBelow(endpoint, "/login"):
		a.serveLogin(w, r)
	default:
		http.NotFound(w, r)
	}
}

// serveLogin shows the login page and takes its form. The application is the one
// that the request has reached, whatever the rest of the path says.
func (a *application) serveLogin(w http.ResponseWriter, r *http.Request) {
	crossOrigin, formErr := http.NewCrossOriginProtection().Check(r), r.ParseForm()
	target := cmp.Or(r.Form.Get("redirect_url"), "/")
	switch {
	case crossOrigin != nil:
		http.Error(w, "cfaccess dev: "+crossOrigin.Error(), http.StatusForbidden)
	case formErr != nil || !localForm.MatchString(target):
		http.Error(w, "cfaccess dev: the form can't be read, or redirect_url isn't a path of this application", http.StatusBadRequest)
	case r.Method == http.MethodPost:
		a.login(w, r.PostForm, target)
	default:
		a.show(w, http.StatusOK, page{})
	}
}

// localForm is that of URLs that every browser reads as a path of the same origin.
// They take \ in a path for /, and skip control characters.
var localForm = regexp.MustCompile(`^/([^/\\?\x00-\x20\x7f][^\\?\x00-\x20\x7f]*)?(\?[^\x00-\x20\x7f]*)?$`)

// login begins a session and sends the browser back.
func (a *application) login(w http.ResponseWriter, form url.Values, target string) {
	who, session, err := a.read(form)
	if err != nil {
		a.show(w, http.StatusBadRequest, page{Error: err, Form: form})
		return
	}
	options := []accesstest.Option{accesstest.WithExpiry(time.Now().Add(session)), accesstest.WithClaim("country", who.Country)}
	if who.Custom != nil {
		options = append(options, accesstest.WithClaim("custom", who.Custom))
	}
	a.server.team.SetIdentity(who.Email, who.identity())
	a.setCookies(w, a.server.team.SignUser(a.Audience, who.Email, options...), int(session.Seconds()))
	w.Header().Set("Location", target) // http.Redirect would change some paths
	w.WriteHeader(http.StatusSeeOther)
}

// read returns who logs in and for how long, after the checks of the configuration
// file. Fields that are empty are as configured.
func (a *application) read(form url.Values) (who person, session time.Duration, err error) {
	text := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	who.Email = text("email")
	if i := slices.IndexFunc(a.server.People, func(p person) bool { return strings.EqualFold(p.Email, who.Email) }); i >= 0 {
		who = a.server.People[i]
	}
	who.Country = cmp.Or(strings.ToUpper(text("country")), who.Country, "US")
	if groups := text("groups"); groups != "" {
		who.Groups = nil
		for group := range strings.SplitSeq(groups, ",") {
			who.Groups = append(who.Groups, strings.TrimSpace(group))
		}
	}
	isObject := true
	if custom := text("custom"); custom != "" {
		who.Custom = nil // not merged
		isObject = json.Unmarshal([]byte(custom), &who.Custom) == nil && who.Custom != nil
	}
	session, err = time.ParseDuration(cmp.Or(text("session"), "24h"))
	return who, session, cmp.Or(
		want(isObject, `custom claims are not a JSON object such as {"department": "research"}`),
		want(err == nil && session >= time.Second, "session is not a duration such as 8h or 90s"),
		who.check(),
	)
}

// identity returns what get-identity answers beyond the token.
func (p person) identity() map[string]any {
	name, _, _ := strings.Cut(p.Email, "@")
	return map[string]any{"name": cmp.Or(p.Name, name), "groups": append([]any{}, p.Groups...)}
}

func (a *application) setCookies(w http.ResponseWriter, token string, maxAge int) {
	for _, name := range []string{core.TokenCookie, ownCookie + a.Audience} {
		http.SetCookie(w, &http.Cookie{Name: name, Value: token, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
}

// show writes the page, which can't be framed, run scripts or load anything.
func (a *application) show(w http.ResponseWriter, status int, p page) {
	p.application, p.People, p.Nonce = a, a.server.People, rand.Text()
	// There is no form-action: it would also refuse the application's own redirects.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+p.Nonce+"'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	_ = pageTemplate.Execute(w, p) // fails only where the client is gone
}
