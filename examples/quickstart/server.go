package main

import (
	"fmt"
	"log/slog"
	"net/http"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
	"github.com/cfaccess/cfaccess/stdaccess"
)

// newVerifier returns a verifier for the team's tokens. A real server leaves
// Endpoint empty: the team is then found under its own domain.
func newVerifier(team *accesstest.Team, logger *slog.Logger) (*core.Verifier, error) {
	return core.New(core.Config{
		Team:      teamName,
		Audiences: []string{audience},
		Endpoint:  team.URL,
		Logger:    logger,
	})
}

// newHandler returns the protected server: nothing of it is reached without a
// good token, and /admin/ only by people of example.com.
func newHandler(verifier *core.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", greet)
	mux.HandleFunc("GET /header", showHeader)
	mux.Handle("/admin/", stdaccess.Require(core.EmailDomains("example.com"))(http.HandlerFunc(admin)))
	return stdaccess.New(verifier)(mux)
}

func greet(w http.ResponseWriter, r *http.Request) {
	claims, ok := stdaccess.Claims(r)
	switch {
	case !ok: // greet is not behind stdaccess.New
		http.Error(w, "who are you?", http.StatusInternalServerError)
	case claims.IsService():
		fmt.Fprintln(w, "hello", claims.CommonName)
	default:
		fmt.Fprintln(w, "hello", claims.Email)
	}
}

// showHeader stands for older code, which takes the caller from the unsigned
// header. Behind stdaccess.New it may.
func showHeader(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "header says", r.Header.Get(core.EmailHeader))
}

func admin(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "hello administrator")
}
