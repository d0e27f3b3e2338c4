package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cfaccess/cfaccess/core"
	"github.com/cfaccess/cfaccess/core/accesstest"
)

// Applications run behind dev as they run behind Access: the environment that it
// prints is all they need.
func TestApplicationsAcceptWhatDevSends(t *testing.T) {
	applications := map[string]struct {
		command func(t *testing.T, address string) *exec.Cmd // an application that listens there
		refused int                                          // the status for those without a good token
	}{
		"Node, jose":    {nodeApplication, http.StatusForbidden},
		"Python, PyJWT": {pythonApplication, http.StatusForbidden},
		"Go, net/http":  {example("std"), http.StatusUnauthorized},
		"Go, fiber v3":  {example("fiber3"), http.StatusUnauthorized},
	}
	for name, app := range applications {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := freeAddress(t)
			process := app.command(t, address)
			d := startDev(t, "http://"+address)
			process.Env = append(d.environment(), "PORT="+address[strings.LastIndex(address, ":")+1:])
			start(t, process)
			eventually(t, name+" listens", func() bool { return listens(address) })

			client, token := d.login(t)
			if status, body := get(t, client, d.url); status != http.StatusOK || body != "hello ada@example.com" {
				t.Errorf("with a session: %d %s, want 200 hello ada@example.com", status, body)
			}
			if status, body := get(t, http.DefaultClient, d.url, "CF-Access-Client-Id", "ci.access", "CF-Access-Client-Secret", "opensesame"); status != http.StatusOK || body != "hello ci.access" {
				t.Errorf("with a service token: %d %s, want 200 hello ci.access", status, body)
			}

			// A client that finds the address of the application has no dev in between.
			other := accesstest.NewTeam("other")
			defer other.Close()
			direct := map[string]struct {
				token string
				want  int
			}{
				"the session's token":       {token, http.StatusOK},
				"no token":                  {"", app.refused},
				"another key":               {other.SignUser(d.aud, "ada@example.com", accesstest.WithClaim("iss", d.url)), app.refused},
				"another key, the same kid": {other.SignUser(d.aud, "ada@example.com", accesstest.WithClaim("iss", d.url), accesstest.WithHeader("kid", kid(t, token))), app.refused},
			}
			for name, request := range direct {
				var header []string
				if request.token != "" {
					header = []string{core.TokenHeader, request.token}
				}
				if status, body := get(t, http.DefaultClient, "http://"+address, header...); status != request.want {
					t.Errorf("%s, without dev: %d %s, want %d", name, status, body, request.want)
				}
			}
		})
	}
}

func nodeApplication(t *testing.T, _ string) *exec.Cmd {
	node := program(t, "node")
	// jose is an ES module, which Node doesn't look for in NODE_PATH.
	modules := os.Getenv("NODE_PATH")
	if _, err := os.Stat(filepath.Join(modules, "jose")); modules == "" || err != nil {
		missing(t, "jose in NODE_PATH", err)
	}
	folder := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	app, err := os.ReadFile("testdata/app.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "app.mjs"), app, 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.CommandContext(t.Context(), node, filepath.Join(folder, "app.mjs"))
}

func pythonApplication(t *testing.T, _ string) *exec.Cmd {
	python := "/usr/bin/python3" // Debian's, which has Debian's modules
	if output, err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").CombinedOutput(); err != nil {
		missing(t, "python3-jwt and python3-cryptography", fmt.Errorf("%w: %s", err, output))
	}
	return exec.CommandContext(t.Context(), python, "testdata/app.py")
}

// example builds a server of examples/, with another address to listen on.
func example(name string) func(t *testing.T, address string) *exec.Cmd {
	return func(t *testing.T, address string) *exec.Cmd {
		folder := t.TempDir()
		source, err := filepath.Abs(filepath.Join("../../examples", name, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		code, err := os.ReadFile(source)
		if err != nil {
			t.Skip("examples are not part of this module: ", err)
		}
		edited := strings.ReplaceAll(string(code), "127.0.0.1:8080", address)
		if edited == string(code) {
			t.Fatalf("%s does not listen on 127.0.0.1:8080", source)
		}
		main, overlay, binary := filepath.Join(folder, "main.go"), filepath.Join(folder, "overlay.json"), filepath.Join(folder, name)
		for path, content := range map[string]string{main: edited, overlay: `{"Replace": {"` + filepath.ToSlash(source) + `": "` + filepath.ToSlash(main) + `"}}`} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", binary, ".")
		build.Dir = filepath.Dir(source)
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		return exec.CommandContext(t.Context(), binary)
	}
}

// kid returns the id of the key that signed a token.
func kid(t *testing.T, token string) string {
	t.Helper()
	encoded, _, _ := strings.Cut(token, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	var header struct {
		Kid string `json:"kid"`
	}
	if err := json.Unmarshal(decoded, &header); err != nil {
		t.Fatal(err)
	}
	return header.Kid
}
