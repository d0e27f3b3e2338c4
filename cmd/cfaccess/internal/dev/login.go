package dev

import (
	"cmp"
	"crypto/rand"
	_ "embed" // for the page
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page is what the template shows.
type page struct {
	*application
	People    []person
	Nonce     string
	SignedOut bool
	Error     error
	Form      url.Values // what was typed
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
		a.show(w, http.StatusOK, page{SignedOut: true})
	case below(endpoint, "/login"):
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
	case formErr != nil || !isLocal(target):
		http.Error(w, "cfaccess dev: the form can't be read, or redirect_url isn't a path of this application", http.StatusBadRequest)
	case r.Method == http.MethodPost:
		a.login(w, r.PostForm, target)
	default:
		a.show(w, http.StatusOK, page{})
	}
}

// isLocal reports whether every browser reads a URL as a path of the same origin.
// They take \ in a path for /, and skip control characters.
func isLocal(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.Contains(path, `\`) &&
		!strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

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
	if custom := text("custom"); custom != "" {
		who.Custom = nil // not merged
		if json.Unmarshal([]byte(custom), &who.Custom) != nil || who.Custom == nil {
			return who, 0, errors.New(`custom claims are not a JSON object such as {"department": "research"}`)
		}
	}
	session, err = time.ParseDuration(cmp.Or(text("session"), a.Session.String()))
	if err != nil || session < time.Second {
		return who, 0, errors.New("session is not a duration such as 8h or 90s")
	}
	return who, session, who.check()
}

// identity returns what get-identity answers beyond the token.
func (p person) identity() map[string]any {
	name, _, _ := strings.Cut(p.Email, "@")
	return map[string]any{"name": cmp.Or(p.Name, name), "groups": append([]any{}, p.Groups...)}
}

func (a *application) setCookies(w http.ResponseWriter, token string, maxAge int) {
	for _, name := range []string{core.TokenCookie, a.ownCookie()} {
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
