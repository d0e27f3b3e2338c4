package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

func TestRunOnce(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-once"}, newHandler, &stdout, &stderr); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	output := stdout.String()
	if got, want := strings.Count(output, "✓"), len(situations()); got != want {
		t.Errorf("%d rows with ✓, want %d", got, want)
	}
	if strings.Contains(output, "✗") || stderr.Len() > 0 {
		t.Errorf("got\n%s\nand on stderr\n%s", output, &stderr)
	}
}

func TestRunOnceFails(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-once"}, naiveHandler, &stdout, &stderr); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if !strings.Contains(stdout.String(), "✗") || !strings.Contains(stderr.String(), "did not go as expected") {
		t.Errorf("got\n%s\nand on stderr\n%s", &stdout, &stderr)
	}
}

func TestRunDoesNotServeWhatFails(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-addr", "127.0.0.1:0"}, naiveHandler, &stdout, &stderr); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if strings.Contains(stdout.String(), "curl") {
		t.Errorf("curl commands for a server that fails:\n%s", &stdout)
	}
}

func TestRunFlags(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		status int
		stderr string
	}{
		"help":         {[]string{"-h"}, 0, "-once"},
		"unknown flag": {[]string{"-twice"}, 2, "-twice"},
		"bad address":  {[]string{"-addr", "nowhere"}, 1, "-addr"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			if status := run(t.Context(), test.args, newHandler, io.Discard, &stderr); status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			if !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("stderr does not mention %s: %s", test.stderr, &stderr)
			}
		})
	}
}

func TestRunNamesTakenAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-addr", addr}, newHandler, &stdout, &stderr); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if got := stderr.String(); !strings.Contains(got, addr) || !strings.Contains(got, "-addr") || stdout.Len() > 0 {
		t.Errorf("got %q after %q, want an error alone that names %s and -addr", got, &stdout, addr)
	}
}

func TestRunLogs(t *testing.T) {
	var stderr bytes.Buffer
	if status := run(t.Context(), []string{"-once", "-v"}, newHandler, io.Discard, &stderr); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	for _, want := range []string{"fetching keys failed", "header with crit", "token expired"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("-v does not log %q", want)
		}
	}
}

func TestRunStoppedDuringTable(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if status := run(ctx, []string{"-once"}, newHandler, &stdout, &stderr); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if stdout.Len() > 0 || !strings.Contains(stderr.String(), "stopped") {
		t.Errorf("got %q and on stderr %q", &stdout, &stderr)
	}
}

// Each command that is printed gets the answer that is printed above it.
func TestRunServes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0"}, newHandler, writer, &stderr)
		_ = writer.Close()
	}()

	commands := readCommands(t, reader, len(samples()))
	client := &origin{client: &http.Client{Timeout: 10 * time.Second}}
	for title, command := range commands {
		url, header := parseCurl(t, command)
		got, err := client.get(ctx, url, header)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(title, ": "+got.String()) {
			t.Errorf("got %v for %s", got, title)
		}
	}
	cancel()
	if status := <-ended; status != 0 || stderr.Len() > 0 {
		t.Errorf("exit status %d and %q, want 0 and nothing", status, &stderr)
	}
}

// readCommands returns so many commands from what run prints, by the line above
// each.
func readCommands(t *testing.T, output io.Reader, number int) map[string]string {
	t.Helper()
	commands := make(map[string]string)
	var above string
	for scanner := bufio.NewScanner(output); len(commands) < number; above = scanner.Text() {
		if !scanner.Scan() {
			t.Fatalf("%d commands, want %d: %v", len(commands), number, scanner.Err())
		}
		if line := scanner.Text(); strings.HasPrefix(line, "curl ") {
			commands[above] = line
		}
	}
	return commands
}

// parseCurl returns the URL and the header of a command that printCommands
// wrote: its quoted words.
func parseCurl(t *testing.T, command string) (url string, header http.Header) {
	t.Helper()
	words := strings.Split(command, "'")
	if len(words)%2 == 0 || len(words) < 3 {
		t.Fatalf("odd quotes in %s", command)
	}
	header = make(http.Header)
	for i := 1; i < len(words)-2; i += 2 {
		name, value, ok := strings.Cut(words[i], ": ")
		if !ok {
			t.Fatalf("%q is not a header field", words[i])
		}
		header.Add(name, value)
	}
	return words[len(words)-2], header
}

// naiveHandler believes everybody. It is the server without the middleware.
func naiveHandler(*core.Verifier) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "header says "+r.Header.Get(core.EmailHeader))
	})
}

func newTeam(t *testing.T) *accesstest.Team {
	t.Helper()
	team := accesstest.NewTeam(teamName)
	t.Cleanup(team.Close)
	return team
}
