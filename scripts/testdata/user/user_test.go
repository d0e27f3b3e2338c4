// Package user is a program that uses one adapter, for scripts/rehearse.sh.
package user

import (
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	audience = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"
	email    = "ada@example.com"
)

// serve, in the adapter's file, answers / with the caller's email.
func TestServer(t *testing.T) {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { panic(serve(listener, verifier)) }()

	url := "http://" + listener.Addr().String()
	if status, body := get(t, url, team.SignUser(audience, email)); status != http.StatusOK || body != email {
		t.Errorf("with a good token: %d %s", status, body)
	}
	if status, body := get(t, url, ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", status, body)
	}
}

func get(t *testing.T, url, token string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set(core.TokenHeader, token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}
