package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/cfaccess/cfaccess/core/accesstest"
)

// drainTime is how long requests under way may take once the server stops.
const drainTime = 5 * time.Second

// A sample is a request to try by hand.
type sample struct {
	name  string
	want  expectation
	path  string
	bring credentials
}

func samples() []sample {
	expired := user(ada, accesstest.WithExpiry(time.Now().Add(-time.Hour)))
	return []sample{
		{"user token in the header, as Access sends it", welcome("hello " + ada), "/", inHeader(user(ada))},
		{"user token in the cookie", welcome("hello " + ada), "/", inCookie(user(ada))},
		{"service token", welcome("hello " + bot), "/", inHeader(service(bot))},
		{"no token", refused(401, "token_missing"), "/", together()},
		{"token expired", refused(401, "token_expired"), "/", inHeader(expired)},
		{"signed by a stranger", refused(401, "token_invalid"), "/", inHeader(user(ada, accesstest.SignedByStranger()))},
		{"forged email header, another's token", welcome("header says " + eve), "/header", together(inHeader(user(eve)), claiming(ada))},
		{"caller whom a policy allows", welcome("hello administrator"), "/admin/", inHeader(user(ada))},
		{"caller whom a policy refuses", refused(403, "forbidden"), "/admin/", inHeader(user(eve))},
	}
}

// printCommands prints a curl command for each sample.
func printCommands(w io.Writer, team *accesstest.Team, url string) {
	fmt.Fprintf(w, "Serving on %s until Ctrl-C. Copy a line to try it. Its token is good for 24 hours, and for this run only.\n", url)
	for _, s := range samples() {
		fmt.Fprintf(w, "\n# %s: %v\ncurl -i", s.name, s.want)
		header := s.bring(team)
		for _, name := range slices.Sorted(maps.Keys(header)) {
			for _, value := range header[name] {
				fmt.Fprintf(w, " -H '%s: %s'", name, value)
			}
		}
		fmt.Fprintf(w, " '%s%s'\n", url, s.path)
	}
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
