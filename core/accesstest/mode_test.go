package accesstest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestModes(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	certs := string(team.Certs())
	long := strings.Repeat("x", 1<<20)
	for name, test := range map[string]struct {
		set         func()
		status      int
		body        string
		contentType string
	}{
		"Fail 500":    {func() { team.Fail(500) }, 500, "Internal Server Error\n", "text/plain; charset=utf-8"},
		"Fail 599":    {func() { team.Fail(599) }, 599, "\n", "text/plain; charset=utf-8"},
		"Serve {}":    {func() { team.Serve("{}") }, 200, "{}", "application/json"},
		"Serve 1 MiB": {func() { team.Serve(long) }, 200, long, "application/json"},
		"Handle":      {func() { team.Handle(http.RedirectHandler("/x", http.StatusTemporaryRedirect)) }, 307, "<a href=\"/x\">Temporary Redirect</a>.\n\n", "text/html; charset=utf-8"},
		"Recover":     {team.Recover, 200, certs, "application/json"},
		"replaced":    {func() { team.Hang(); team.Fail(500); team.Serve("last") }, 200, "last", "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			before := team.Fetches()
			test.set()
			response := call(team, http.MethodGet, certsPath)
			contentType, body := response.Header().Get("Content-Type"), response.Body.String()
			if response.Code != test.status || contentType != test.contentType || body != test.body {
				t.Errorf("got %d, %s, %.80q, want %d, %s, %.80q", response.Code, contentType, body, test.status, test.contentType, test.body)
			}
			if status, body, err := get(team); err != nil || status != test.status || string(body) != test.body {
				t.Errorf("over a socket: status %d, error %v, body %.80q", status, err, body)
			}
			if got := team.Fetches() - before; got != 2 {
				t.Errorf("fetches are %d, want 2", got)
			}
			if string(team.Certs()) != certs {
				t.Error("Certs depends on the mode")
			}
		})
	}
}

func TestRoundTripEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	team.Hang()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://x"+certsPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := team.RoundTrip(request); response != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v, want %v", response, err, context.Canceled)
	}
	team.Fail(http.StatusTeapot)
	response, err := team.RoundTrip(request.WithContext(t.Context()))
	if err != nil || response.StatusCode != http.StatusTeapot || response.Request.URL != request.URL {
		t.Errorf("in another mode: %+v, %v", response, err)
	}
}

// The mode is the certs endpoint's alone.
func TestModesLeaveOtherEndpointsAlone(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	team.Hang()
	cookie := &http.Cookie{Name: "CF_Authorization", Value: team.SignUser(aud, email)}
	for _, path := range []string{identityPath, logoutPath} {
		if got := call(team, http.MethodGet, path, cookie).Code; got != http.StatusOK {
			t.Errorf("%s answers %d, want 200", path, got)
		}
	}
}

func TestAnswersOverASocket(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	team.Serve(strings.Repeat("x", 1<<16))
	response, err := http.Get(team.URL + certsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.ContentLength != -1 {
		t.Errorf("a long body has the Content-Length %d, want none", response.ContentLength)
	}
	team.Handle(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if status, _, err := get(team); err == nil {
		t.Errorf("status is %d, want the connection cut", status)
	}
}

func TestHangUntilAnotherMode(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	for _, test := range []struct {
		name string
		next func()
		want int
	}{
		{"Recover", team.Recover, http.StatusOK},
		{"Fail", func() { team.Fail(http.StatusBadGateway) }, http.StatusBadGateway},
		{"Hang and Recover", func() { team.Hang(); team.Recover() }, http.StatusOK},
		{"Close", team.Close, http.StatusServiceUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			team.Hang()
			const clients = 3
			arrived, statuses := team.Fetches()+clients, make(chan int, clients)
			for range clients {
				go func() { statuses <- call(team, http.MethodGet, certsPath).Code }()
			}
			awaitFetches(t, team, arrived)
			select {
			case status := <-statuses:
				t.Fatalf("a request that should hang got %d", status)
			case <-time.After(10 * time.Millisecond):
			}
			test.next()
			for range clients {
				if got := <-statuses; got != test.want {
					t.Errorf("status is %d, want %d", got, test.want)
				}
			}
		})
	}
}

// A request that hangs in a synctest bubble lets the clock move on.
func TestHangInABubble(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	team.Hang()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		recorder := httptest.NewRecorder()
		team.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, http.MethodGet, certsPath, nil))
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("the request hung for %v, want 5s", got)
		}
		if recorder.Code != http.StatusServiceUnavailable {
			t.Errorf("status is %d, want 503", recorder.Code)
		}

		go func() {
			time.Sleep(time.Hour)
			team.Recover()
		}()
		if got := call(team, http.MethodGet, certsPath).Code; got != http.StatusOK {
			t.Errorf("status is %d, want 200", got)
		}
		if got := time.Since(start); got != time.Hour+5*time.Second {
			t.Errorf("the request hung until %v, want 1h0m5s", got)
		}

		team.Hang()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		team.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, http.MethodGet, certsPath, nil))
	})
	team.Recover() // wakes nothing of the bubble from outside, which would panic
}

func TestModeMistakes(t *testing.T) {
	t.Parallel()
	team := newTeam(t)
	for name, test := range map[string]struct {
		set  func()
		want any
	}{
		"Fail 0":     {func() { team.Fail(0) }, "accesstest: Fail with status 0"},
		"Fail 199":   {func() { team.Fail(199) }, "accesstest: Fail with status 199"},
		"Fail 200":   {func() { team.Fail(200) }, nil},
		"Fail 999":   {func() { team.Fail(999) }, nil},
		"Fail 1000":  {func() { team.Fail(1000) }, "accesstest: Fail with status 1000"},
		"Handle nil": {func() { team.Handle(nil) }, "accesstest: Handle with a nil handler"},
	} {
		if got := panicOf(test.set); got != test.want {
			t.Errorf("%s panics with %v, want %v", name, got, test.want)
		}
	}
}
