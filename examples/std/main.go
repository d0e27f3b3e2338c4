// Std is a net/http server behind Cloudflare Access:
//
//	TEAM_DOMAIN=https://acme.cloudflareaccess.com POLICY_AUD=<AUD tag> go run ./examples/std
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/stdaccess"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	verifier, err := newVerifier(ctx)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: newHandler(verifier), ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(drain)
	})
	log.Println("serving on http://" + server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-stopped; err != nil {
		log.Fatal(err)
	}
}

// newHandler returns the whole server. Only the paths that SkipPaths names work
// without a token.
func newHandler(verifier *core.Verifier) http.Handler {
	optional := stdaccess.New(verifier, stdaccess.Config{Rule: core.Rule{Optional: true}})
	admins := stdaccess.Require(core.EmailDomains("example.com"))

	app := http.NewServeMux()
	app.HandleFunc("GET /healthz", say("ok"))
	app.Handle("GET /welcome", optional(http.HandlerFunc(hello)))
	app.HandleFunc("GET /{$}", hello)
	app.Handle("/admin/", admins(say("hello administrator")))
	return stdaccess.New(verifier, stdaccess.Config{Skipper: stdaccess.SkipPaths("/healthz", "/welcome")})(app)
}

func hello(w http.ResponseWriter, r *http.Request) {
	name := "guest"
	if claims, ok := stdaccess.Claims(r); ok {
		name = cmp.Or(claims.Email, claims.CommonName) // a service token has no email
	}
	fmt.Fprintln(w, "hello", name)
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, text) }
}
