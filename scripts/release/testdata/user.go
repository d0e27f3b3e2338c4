// User is a stranger's program: a server on loopback with one protected route,
// which it asks for with a good token and with none.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

const (
	audience = "32eafc7626e737aacf9ab6dbf6fe6f6ce3f0d5ad0b8d0a9d3b9a2d3c3a2b4228"
	email    = "ada@example.com"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "user:", err)
		os.Exit(1)
	}
}

func run() error {
	team := accesstest.NewTeam("acme")
	defer team.Close()
	verifier, err := core.New(core.Config{Team: "acme", Audiences: []string{audience}, Endpoint: team.URL})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		fmt.Fprintln(os.Stderr, "user: serving:", serve(listener, verifier))
		os.Exit(1)
	}()
	url := "http://" + listener.Addr().String()
	if err := ask(url, team.SignUser(audience, email), http.StatusOK, email); err != nil {
		return err
	}
	return ask(url, "", http.StatusUnauthorized, "")
}

// ask returns an error unless the answer has that status and, if want isn't
// empty, that body.
func ask(url, token string, status int, want string) error {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set(core.TokenHeader, token)
	}
	client := http.Client{Timeout: 10 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != status || want != "" && string(body) != want {
		return fmt.Errorf("answered %s %q, want %d %q", response.Status, body, status, want)
	}
	return nil
}
