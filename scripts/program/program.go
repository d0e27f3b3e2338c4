// Package program runs the programs of docs/gate on loopback: cfaccess gate, and
// nginx with its recipe.
package program

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A Program is a process that listens on an address.
type Program struct {
	*exec.Cmd
	Addr string
}

// Start starts a program with the arguments for a free address, and waits until it
// listens there.
func Start(path string, arguments func(addr string) []string) (*Program, error) {
	addr := freeAddress()
	p := &Program{exec.Command(path, arguments(addr)...), addr}
	if err := p.Cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		connection, err := net.Dial("tcp", addr)
		if err == nil {
			connection.Close()
			return p, nil
		}
		if time.Now().After(deadline) {
			p.Stop()
			return nil, fmt.Errorf("%q: %w", p.Args, err)
		}
	}
}

// freeAddress returns a port that no system gives to connections: another one could
// take it meanwhile.
func freeAddress() (addr string) {
	for range 100 {
		addr = fmt.Sprint("127.0.0.1:", 10000+rand.IntN(20000))
		if listener, err := net.Listen("tcp", addr); err == nil {
			listener.Close()
			break
		}
	}
	return addr
}

// Stop kills the program.
func (p *Program) Stop() {
	_ = p.Process.Kill() // it may have ended
	_ = p.Wait()
}

// Gate starts cfaccess gate with a configuration, which it writes into directory.
func Gate(cfaccess, directory, config string) (*Program, error) {
	return Start(cfaccess, func(addr string) []string {
		return []string{"gate", "--addr", addr, "--config", write(directory, addr+".yaml", config)}
	})
}

// Nginx starts nginx with the recipe, between a gate and an application. edits are
// further pairs of old and new text.
func Nginx(directory, gate, application string, edits ...string) (*Program, error) {
	recipe, err := os.ReadFile("docs/gate/nginx.conf")
	if err != nil {
		return nil, err
	}
	return Start("nginx", func(addr string) []string {
		edits := append(edits, "127.0.0.1:8080", addr, "127.0.0.1:9300", gate, "127.0.0.1:3000", application)
		config := "daemon off; master_process off; pid nginx.pid; error_log stderr crit; events {} http { access_log off; " +
			"client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n" +
			strings.NewReplacer(edits...).Replace(string(recipe)) + "}"
		return []string{"-p", directory, "-e", "stderr", "-c", write(directory, addr+".conf", config)}
	})
}

// write writes a file. The program says so if there is none.
func write(directory, name, content string) (path string) {
	path = filepath.Join(directory, name)
	_ = os.WriteFile(path, []byte(content), 0o600)
	return path
}
