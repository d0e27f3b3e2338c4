package dev

import (
	"cmp"
	"crypto/rand"
	_ "embed" // for the page
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// maxToken is the longest token that fits into a cookie: browsers refuse more than
// 4096 bytes with the name and the attributes.
const maxToken = 3900

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page is what the template shows.
type page struct {
	Nonce, Application, Error string
	SignedOut                 bool
	People                    []person
	Session                   time.Duration
	Form                      url.Values // what was typed
}

// serveAccess answers below /cdn-cgi/access/. Nothing of it is proxied.
func (a *application) serveAccess(w http.ResponseWriter, r *http.Request) {
	endpoint := strings.TrimPrefix(r.URL.Path, accessPath)
	switch {
	case endpoint == "/certs":
		a.state.team.ServeHTTP(w, r)
	case endpoint == "/get-identity":
		a.serveIdentity(w, r)
	case endpoint == "/logout":
		a.serveLogout(w, r)
	case below(endpoint, "/login"):
		a.serveLogin(w, r)
	default:
		http.NotFound(w, r)
	}
}

// serveIdentity answers for a session of any application of the team.
func (a *application) serveIdentity(w http.ResponseWriter, r *http.Request) {
	var token string
	if claims := a.session(r); claims != nil {
		token = claims.Token()
	} else if cookie, err := r.Cookie(core.TokenCookie); err == nil {
		token = cookie.Value
	}
	r = r.Clone(r.Context())
	r.Header.Del("Cookie")
	if token != "" && !a.state.isLive(token) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"err":"the session has ended"}`))
		return
	}
	if token != "" {
		r.AddCookie(&http.Cookie{Name: core.TokenCookie, Value: token})
	}
	w.Header().Set("Cache-Control", "no-store")
	a.state.team.ServeHTTP(w, r)
}

// serveLogout ends the session: its token is refused from now on.
func (a *application) serveLogout(w http.ResponseWriter, r *http.Request) {
	if claims := a.session(r); claims != nil {
		if err := a.state.end(claims.Token()); err != nil {
			a.fail(w, err)
			return
		}
		a.logger.Info("logout", slog.String("application", a.Name), slog.String("email", claims.Email))
	}
	a.setCookies(w, "", -1)
	a.show(w, http.StatusOK, page{SignedOut: true})
}

// serveLogin shows the login page, and takes its form. The application is the one
// that the request reached, whatever the rest of the path says.
func (a *application) serveLogin(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, "cfaccess dev: "+err.Error(), http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "cfaccess dev: this form can't be read", http.StatusBadRequest)
		return
	}
	target := cmp.Or(r.Form.Get("redirect_url"), "/")
	switch {
	case !isLocal(target):
		http.Error(w, "cfaccess dev: redirect_url must be a path of this application", http.StatusBadRequest)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		a.show(w, http.StatusOK, page{})
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "cfaccess dev: method not allowed", http.StatusMethodNotAllowed)
	default:
		who, session, err := a.read(r.PostForm)
		if err != nil {
			a.show(w, http.StatusBadRequest, page{Error: err.Error(), Form: r.PostForm})
			return
		}
		a.login(w, who, session, r.PostForm, target)
	}
}

// isLocal reports whether a URL is a path of the same origin for every browser.
// They read \ as /, and skip control characters.
func isLocal(target string) bool {
	u, err := url.Parse(target)
	return err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") &&
		!strings.ContainsFunc(target, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '\\' })
}

// read returns who logs in. What is left empty is as the file says.
func (a *application) read(form url.Values) (who person, session time.Duration, err error) {
	text := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	who.Email, session = cmp.Or(text("person"), text("email")), a.Session
	i := slices.IndexFunc(a.people, func(p person) bool { return strings.EqualFold(p.Email, who.Email) })
	if i >= 0 {
		who = a.people[i]
	} else if !isEmail(who.Email) {
		return who, 0, errors.New("Email: want an address such as ada@example.com")
	}
	if text("person") != "" {
		return who, session, nil
	}
	if groups := splitGroups(form); groups != nil {
		who.Groups = nil
		for _, group := range groups {
			who.Groups = append(who.Groups, group)
		}
	}
	if who.Country = cmp.Or(strings.ToUpper(text("country")), who.Country); who.Country != "" && !countryForm.MatchString(who.Country) {
		return who, 0, errors.New("Country: want two letters such as GB")
	}
	if custom := text("custom"); custom != "" {
		who.Custom = nil
		if err := json.Unmarshal([]byte(custom), &who.Custom); err != nil || who.Custom == nil {
			return who, 0, errors.New(`Custom claims: want a JSON object such as {"department": "research"}`)
		}
	}
	if length := text("session"); length != "" {
		if session, err = time.ParseDuration(length); err != nil || session < time.Second {
			return who, 0, errors.New("Session: want a duration of a second or more, such as 8h or 90s")
		}
	}
	return who, session, nil
}

// splitGroups returns the groups that were typed, separated by commas.
func splitGroups(form url.Values) (groups []string) {
	if form.Get("person") != "" {
		return nil
	}
	for group := range strings.SplitSeq(form.Get("groups"), ",") {
		if group = strings.TrimSpace(group); group != "" {
			groups = append(groups, group)
		}
	}
	return groups
}

// identity returns what get-identity answers beyond the token.
func (p person) identity() map[string]any {
	members := map[string]any{"groups": append([]any{}, p.Groups...)}
	if p.Name != "" {
		members["name"] = p.Name
	}
	return members
}

// login begins a session and sends the browser back.
func (a *application) login(w http.ResponseWriter, who person, session time.Duration, form url.Values, target string) {
	end := time.Now().Add(session)
	options := []accesstest.Option{accesstest.WithExpiry(end)}
	if who.Country != "" {
		options = append(options, accesstest.WithClaim("country", who.Country))
	}
	if who.Custom != nil {
		options = append(options, accesstest.WithClaim("custom", who.Custom))
	}
	token := a.state.team.SignUser(a.Audience, who.Email, options...)
	if len(token) > maxToken {
		a.show(w, http.StatusBadRequest, page{Error: fmt.Sprintf("Custom claims: the token has %d bytes, and a browser keeps at most %d", len(token), maxToken), Form: form})
		return
	}
	a.state.team.SetIdentity(who.Email, who.identity())
	err := a.state.change(func(d *saved) {
		d.Sessions[hashOf(token)] = end.Unix()
		d.Groups[strings.ToLower(who.Email)] = splitGroups(form)
	})
	if err != nil {
		a.fail(w, err)
		return
	}
	a.logger.Info("login", slog.String("application", a.Name), slog.String("email", who.Email))
	a.setCookies(w, token, int(session.Seconds()))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}

func (a *application) setCookies(w http.ResponseWriter, token string, maxAge int) {
	for _, name := range []string{core.TokenCookie, a.ownCookie()} {
		http.SetCookie(w, &http.Cookie{Name: name, Value: token, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
}

// show writes the page. It may not be framed, run scripts or load anything.
func (a *application) show(w http.ResponseWriter, status int, p page) {
	p.Nonce, p.Application, p.People, p.Session = rand.Text(), a.Name, a.people, a.Session
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY")
	// No form-action: it would also refuse what the application redirects to.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+p.Nonce+"'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(status)
	if err := pageTemplate.Execute(w, p); err != nil {
		a.logger.Debug("the client is gone", slog.Any("error", err))
	}
}

func (a *application) fail(w http.ResponseWriter, err error) {
	a.logger.Error("can't keep the session", slog.Any("error", err))
	http.Error(w, "cfaccess dev: can't keep the session, see its log", http.StatusInternalServerError)
}
