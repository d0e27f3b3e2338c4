//go:build unix

package dev

import (
	"os"
	"testing"
	"time"
)

func TestSignals(t *testing.T) {
	r := start(t, Options{}, "")
	r.login(0, "email", "ada@example.com") // Run has begun
	kid := r.server.team.KeyID()
	for name, test := range map[string]struct {
		signal os.Signal
		done   func() bool
	}{
		"SIGUSR1": {rotateSignal, func() bool { return r.server.team.KeyID() != kid }},
		"SIGUSR2": {certsSignal, func() bool { response, _ := r.get("/cdn-cgi/access/certs"); return response.StatusCode == 503 }},
	} {
		t.Run(name, func(t *testing.T) {
			if test.done() {
				t.Fatal("done before the signal")
			}
			process, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = process.Signal(test.signal)
			}
			if err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(5 * time.Second); !test.done(); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("nothing happened in five seconds")
				}
			}
		})
	}
}
