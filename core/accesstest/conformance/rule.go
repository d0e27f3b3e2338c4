package conformance

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// optional tests Rule.Optional.
func (s *suite) optional(t *testing.T) {
	sign := func(options ...accesstest.Option) string { return s.team.SignUser(audience, ada, options...) }
	good, forged := sign(), sign(accesstest.SignedByStranger())
	expired := sign(accesstest.WithExpiry(time.Now().Add(-time.Hour)))
	foreign := sign(accesstest.WithClaim("aud", "another application's"))
	refused := s.team.SignUser(audience, eve)
	app := s.serve(t, App{Rule: core.Rule{Optional: true, Policy: core.AllOf(policies()...)}, Policies: policies()})
	keyless := s.serve(t, App{Verifier: s.keyless, Rule: core.Rule{Optional: true}})

	const (
		missing   = "Optional lets a request without a token pass, without claims"
		present   = "with Optional a good token brings its claims"
		badHeader = "Optional excuses a missing token, and never a bad one in the header"
		badCookie = "with Optional a cookie that isn't good counts as none: a browser keeps those of old sessions and of other applications"
		noKeys    = "with Optional a token that can't be checked is answered with 503"
		policy    = "with Optional the policy decides about every caller with a token"
	)
	s.decisions(t, map[string]decision{
		"no token":                 {missing, app, PathWhoAmI, nil, anonymous, nil},
		"another cookie":           {missing, app, PathWhoAmI, http.Header{"Cookie": {"theme=dark"}}, anonymous, nil},
		"empty header":             {missing, app, PathWhoAmI, inHeader(""), anonymous, nil},
		"empty cookie":             {missing, app, PathWhoAmI, inCookie(""), anonymous, nil},
		"good token":               {present, app, PathWhoAmI, inHeader(good), ada, nil},
		"good cookie":              {present, app, PathWhoAmI, inCookie(good), ada, nil},
		"forged header":            {badHeader, app, PathWhoAmI, inHeader(forged), "", core.ErrSignature},
		"garbage header":           {badHeader, app, PathWhoAmI, inHeader("x"), "", core.ErrMalformed},
		"expired header":           {badHeader, app, PathWhoAmI, inHeader(expired), "", core.ErrExpired},
		"two headers":              {badHeader, app, PathWhoAmI, inHeader(good, good), "", core.ErrMalformed},
		"stale cookie":             {badCookie, app, PathWhoAmI, inCookie(expired), anonymous, nil},
		"garbage cookie":           {badCookie, app, PathWhoAmI, inCookie("x"), anonymous, nil},
		"forged cookie":            {badCookie, app, PathWhoAmI, inCookie(forged), anonymous, nil},
		"foreign cookie":           {badCookie, app, PathWhoAmI, inCookie(foreign), anonymous, nil},
		"bad cookies, then good":   {badCookie, app, PathWhoAmI, inCookie(expired, foreign, good), ada, nil},
		"no keys, header":          {noKeys, keyless, PathWhoAmI, inHeader(good), "", core.ErrKeysUnavailable},
		"no keys, cookie":          {noKeys, keyless, PathWhoAmI, inCookie(good), "", core.ErrKeysUnavailable},
		"no keys, no token":        {missing, keyless, PathWhoAmI, nil, anonymous, nil},
		"refused by policy":        {policy, app, PathWhoAmI, inHeader(refused), "", core.ErrForbidden},
		"cookie refused by policy": {policy, app, PathWhoAmI, inCookie(refused), "", core.ErrForbidden},
		"Require, anonymous":       {"Require refuses an anonymous caller with 401", app, PathRequired, nil, "", core.ErrNoToken},
		"Require, good token":      {present, app, PathRequired, inHeader(good), ada, nil},
	})
}

// skipped tests the Skipper of an adapter's Config, which fiber calls Next.
func (s *suite) skipped(t *testing.T) {
	good := s.team.SignUser(audience, ada)
	forged := s.team.SignUser(audience, ada, accesstest.SignedByStranger())
	keyless := s.serve(t, App{Verifier: s.keyless})
	const rule = "a skipped request reaches the handler unexamined, and so without claims"
	s.decisions(t, map[string]decision{
		"no token":    {rule, s.plain, PathSkipped, nil, anonymous, nil},
		"good token":  {rule, s.plain, PathSkipped, inHeader(good), anonymous, nil},
		"good cookie": {rule, s.plain, PathSkipped, inCookie(good), anonymous, nil},
		"bad token":   {rule, s.plain, PathSkipped, inHeader(forged), anonymous, nil},
		"two tokens":  {rule, s.plain, PathSkipped, inHeader(good, forged), anonymous, nil},
		"no keys":     {rule, keyless, PathSkipped, inHeader(good), anonymous, nil},
		"other paths": {"a request that is not skipped is examined", s.plain, PathWhoAmI, nil, "", core.ErrNoToken},
	})
	check(t, "preflight", "a request is skipped with any method, such as a preflight", func(t *testing.T) {
		reached(t, s.send(t, s.plain, http.MethodOptions, PathSkipped, nil, ""), anonymous)
	})
}

// skipPaths tests the adapter's SkipPaths.
func (s *suite) skipPaths(t *testing.T) {
	app := s.serve(t, App{SkipPaths: []string{"/healthz", PathSkipped}})
	for path, skipped := range map[string]bool{
		PathSkipped:                      true,
		PathSkipped + "?probe=1":         true,
		PathSkipped + "/":                false,
		PathSkipped + ";x":               false,
		PathSkipped + "/../whoami":       false,
		PathSkipped + "/..%2fwhoami":     false,
		PathSkipped + "%2f..%2fwhoami":   false,
		"/%73kipped":                     false,
		"//skipped":                      false,
		"/./skipped":                     false,
		strings.ToUpper(PathSkipped):     false,
		PathWhoAmI:                       false,
		PathWhoAmI + "?" + PathSkipped:   false,
		PathWhoAmI + "/.." + PathSkipped: false,
	} {
		check(t, path, "SkipPaths compares the whole path as the client sent it", func(t *testing.T) {
			got, err := tryRaw(app, http.MethodGet, path, nil, "") // net/http's client would change the path
			if err != nil {
				t.Fatal(err)
			}
			if skipped {
				reached(t, got, anonymous)
			} else if got.calls != 0 || got.status == http.StatusOK {
				t.Errorf("got %d: %.300s", got.status, got.body)
			}
		})
	}
}

// panics tests mistakes that a program must not start with.
func (s *suite) panics(t *testing.T) {
	for name, app := range map[string]App{
		"nil Verifier":         {},
		"nil Policy":           {Verifier: s.verifier, Policies: []core.Policy{core.Users(), nil}},
		"path of a prefix":     {Verifier: s.verifier, SkipPaths: []string{"/public/*"}},
		"path with a query":    {Verifier: s.verifier, SkipPaths: []string{"/public?x"}},
		"path without a slash": {Verifier: s.verifier, SkipPaths: []string{"healthz"}},
	} {
		check(t, name, "a nil Verifier, a nil Policy and what isn't one exact path make the adapter panic with a message", func(t *testing.T) {
			defer func() {
				if message, ok := recover().(string); !ok || message == "" {
					t.Error("no panic with a message")
				}
			}()
			app.inner = &App{}
			s.start(t, app)
		})
	}
}

// nested tests one New behind another. The inner New of s.plain refuses bob, that
// of optional accepts no anonymous caller.
func (s *suite) nested(t *testing.T) {
	person, service := s.team.SignUser(audience, ada), s.team.SignService(audience, robot)
	refused := s.team.SignUser(audience, bob)
	optional := s.serve(t, App{Rule: core.Rule{Optional: true}})
	const (
		kept  = "where the inner New skips a request, the claims and the email of the outer one stay"
		inner = "the verdict of the inner New counts, once the outer one has admitted the caller"
	)
	s.decisions(t, map[string]decision{
		"inner skips, person":      {kept, s.plain, PathNestedSkipped, inHeader(person), ada, nil},
		"inner skips, service":     {kept, s.plain, PathNestedSkipped, inHeader(service), robot, nil},
		"inner skips, anonymous":   {kept, optional, PathNestedSkipped, nil, anonymous, nil},
		"inner skips, no token":    {"the outer New refuses first", s.plain, PathNestedSkipped, nil, "", core.ErrNoToken},
		"both admit":               {inner, s.plain, PathNested, inHeader(person), ada, nil},
		"outer refuses":            {inner, s.plain, PathNested, nil, "", core.ErrNoToken},
		"inner refuses":            {inner, s.plain, PathNested, inHeader(refused), "", core.ErrForbidden},
		"inner refuses, anonymous": {inner, optional, PathNested, nil, "", core.ErrNoToken},
		"inner admits by cookie":   {inner, optional, PathNested, inCookie(refused), bob, nil},
	})
}

// permissions are the callers whom policies tells apart, on the route at path.
func (s *suite) permissions(to server, path string) map[string]decision {
	person := func(email string) http.Header { return inHeader(s.team.SignUser(audience, email)) }
	service := func(id string) http.Header { return inHeader(s.team.SignService(audience, id)) }
	const anyOf = "AnyOf allows whom one of its policies allows, and refuses all others with 403"
	return map[string]decision{
		"person":               {"a caller passes whom every policy allows", to, path, person(ada), ada, nil},
		"service":              {anyOf, to, path, service(robot), robot, nil},
		"person not in AnyOf":  {anyOf, to, path, person(eve), "", core.ErrForbidden},
		"service not in AnyOf": {anyOf, to, path, service(stray), "", core.ErrForbidden},
		"person in Not":        {"AllOf refuses whom one of its policies refuses, and Not reverses a policy", to, path, person(former), "", core.ErrForbidden},
		"own policy":           {"whatever error a policy returns, the client gets 403 and doesn't read it", to, path, person(mallory), "", core.ErrForbidden},
		"undecided policy":     {"where a policy can't decide, the client gets 503", to, path, person(pending), "", core.ErrPolicyUnavailable},
		"no token":             {"without a token no policy is asked", to, path, nil, "", core.ErrNoToken},
	}
}

// policies tests Rule.Policy.
func (s *suite) policies(t *testing.T) {
	app := s.serve(t, App{Rule: core.Rule{Policy: core.AllOf(policies()...)}})
	s.decisions(t, s.permissions(app, PathWhoAmI))
}

// require tests Require, with New before it and without.
func (s *suite) require(t *testing.T) {
	good := s.team.SignUser(audience, ada)
	app := s.serve(t, App{})
	const (
		withoutNew = "Require without New before it refuses with 401, even a good token"
		noPolicy   = "Require without a policy lets every verified caller pass, and nobody else"
	)
	table := s.permissions(s.plain, PathRequired)
	maps.Copy(table, map[string]decision{
		"no policy":                  {noPolicy, app, PathRequired, inHeader(s.team.SignUser(audience, eve)), eve, nil},
		"no policy, without New":     {noPolicy, app, PathRequireAlone, inHeader(good), "", core.ErrNoToken},
		"without New":                {withoutNew, s.plain, PathRequireAlone, inHeader(good), "", core.ErrNoToken},
		"without New, by cookie":     {withoutNew, s.plain, PathRequireAlone, inCookie(good), "", core.ErrNoToken},
		"without New, without token": {withoutNew, s.plain, PathRequireAlone, nil, "", core.ErrNoToken},
	})
	s.decisions(t, table)
}

// groups tests core.Groups, which asks Access for the caller's identity.
func (s *suite) groups(t *testing.T) {
	s.team.SetGroups(ada, "engineering")
	app := s.serve(t, App{Policies: []core.Policy{core.Groups("engineering")}})
	const rule = "a caller passes who is in one of the groups, as Access knows them"
	s.decisions(t, map[string]decision{
		"member":        {rule, app, PathRequired, inHeader(s.team.SignUser(audience, ada)), ada, nil},
		"no member":     {rule, app, PathRequired, inHeader(s.team.SignUser(audience, bob)), "", core.ErrForbidden},
		"service token": {"a service token is in no group", app, PathRequired, inHeader(s.team.SignService(audience, robot)), "", core.ErrForbidden},
	})
	s.team.HandleIdentity(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer s.team.HandleIdentity(nil)
	s.decisions(t, map[string]decision{
		"Access fails": {"where Access can't be asked, the client gets 503", app, PathRequired, inHeader(s.team.SignUser(audience, eve)), "", core.ErrPolicyUnavailable},
	})
}
