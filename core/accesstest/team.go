package accesstest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
)

// What a team serves.
const (
	certsPath    = "/cdn-cgi/access/certs"
	identityPath = "/cdn-cgi/access/get-identity"
	logoutPath   = "/cdn-cgi/access/logout"
)

// A Team is an Access team: it signs tokens, publishes its keys and answers the
// endpoints below /cdn-cgi/access/ of a team domain. It listens on loopback and
// is an [http.Handler] as well, so that it can be mounted elsewhere or called
// without a socket.
//
// Make one with [NewTeam] or [NewLocalTeam]; the zero value is not usable. All methods are safe
// for concurrent use.
type Team struct {
	// URL is where the team listens, "http://127.0.0.1:port" without a slash at
	// the end. NewTeam sets it and nothing else does.
	URL string

	host     string // the team domain
	issuer   string
	mux      *http.ServeMux
	server   *http.Server
	served   chan struct{} // closed when the listener is; nil without one
	stranger func() *key
	fetches  atomic.Int64

	identityFetches atomic.Int64

	mu        sync.Mutex // mu guards the fields below.
	current   *key
	previous  *key
	withdrawn bool                 // previous is no longer published
	answer    http.Handler         // how certs requests are answered; nil lets them hang
	hanging   []context.CancelFunc // wakes the requests that hang
	// identities are the members set over a person's document, by lower-case email.
	identities      map[string]map[string]any
	identityHandler http.Handler // answers get-identity requests; nil: the team does
}

// NewTeam starts a team of that name, with a current and a previous key. The
// caller closes it. NewTeam panics if it can't listen on loopback.
//
// The name is the first label of the team domain: "acme", in upper or lower case.
func NewTeam(name string) *Team {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Sprintf("accesstest: can't listen on loopback: %v", err))
	}
	host := strings.ToLower(name) + ".cloudflareaccess.com"
	previous, current := newKeys(host)
	t := newTeam(host, "https://"+host, previous, current)
	t.URL = "http://" + listener.Addr().String()
	t.served = make(chan struct{})
	go func() {
		defer close(t.served)
		_ = t.server.Serve(listener) // returns when Close is called, with nothing to tell
	}()
	return t
}

// newTeam returns a team that does not listen.
func newTeam(host, issuer string, previous, current *key) *Team {
	t := &Team{
		host:       host,
		issuer:     issuer,
		mux:        http.NewServeMux(),
		stranger:   sync.OnceValue(func() *key { return newKey(host) }),
		previous:   previous,
		current:    current,
		identities: make(map[string]map[string]any),
	}
	t.Recover()
	t.mux.HandleFunc("GET "+certsPath, t.serveCerts)
	t.mux.HandleFunc("GET "+identityPath, t.serveIdentity)
	t.mux.HandleFunc(logoutPath, t.serveLogout)
	t.server = &http.Server{Handler: t}
	return t
}

// Issuer returns the iss claim of the team's tokens,
// "https://<name>.cloudflareaccess.com" in lower case, or that of [NewLocalTeam].
func (t *Team) Issuer() string {
	return t.issuer
}

// ServeHTTP answers what a team domain serves below /cdn-cgi/access/:
//   - certs: the document of [Team.Certs], unless a mode like [Team.Fail] is set;
//   - get-identity: the person whose token is in the cookie CF_Authorization. A
//     token that is absent, bad, expired or a service token's is answered with
//     400 and a JSON object whose member "err" says why;
//   - logout: expires that cookie.
//
// Other paths are answered with 404, and a method that certs or get-identity
// doesn't have with 405.
func (t *Team) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mux.ServeHTTP(w, r)
}

// RoundTrip answers a client's request as ServeHTTP does, without a socket. It makes
// the team the Transport of an [http.Client], in a bubble of testing/synctest too.
func (t *Team) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	t.ServeHTTP(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	response := recorder.Result()
	response.Request = r
	return response, nil
}

// Close stops listening and closes every connection, without waiting for
// requests. Calling it again does nothing more.
//
// A closed team still signs, and ServeHTTP still answers when it is called
// directly: certs requests with 503, as after [Team.Fail].
func (t *Team) Close() {
	_ = t.server.Close() // the listener's error would change nothing
	if t.served != nil {
		<-t.served
	}
	t.Fail(http.StatusServiceUnavailable)
}
