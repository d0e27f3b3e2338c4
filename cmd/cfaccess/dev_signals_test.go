//go:build unix

package main

import (
	"net/http"
	"net/http/httptest"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// A terminal sends SIGHUP when it closes.
func TestDevEndsWithItsTerminal(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("the tests run under nohup")
	}
	upstream := httptest.NewServer(http.NotFoundHandler())
	defer upstream.Close()
	d := startDev(t, upstream.URL)
	if err := d.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "cfaccess dev ends", func() bool { return !listens(strings.TrimPrefix(d.url, "http://")) })
}
