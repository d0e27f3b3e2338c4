package accesstest_test

import (
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

func TestNewTeam(t *testing.T) {
	t.Parallel()
	team := accesstest.NewTeam("AcMe")
	defer team.Close()
	if want := "https://acme.cloudflareaccess.com"; team.Issuer() != want {
		t.Errorf("issuer is %q, want %q", team.Issuer(), want)
	}
	if !regexp.MustCompile(`^http://127\.0\.0\.1:[0-9]+$`).MatchString(team.URL) {
		t.Errorf("URL is %q, want http://127.0.0.1:port", team.URL)
	}
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(team.KeyID()) {
		t.Errorf("key id is %q, want 64 lower-case hex digits", team.KeyID())
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	for name, test := range map[string]struct {
		method, path string
		want         int
	}{
		"certs":            {http.MethodGet, certsPath, http.StatusOK},
		"certs, HEAD":      {http.MethodHead, certsPath, http.StatusOK},
		"certs, POST":      {http.MethodPost, certsPath, http.StatusMethodNotAllowed},
		"certs, OPTIONS":   {http.MethodOptions, certsPath, http.StatusMethodNotAllowed},
		"certs, a query":   {http.MethodGet, certsPath + "?a=b", http.StatusOK},
		"certs, a slash":   {http.MethodGet, certsPath + "/", http.StatusNotFound},
		"get-identity":     {http.MethodGet, identityPath, http.StatusBadRequest},
		"logout":           {http.MethodGet, logoutPath, http.StatusOK},
		"the root":         {http.MethodGet, "/", http.StatusNotFound},
		"another endpoint": {http.MethodGet, "/cdn-cgi/access/login", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if got := call(team, test.method, test.path).Code; got != test.want {
				t.Errorf("status is %d, want %d", got, test.want)
			}
		})
	}
	if got, want := team.Fetches(), 3; got != want {
		t.Errorf("fetches are %d, want %d: GET and HEAD count, other methods don't", got, want)
	}
}

func TestMounted(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("/team/", http.StripPrefix("/team", sharedTeam()))
	if got := call(mux, http.MethodGet, "/team"+certsPath).Code; got != http.StatusOK {
		t.Errorf("status is %d, want 200", got)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	if status, _, err := get(team); err != nil || status != http.StatusOK {
		t.Fatalf("before: status %d, error %v", status, err)
	}
	team.Close()
	team.Close()
	if status, _, err := get(team); err == nil {
		t.Errorf("a closed team answers %d over its socket", status)
	}
	if got := call(team, http.MethodGet, certsPath).Code; got != http.StatusServiceUnavailable {
		t.Errorf("ServeHTTP answers %d, want 503", got)
	}
	if err := parse(t, team.SignUser(aud, email)).verify(parseDocument(t, team.Certs())); err != nil {
		t.Errorf("a closed team no longer signs: %v", err)
	}
}

// Close waits for no request, whether it hangs by Hang or in a handler that
// ignores its context.
func TestCloseWhileRequestsHang(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	for name, hang := range map[string]func(*accesstest.Team){
		"Hang": (*accesstest.Team).Hang,
		"Handle": func(team *accesstest.Team) {
			team.Handle(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-never }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			team := newTeam(t)
			hang(team)
			answered := make(chan error, 1)
			go func() {
				_, _, err := get(team)
				answered <- err
			}()
			awaitFetches(t, team, 1)
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				team.Close()
			}()
			select {
			case <-closed:
			case <-time.After(10 * time.Second):
				t.Fatal("Close waits for a request that hangs")
			}
			if err := <-answered; err == nil {
				t.Error("the request that hung got an answer, want its connection cut")
			}
		})
	}
}

// The race detector looks for races between all methods.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	cookie := &http.Cookie{Name: "CF_Authorization", Value: team.SignUser(aud, email)}
	var group sync.WaitGroup
	for _, use := range []func(){
		func() { team.SignUser(aud, email, accesstest.SignedByPreviousKey()) },
		func() { team.SignService(aud, clientID, accesstest.SignedByStranger()) },
		func() { team.Sign(nil, accesstest.SignedHS256()) },
		func() { team.Sign(nil, accesstest.Unsigned()) },
		func() { call(team, http.MethodGet, certsPath) },
		func() { call(team, http.MethodGet, identityPath, cookie) },
		func() { call(team, http.MethodGet, logoutPath) },
		func() { team.SetGroups(email, "admins") },
		func() { team.Certs(); team.KeyID(); team.Issuer(); team.Fetches() },
		func() { team.Fail(http.StatusInternalServerError) },
		func() { team.Serve("{}") },
		func() { team.Handle(http.NotFoundHandler()) },
		func() { team.Hang(); team.Recover() },
		team.Withdraw,
		team.Recover,
	} {
		for range 2 {
			group.Go(func() {
				for range 20 {
					use()
				}
			})
		}
	}
	group.Go(team.Rotate)
	group.Wait()
	group.Go(team.Close)
	group.Go(team.Close)
	group.Wait()
}

// awaitFetches waits until the team has received count certs requests.
func awaitFetches(t *testing.T, team *accesstest.Team, count int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); team.Fetches() < count; {
		if time.Now().After(deadline) {
			t.Fatalf("fetches are %d, want %d", team.Fetches(), count)
		}
		time.Sleep(time.Millisecond)
	}
}
