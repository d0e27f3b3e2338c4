package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cfaccess/cfaccess/core"
)

// startTimeout bounds the wait for a process to answer.
const startTimeout = 30 * time.Second

// TestMain runs the command in the processes that command starts, and otherwise
// the tests. No test needs to build the command, and -race looks at it too.
func TestMain(m *testing.M) {
	if os.Getenv("CFACCESS_TEST_COMMAND") != "" {
		main()
	}
	os.Exit(m.Run())
}

// command returns the command as a process that ends with the test.
func command(ctx context.Context, arguments ...string) *exec.Cmd {
	process := exec.CommandContext(ctx, os.Args[0], arguments...)
	process.Env = append(os.Environ(), "CFACCESS_TEST_COMMAND=1")
	return process
}

// missing skips a test whose program isn't installed. scripts/programs.sh installs
// the programs that it can, and sets CFACCESS_TOOLS if it has them all.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CFACCESS_TOOLS") == "required" {
		t.Fatalf("needs %s: %v", what, err)
	}
	t.Skipf("needs %s, which scripts/programs.sh installs: %v", what, err)
}

// program returns the path of the first of these programs that is installed. If
// none is, it skips the test.
func program(t *testing.T, names ...string) string {
	t.Helper()
	var errs error
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			return path
		}
		errs = errors.Join(errs, err)
	}
	missing(t, names[0], errs)
	return ""
}

// output is what a process printed, whole lines at a time.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts a process, and ends it with the test. A test that fails shows what
// the process printed.
func start(t *testing.T, process *exec.Cmd) *output {
	t.Helper()
	printed := new(output)
	process.Stdout, process.Stderr = printed, printed
	process.WaitDelay = 5 * time.Second
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Cancel()
		process.Wait()
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(process.Path), printed)
		}
	})
	return printed
}

// eventually polls until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(startTimeout); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, startTimeout)
		}
	}
}

// freeAddress returns a loopback address where nothing listens. Its port is none of
// those that a system gives to connections: another one could take it meanwhile.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 10000+rand.IntN(20000)))
		if err == nil {
			listener.Close()
			return listener.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// A devServer is a process of cfaccess dev.
type devServer struct {
	url, aud string
	process  *exec.Cmd
	printed  *output
}

// startDev starts cfaccess dev in front of an upstream, with Ada as its user.
func startDev(t *testing.T, upstream string) *devServer {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "dev.yaml")
	const people = `people:
  - name: Ada Lovelace
    email: ada@example.com
    groups: [engineering]
services:
  ci.access: opensesame
`
	if err := os.WriteFile(config, []byte(people), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	d := &devServer{process: command(t.Context(), "dev", "--upstream", upstream, "--addr", address,
		"--config", config, "--state", filepath.Join(folder, "state"))}
	d.printed = start(t, d.process)
	eventually(t, "cfaccess dev listens", func() bool { return listens(address) })
	eventually(t, "cfaccess dev prints the environment", func() bool {
		lines := bufio.NewScanner(strings.NewReader(d.printed.String()))
		for lines.Scan() {
			line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export ")
			if value, ok := strings.CutPrefix(line, "TEAM_DOMAIN="); ok {
				d.url = value
			} else if value, ok := strings.CutPrefix(line, "POLICY_AUD="); ok {
				d.aud = value
			}
		}
		return d.url != "" && d.aud != ""
	})
	return d
}

func listens(address string) bool {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

// environment returns what an application needs, as dev has printed it.
func (d *devServer) environment() []string {
	return append(os.Environ(), "TEAM_DOMAIN="+d.url, "POLICY_AUD="+d.aud)
}

// login returns a client that has a session of Ada's, and its token.
func (d *devServer) login(t *testing.T) (*http.Client, string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	page, err := client.Get(d.url)
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	// The form that a browser would send from the page it was led to.
	request, err := http.NewRequestWithContext(t.Context(), "POST", page.Request.URL.String(), strings.NewReader(url.Values{"email": {"ada@example.com"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", d.url)
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	for _, cookie := range jar.Cookies(page.Request.URL) {
		if cookie.Name == core.TokenCookie {
			return client, cookie.Value
		}
	}
	t.Fatalf("no session: %s of %s", answer.Status, answer.Request.URL)
	return nil, ""
}

// get returns the status and the body of an answer.
func get(t *testing.T, client *http.Client, target string, header ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(body))
}
