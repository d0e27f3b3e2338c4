// Std is the smallest real server behind Cloudflare Access with net/http. It
// reads the variables that Cloudflare's own samples use:
//
//	TEAM_DOMAIN=https://acme.cloudflareaccess.com POLICY_AUD=<AUD tag> go run ./examples/std
//
// ADMIN_DOMAIN is the email domain whose people may see /admin; without it
// nobody may. ADDR, or the flag -addr, is where it listens.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/stdaccess"
)

// drainTime is how long requests under way may take once the server stops.
const drainTime = 10 * time.Second

func main() {
	addr := flag.String("addr", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:8080"), "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C doesn't wait for requests

	cfg, err := core.ConfigFromEnv()
	if err == nil {
		err = run(ctx, cfg, *addr, os.Getenv("ADMIN_DOMAIN"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "std:", err)
		os.Exit(1)
	}
}

// run serves on addr until ctx ends.
func run(ctx context.Context, cfg core.Config, addr, adminDomain string) error {
	verifier, err := core.New(cfg)
	if err != nil {
		return err
	}
	// Config.FetchTimeout, five seconds here, is the limit of this.
	if err := verifier.Refresh(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped meanwhile: the team is not to blame
		}
		return fmt.Errorf("can't get the signing keys of %s: check the spelling of TEAM_DOMAIN, and that this machine can reach it over https: %w", verifier.Issuer(), err)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	slog.Info("serving", "url", "http://"+listener.Addr().String(), "team", verifier.Issuer())
	return serve(ctx, listener, routes(verifier, adminDomain))
}

// routes returns the whole server. What is public is named; everything else,
// unknown paths too, is behind Access.
func routes(verifier *core.Verifier, adminDomain string) http.Handler {
	protected := http.NewServeMux()
	protected.HandleFunc("GET /{$}", greet)
	protected.HandleFunc("/", http.NotFound) // other methods of / too
	admins := stdaccess.Require(core.EmailDomains(adminDomain))(http.HandlerFunc(admin))
	protected.Handle("/admin", admins) // or the mux would redirect it
	protected.Handle("/admin/", admins)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthy)
	mux.Handle("/", stdaccess.New(verifier)(protected))
	return mux
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "ok")
}

func greet(w http.ResponseWriter, r *http.Request) {
	claims, ok := stdaccess.Claims(r)
	switch {
	case !ok: // greet is not behind stdaccess.New
		http.Error(w, "who are you?", http.StatusInternalServerError)
	case claims.IsService():
		fmt.Fprintf(w, "You are the service %s.\n", claims.CommonName)
	default:
		fmt.Fprintf(w, "You are %s.\n", claims.Email)
	}
}

func admin(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "You are an administrator.")
}

// serve answers requests until ctx ends, and those under way to their end.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return fmt.Errorf("requests were cut after %v: %w", drainTime, errors.Join(err, server.Close()))
	}
	return nil
}
